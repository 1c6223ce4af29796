"""What a mount holds of an index: frozen Arrow tables in the order of track_id.

The tables are memory-mapped from a file that has no name any more: the kernel keeps of them
what is used, and drops the rest when memory is short. One track's rows are a slice.
"""

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from musefs.index.read.cells import Cells

if TYPE_CHECKING:
    import mmap
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What tells one state of a file from another without opening it."""

    device: int
    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class IndexIdentity:
    """The identity of an index and of the journal beside it, which a committed edit grows."""

    database: FileIdentity
    journal: FileIdentity | None


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """The volume of an index, as far as reading its files needs it."""

    kind: str
    source: str
    partition_offset: int
    root_path: str | None
    serial: str | None
    label: str | None
    bytes_per_sector: int | None
    bytes_per_cluster: int | None
    bytes_per_record: int | None
    total_bytes: int | None
    mft_runs: tuple[tuple[int, int], ...]
    """(byte offset on the volume, length) of the $MFT, in order."""


@dataclass(frozen=True, slots=True)
class TrackRows:
    """Rows of many tracks; those of the track at position i are offsets[i] to offsets[i + 1]."""

    rows: "pa.Table"
    offsets: "npt.NDArray[np.int64]"
    _cells: Cells = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_cells", Cells(self.rows))

    def values(self, position: int, names: tuple[str, ...]) -> list[list[Any]]:
        """Return some columns of the rows of the track at `position`; the fast way."""
        begin, end = self.offsets[position : position + 2].tolist()
        return self._cells.rows(begin, end, names)

    def of(self, position: int) -> "pa.Table":
        """Return the rows of the track at `position`, without a copy."""
        start = int(self.offsets[position])
        return self.rows.slice(start, int(self.offsets[position + 1]) - start)

    def positions(self) -> "npt.NDArray[np.int64]":
        """Return for each row the position of its track."""
        import numpy as np

        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


@dataclass(frozen=True, slots=True)
class LibrarySnapshot:
    """One state of a library. Positions are those of `tracks`, which is sorted by track_id."""

    identity: IndexIdentity
    index_id: str
    generation: int
    change_sequence: int
    """Last line of the change log that this state contains."""
    volume: VolumeFacts | None
    tracks: "pa.Table"
    """The columns of the tracks table; enumerations as dictionaries."""
    tags: TrackRows
    """track_id, key (lower case, a dictionary), ordinal, value; by key, then ordinal."""
    art: TrackRows
    """The columns of the art table, by ordinal."""
    blocks: TrackRows
    """The columns of the blocks table, by ordinal."""
    contents: "pa.Table | None"
    """One row a track, as in the contents table; NULL where nothing is known. None: not asked."""
    maps: "Sequence[mmap.mmap]" = field(default=(), repr=False, compare=False)
    """The files that the tables are mapped from."""
    _track_cells: Cells = field(init=False, repr=False, compare=False)
    _content_cells: Cells | None = field(init=False, repr=False, compare=False)
    _track_ids: "npt.NDArray[np.int64]" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_track_cells", Cells(self.tracks))
        cells = None if self.contents is None else Cells(self.contents)
        object.__setattr__(self, "_content_cells", cells)
        # once: joining the batches copies the column
        object.__setattr__(self, "_track_ids", self.tracks.column("track_id").to_numpy())

    def track(self, position: int, names: tuple[str, ...]) -> list[Any]:
        """Return some columns of the track at a position; the fast way."""
        return self._track_cells.row(position, names)

    def content(self, position: int, names: tuple[str, ...]) -> list[Any] | None:
        """Return some columns of where a track's bytes lie; None if that was not asked for."""
        return None if self._content_cells is None else self._content_cells.row(position, names)

    def let_go_of_pages(self) -> None:
        """Give what was looked at so far back to the page cache: it counts as ours no more.

        To be called after work on whole columns; what is needed again is mapped again.
        """
        if sys.platform != "win32":
            import mmap

            for mapped in self.maps:
                mapped.madvise(mmap.MADV_DONTNEED)

    @property
    def track_ids(self) -> "npt.NDArray[np.int64]":
        """The track_id of each position."""
        return self._track_ids

    def position(self, track_id: int) -> int | None:
        """Return the position of a track; None if it is not here."""
        ids = self.track_ids
        found = int(ids.searchsorted(track_id))
        return found if found < len(ids) and int(ids[found]) == track_id else None


@dataclass(frozen=True, slots=True)
class ChangedTracks:
    """Which tracks differ between two states."""

    added: frozenset[int]
    removed: frozenset[int]
    changed: frozenset[int]

    @property
    def all(self) -> frozenset[int]:
        """Every track that differs in any way."""
        return self.added | self.removed | self.changed


@dataclass(frozen=True, slots=True)
class Gap:
    """The change log cannot say what happened; compare in full."""

    reason: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What the change log of an index says since a state."""

    generation: int
    sequence: int
    """Its last line."""
    named: frozenset[int]
    """The tracks that it names."""


@dataclass(frozen=True, slots=True)
class LibraryUpdate:
    """What a change log said, and the present state of the tracks that it named."""

    index_id: str
    generation: int
    change_sequence: int
    named: frozenset[int]
    """All tracks of the log; those that are not in `present` are gone."""
    present: LibrarySnapshot
    gathers: bool = False
    """Whether `present` has tracks besides, that were asked for."""

    @classmethod
    def of(
        cls, present: LibrarySnapshot, named: frozenset[int], also: frozenset[int] = frozenset()
    ) -> "LibraryUpdate":
        """Return the update whose tracks, and those in `also`, were loaded in the same look."""
        return cls(
            present.index_id,
            present.generation,
            present.change_sequence,
            named,
            present,
            bool(also),
        )
