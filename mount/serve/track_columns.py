"""Sizes and times of all tracks by row, and which loaded state of the index describes each row.

A row is a track's for the life of a mount, or until everything is built anew: its position in the
first snapshot, and numbers behind for tracks that came later. A change makes new columns that
share the snapshots; little snapshots of many changes are gathered into one now and then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from musefs.index.read.few_tracks import FEW_TRACKS
from musefs.index.read.snapshot import LibrarySnapshot, LibraryUpdate

Int64s = npt.NDArray[np.int64]
_NS = 1_000_000_000

Place = tuple[LibrarySnapshot, int]
"""A snapshot and a position in it."""


@dataclass(frozen=True, slots=True)
class TrackColumns:
    """The columns of one state."""

    snapshot: LibrarySnapshot
    sizes: Int64s
    mtimes_ns: Int64s
    later: Mapping[int, Place] = field(default_factory=dict[int, Place])
    """Rows that changed or came after the snapshot: what describes them now."""
    new_rows: Mapping[int, int] = field(default_factory=dict[int, int])
    """Rows of tracks that the snapshot does not have, by track_id."""
    little: int = 0
    """Changes of a few tracks whose snapshots have not been gathered into one."""

    def find(self, row: int) -> Place:
        """Return the snapshot that describes a row now, and the position in it."""
        return self.later.get(row) or (self.snapshot, row)

    def row_of(self, track_id: int) -> int | None:
        """Return the row of a track; None for one that was never here."""
        row = self.snapshot.position(track_id)
        return self.new_rows.get(track_id) if row is None else row

    def rows_for(self, track_ids: Iterable[int]) -> dict[int, int]:
        """Return the row of each track; new tracks get the following rows."""
        rows: dict[int, int] = {}
        following = len(self.sizes)
        for track_id in track_ids:
            row = self.row_of(track_id)
            if row is None:
                row, following = following, following + 1
            rows[track_id] = row
        return rows

    def changed(self, change: LibraryUpdate, sizes: Int64s, mtimes_ns: Int64s) -> Self:
        """Return the columns after a change; sizes and times are of its present tracks."""
        present = change.present
        rows = self.rows_for(present.track_ids.tolist())
        grown = max([len(self.sizes), *(row + 1 for row in rows.values())])
        all_sizes, all_times = _grown(self.sizes, grown), _grown(self.mtimes_ns, grown)
        later = dict(self.later)
        for track_id in change.named.difference(rows):  # gone
            if (row := self.row_of(track_id)) is not None:
                all_sizes[row] = 0
                later.pop(row, None)
        for position, row in enumerate(rows.values()):
            all_sizes[row], all_times[row] = sizes[position], mtimes_ns[position]
            later[row] = (present, position)
        first = len(self.sizes)
        new_rows = {track_id: row for track_id, row in rows.items() if row >= first}
        return replace(
            self,
            sizes=all_sizes,
            mtimes_ns=all_times,
            later=later,
            new_rows={**self.new_rows, **new_rows} if new_rows else self.new_rows,
            little=0 if change.gathers else self.little + (len(rows) <= FEW_TRACKS),
        )

    def loose(self, limit: int) -> frozenset[int]:
        """Return the tracks to read again, so that one snapshot describes them; mostly none."""
        if self.little < limit:
            return frozenset()
        little = {
            id(snapshot): snapshot
            for snapshot, _ in self.later.values()
            if len(snapshot.track_ids) <= FEW_TRACKS
        }
        return frozenset(
            track_id for snapshot in little.values() for track_id in snapshot.track_ids.tolist()
        )


def shown_times(snapshot: LibrarySnapshot, *, plain: bool) -> Int64s:
    """Return the modification times that tracks show, in nanoseconds.

    A synthesised file changes with its original and with its tags, so it shows the later of both,
    with the content version as nanoseconds: two edits in one second are told apart by rsync too.
    """
    # in Polars: the first cast of an Arrow column imports pyarrow.compute, which takes longer
    tracks = pl.DataFrame(
        snapshot.tracks.select(["mtime_ns", "updated_at", "content_version", "synthesised"])
    )
    own = pl.col("mtime_ns")
    edited = pl.col("updated_at").dt.epoch("s")
    shown = pl.max_horizontal(own // _NS, edited) * _NS + pl.col("content_version") % _NS
    times = own if plain else pl.when("synthesised").then(shown).otherwise(own)
    return np.array(tracks.select(times.alias("shown")).to_series().to_numpy(), np.int64)


def _grown(column: Int64s, size: int) -> Int64s:
    grown = np.zeros(size, np.int64)
    grown[: len(column)] = column
    return grown
