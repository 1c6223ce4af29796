"""From an index file to states of a library: the first, and each that follows an edit or a scan.

A change of a few tracks replays the change log and touches only them. Whenever that cannot give
exactly what a fresh build would give, everything is built anew: the log has a gap (counted), a
path may depend on other tracks, tracks are chosen by a condition, or changes have piled up.
"""

import logging

import numpy as np
import polars as pl

from musefs.index.backing.content import ContentRef
from musefs.index.counters import Counter, degrade
from musefs.index.read.load import identity, load_update
from musefs.index.read.snapshot import Gap, LibrarySnapshot, LibraryUpdate
from musefs.index.read.stored_pictures import StoredPictures
from musefs.mount.companions.files import load_companion_files
from musefs.mount.formats.from_index import size_columns
from musefs.mount.formats.sizes import served_sizes
from musefs.mount.library import Library
from musefs.mount.naming import Naming
from musefs.mount.plan import Mode, MountPlan
from musefs.mount.selection import load_selected
from musefs.mount.serve.companion_files import CompanionFiles, without_files
from musefs.mount.serve.devices import Devices
from musefs.mount.serve.library_generation import (
    Extras,
    Int64s,
    LibraryGeneration,
    TrackColumns,
    changed_names,
    shown_times,
)
from musefs.mount.serve.opening import Opener
from musefs.mount.serve.originals import find_originals, needs_contents
from musefs.mount.serve.refresh import Refreshed
from musefs.mount.serve.statfs import free_bytes_below

LARGEST_CHANGE = 20_000
"""Tracks in one change beyond which building everything is faster than changing the tree."""

PILED_UP = 50_000
"""Changed rows since the last whole build; each keeps its little snapshot in memory."""

_log = logging.getLogger(__name__)


