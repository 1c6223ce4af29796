"""An entry's bytes as a read-only, seekable content, wherever they come from.

Two backings give them: a mounted path, or the volume itself through the data runs that the scan
kept. Both check the stamp when a content is opened; nobody here follows a changed file.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import NamedTuple, Protocol, Self


class ContentKind(StrEnum):
    """Where the bytes of an entry's unnamed $DATA are, or why they cannot be had."""

    RESIDENT = "resident"
    RUNS = "runs"
    COMPRESSED = "compressed"
    ENCRYPTED = "encrypted"
    DEDUPLICATED = "deduplicated"
    CLOUD = "cloud"
    WOF = "wof"
    DAMAGED = "damaged"


class Stamp(NamedTuple):
    """What must still hold for the bytes of an original to be those that were scanned.

    On a mounted path all but `lsn` are compared (a ctime or inode of 0 was not known at the scan
    and is not compared); on a raw volume the record's sequence, `lsn` and size.
    A tuple, because a mount makes one at every open.
    """

    size: int
    mtime_ns: int
    ctime_ns: int = 0
    inode: int = 0
    lsn: int = 0


@dataclass(frozen=True, slots=True)
class ContentRef:
    """Which content is meant: enough for either backing to find and check it."""

    path: bytes
    """Path below the volume's root, exact bytes, beginning with a slash."""
    record_number: int
    sequence: int
    stamp: Stamp
    kind: ContentKind = ContentKind.RUNS
    valid_size: int = 0
    unit_clusters: int = 0
    resident: bytes | None = None
    runs: tuple[tuple[int, int], ...] = ()
    """(byte offset on the volume, length) in order; offset -1 is a hole."""


class Content(Protocol):
    """One opened original. Threads may share it: there is no position."""

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    @property
    def descriptor(self) -> int | None:
        """The file descriptor whose bytes are this content one to one, if there is one."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end."""
        ...

    def stamp(self) -> Stamp:
        """Return what the original's stamp is now."""
        ...

    def close(self) -> None:
        """Release the content."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Backing(Protocol):
    """Where contents are opened."""

    def open(self, ref: ContentRef) -> Content:
        """Open and check the stamp.

        Raises BackingMissingError, BackingChangedError, BackingReadError or ContentRefusedError.
        """
        ...

    def stamp(self, ref: ContentRef) -> Stamp:
        """Return what the original's stamp is now without opening it."""
        ...
