"""The one thing the scan knows of a source of bytes: positioned reads into a buffer.

Implementations: files and Linux block devices (`device`), a part of another volume (`section`),
Windows volumes, partitions. All reads are positioned, so threads may share a volume.
"""

from types import TracebackType
from typing import Protocol, Self


class Volume(Protocol):
    """An open source of raw bytes."""

    @property
    def source(self) -> str:
        """What it is, in the words the user gave."""
        ...

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    @property
    def sector_bytes(self) -> int:
        """The sector size of the device; 512 where there is none."""
        ...

    @property
    def partition_offset(self) -> int:
        """First byte inside the source; 0 unless this is a partition of it."""
        ...

    @property
    def is_live(self) -> bool:
        """Whether the bytes may change while they are read (a mounted device)."""
        ...

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` from `offset`; return the bytes read, fewer only at the end.

        Raises OSError as the system gave it; the caller knows what was being read.
        """
        ...

    def close(self) -> None:
        """Release the source."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
