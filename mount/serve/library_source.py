"""From an index file to states of a library: the first, and each that follows an edit or a scan.

A change of a few tracks replays the change log and touches only them. Whenever that cannot give
exactly what a fresh build would give, everything is built anew: the log has a gap (counted), a
path may depend on other tracks, tracks are chosen by a condition, or changes have piled up.
"""

import logging
from contextlib import suppress

import numpy as np
import polars as pl

from musefs.index.backing.content import ContentRef
from musefs.index.counters import Counter, degrade
from musefs.index.errors import MediaFormatError
from musefs.index.read.follow import IndexFollower
from musefs.index.read.load import identity
from musefs.index.read.snapshot import Gap, LibrarySnapshot, LibraryUpdate
from musefs.index.read.stored_pictures import StoredPictures
from musefs.mount.companions.files import load_companion_files
from musefs.mount.formats.from_index import size_columns, track_source
from musefs.mount.formats.sizes import served_sizes
from musefs.mount.formats.synthesise import served_size
from musefs.mount.library import Library
from musefs.mount.naming import Naming
from musefs.mount.plan import Mode, MountPlan
from musefs.mount.selection import load_selected
from musefs.mount.serve.companion_files import CompanionFiles, without_files
from musefs.mount.serve.devices import Devices
from musefs.mount.serve.library_generation import (
    Extras,
    LibraryGeneration,
    changed_names,
)
from musefs.mount.serve.opening import Opener
from musefs.mount.serve.originals import find_originals, needs_contents
from musefs.mount.serve.refresh import Refreshed
from musefs.mount.serve.statfs import free_bytes_below
from musefs.mount.serve.track_columns import Int64s, TrackColumns, shown_times

LARGEST_CHANGE = 20_000
"""Tracks in one change beyond which building everything is faster than changing the tree."""

PILED_UP = 50_000
"""Changed rows since the last whole build, beyond which everything is built anew."""

LOOSE_SNAPSHOTS = 64
"""Little snapshots since the last whole build, beyond which the next look reads their tracks again
into one: each holds some 20 KB however few tracks it has."""

SIZED_ONE_BY_ONE = 24
"""Tracks up to which sizes are taken from their layouts: columns cost 6 ms, a layout 0.1 to 0.2."""

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
        self._follower = IndexFollower(plan.index, with_contents=self._contents)
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
        """Release the volume and the memory of looks at the index."""
        self._originals.close()
        self._follower.close()

    # what the refresher needs

    def identity(self) -> object:
        """Return what tells this state of the index from others; opens nothing.

        After a change of a few tracks it differs once more: covers and other companions follow
        with a whole build at the first look at which nothing else changed.
        """
        return identity(self._plan.index), self._companions_behind

    def prepare(self) -> None:
        """Make what the first look at an edit needs, while nobody waits for it."""
        self._follower.prepare()

    def update(self, current: LibraryGeneration) -> Refreshed[LibraryGeneration] | None:
        """Return the next state, from the change log where that is exact."""
        if self._plan.naming.where is not None:
            return self._rebuild_if_changed(current)
        update = self._follower.update(self._since, current.columns.loose(LOOSE_SNAPSHOTS))
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
            lambda placed: companions.place(placed, files, extras, self._plan.naming),
        )
        if extras.playlists:
            library = companions.add_playlists(library, self._read_whole)
        self._companions_behind = False
        snapshot.let_go_of_pages()
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
        """Return the files beside tracks, with their data runs if the volume itself is read."""
        extras = self._plan.extras
        if not (extras.sidecars or extras.playlists):
            return without_files()
        return load_companion_files(self._plan.index, with_contents=self._contents)

    def _read_whole(self, ref: ContentRef) -> bytes:
        with self._originals.opener(Devices()).open(ref).content as content:
            return content.read_at(0, content.size)

    def _sizes(self, snapshot: LibrarySnapshot) -> Int64s:
        if self._plain:
            return np.array(snapshot.tracks.column("size").to_numpy(), np.int64)
        if (count := len(snapshot.track_ids)) <= SIZED_ONE_BY_ONE:
            with suppress(MediaFormatError):  # the columns know what to show for it
                sizes = [served_size(track_source(snapshot, at)) for at in range(count)]
                return np.array(sizes, np.int64)
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
        present = update.present
        sizes, times = self._sizes(present), shown_times(present, plain=self._plain)
        columns = current.columns.changed(update, sizes, times)
        rows = columns.rows_for(present.track_ids.tolist())
        library = current.library.changed(present, update.named, rows.__getitem__)
        generation = self._make(current.number + 1, library, columns, current.extras)
        self._companions_behind = _has_companions(current)
        names = changed_names(current.tree, generation.tree)
        return Refreshed(generation, names, full=False)


def _has_companions(generation: LibraryGeneration) -> bool:
    """Say whether a change of tracks may move something beside them."""
    extras = generation.extras
    plan = extras.plan if isinstance(extras, CompanionFiles) else None
    return plan is not None and not plan.placements.is_empty()