class LibrarySource:
    """The library of one mount plan."""

    def __init__(self, plan: MountPlan) -> None:
        """Load the first state; raises what is wrong with index, template or originals."""
        self._plan = plan
        self._plain = plan.mode is Mode.STRUCTURE_ONLY
        self._naming = Naming.from_plan(plan.naming)
        self._contents = plan.backing.volume is not None
        self._companions_behind = False
        self.first_stamp: object = self.identity()  # before the build (row M5)
        snapshot = self._load()
        if not self._contents and needs_contents(plan.backing, snapshot.volume):
            self._contents = True
            snapshot = self._load()
        self._originals = find_originals(plan.backing, snapshot.volume)
        self.art = StoredPictures(plan.index)
        self._copy_added_pictures(snapshot)
        self.first = self._generation(1, snapshot)
        self._since: LibrarySnapshot | LibraryUpdate = snapshot

    # what the session needs

    def opener(self, devices: Devices) -> Opener:
        """Return what opens originals."""
        return self._originals.opener(devices)

    def free_bytes(self) -> int:
        """Return what is free where the originals are."""
        return free_bytes_below(self._originals.root)

    def close(self) -> None:
        """Release the volume."""
        self._originals.close()

    # what the refresher needs

    def identity(self) -> object:
        """Return what tells this state of the index from others; opens nothing.

        After a change of a few tracks it differs once more: covers and other companions follow
        with a whole build at the first look at which nothing else changed.
        """
        return identity(self._plan.index), self._companions_behind

    def update(self, current: LibraryGeneration) -> Refreshed[LibraryGeneration] | None:
        """Return the next state, from the change log where that is exact."""
        if self._plan.naming.where is not None:
            return self._rebuild_if_changed(current)
        update = load_update(self._plan.index, self._since, with_contents=self._contents)
        if isinstance(update, Gap):
            degrade(Counter.REFRESH_GAP_FALLBACKS, "%s; building everything anew", update.reason)
            return self.rebuild(current)
        if not update.named:
            self._since = update
            return self.rebuild(current) if self._companions_behind else None
        self._copy_added_pictures(update.present)
        if self._must_rebuild(current, update):
            return self.rebuild(current)
        refreshed = self._change(current, update)
        self._since = update
        return refreshed

    def rebuild(self, current: LibraryGeneration) -> Refreshed[LibraryGeneration]:
        """Return the next state, built from the whole index."""
        snapshot = self._load()
        self._copy_added_pictures(snapshot)
        generation = self._generation(current.number + 1, snapshot)
        self._since = snapshot
        names = changed_names(current.tree, generation.tree)
        return Refreshed(generation, names, full=True)

    # inside

    def _copy_added_pictures(self, snapshot: LibrarySnapshot) -> None:
        """Copy pictures that users added, if tracks have any: most libraries have none."""
        hashes = snapshot.art.rows.column("art_hash")
        if hashes.null_count < len(hashes):
            self.art.refresh()

    def _load(self) -> LibrarySnapshot:
        where = self._plan.naming.where
        return load_selected(self._plan.index, where, with_contents=self._contents)

    def _generation(self, number: int, snapshot: LibrarySnapshot) -> LibraryGeneration:
        columns = TrackColumns(
            snapshot, self._sizes(snapshot), shown_times(snapshot, plain=self._plain)
        )
        companions = CompanionFiles(snapshot, self._originals.compares_inodes)
        extras = self._plan.extras
        files = self._companion_files()
        library = Library.build(
            snapshot,
            self._naming,
            lambda placed: companions.place(
                placed, files, extras, views=bool(self._plan.naming.views)
            ),
        )
        if extras.playlists:
            library = companions.add_playlists(library, self._read_whole)
        self._companions_behind = False
        return self._make(number, library, columns, companions)

    def _make(
        self, number: int, library: Library, columns: TrackColumns, companions: Extras
    ) -> LibraryGeneration:
        return LibraryGeneration(
            number,
            library,
            columns,
            plain=self._plain,
            compares_inodes=self._originals.compares_inodes,
            extras=companions,
        )

    def _companion_files(self) -> pl.DataFrame:
        """Return the files beside tracks; the volume itself has runs for audio only."""
        extras = self._plan.extras
        if self._contents or not (extras.sidecars or extras.playlists):
            return without_files()
        return load_companion_files(self._plan.index)

    def _read_whole(self, ref: ContentRef) -> bytes:
        with self._originals.opener(Devices()).open(ref).content as content:
            return content.read_at(0, content.size)

    def _sizes(self, snapshot: LibrarySnapshot) -> Int64s:
        if self._plain:
            return np.array(snapshot.tracks.column("size").to_numpy(), np.int64)
        return np.array(served_sizes(size_columns(snapshot)).to_numpy(), np.int64)

    def _must_rebuild(self, current: LibraryGeneration, update: LibraryUpdate) -> bool:
        piled_up = len(current.columns.later) + len(update.named)
        return (
            self._naming.is_album_wide or len(update.named) > LARGEST_CHANGE or piled_up > PILED_UP
        )

    def _rebuild_if_changed(
        self, current: LibraryGeneration
    ) -> Refreshed[LibraryGeneration] | None:
        refreshed = self.rebuild(current)
        same = next(iter(changed_names(current.tree, refreshed.generation.tree)), None) is None
        return None if same else refreshed

    def _change(
        self, current: LibraryGeneration, update: LibraryUpdate
    ) -> Refreshed[LibraryGeneration]:
        """Return a state that shares all but the tracks that the log names."""
        present, old = update.present, current.columns
        rows = self._rows(current, present)
        size = max([len(old.sizes), *(row + 1 for row in rows.values())])
        sizes, mtimes = _grown(old.sizes, size), _grown(old.mtimes_ns, size)
        later = dict(old.later)
        new_sizes, new_times = self._sizes(present), shown_times(present, plain=self._plain)
        gone = update.named - rows.keys()
        for position, row in enumerate(rows.values()):
            sizes[row], mtimes[row] = new_sizes[position], new_times[position]
            later[row] = (present, position)
        for track_id in gone:
            row_of_gone = self._row(current, track_id)
            if row_of_gone is not None:
                sizes[row_of_gone] = 0
        library = current.library.changed(present, update.named, rows.__getitem__)
        columns = TrackColumns(old.snapshot, sizes, mtimes, later)
        generation = self._make(current.number + 1, library, columns, current.extras)
        self._companions_behind = _has_companions(current)
        names = changed_names(current.tree, generation.tree)
        return Refreshed(generation, names, full=False)

    def _rows(self, current: LibraryGeneration, present: LibrarySnapshot) -> dict[int, int]:
        """Return the row of each present track, by track_id in order of position."""
        rows: dict[int, int] = {}
        following = len(current.columns.sizes)
        for track_id in present.track_ids.tolist():
            row = self._row(current, track_id)
            if row is None:
                row, following = following, following + 1
            rows[track_id] = row
        return rows

    def _row(self, current: LibraryGeneration, track_id: int) -> int | None:
        row = current.row_of(track_id)
        if row is not None:
            return row
        for later_row, (snapshot, position) in current.columns.later.items():
            if snapshot.track_ids[position] == track_id:
                return later_row
        return None


def _has_companions(generation: LibraryGeneration) -> bool:
    """Say whether a change of tracks may move something beside them."""
    extras = generation.extras
    plan = extras.plan if isinstance(extras, CompanionFiles) else None
    return plan is not None and not plan.placements.is_empty()


def _grown(column: Int64s, size: int) -> Int64s:
    grown = np.zeros(size, np.int64)
    grown[: len(column)] = column
    return grown
