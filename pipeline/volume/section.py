"""A part of another volume, such as one partition of a whole-disk image."""

from types import TracebackType
from typing import Self

from musefs.pipeline.volume.seam import Volume


class Section:
    """Bytes `offset` to `offset + size` of `whole`, which it owns; implements `Volume`."""

    def __init__(self, whole: Volume, offset: int, size: int) -> None:
        """Take over `whole`; a size past its end is cut."""
        self._whole = whole
        self._offset = offset
        self._size = max(0, min(size, whole.size - offset))

    @property
    def source(self) -> str:
        """The source of the whole."""
        return self._whole.source

    @property
    def size(self) -> int:
        """Length of the section in bytes."""
        return self._size

    @property
    def sector_bytes(self) -> int:
        """The sector size of the whole."""
        return self._whole.sector_bytes

    @property
    def partition_offset(self) -> int:
        """Where the section begins in the outermost source."""
        return self._whole.partition_offset + self._offset

    @property
    def is_live(self) -> bool:
        """Whether the whole is live."""
        return self._whole.is_live

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` from `offset` of the section; never beyond its end."""
        room = max(0, min(len(buffer), self._size - offset))
        return self._whole.read_at(self._offset + offset, buffer[:room]) if room else 0

    def close(self) -> None:
        """Close the whole."""
        self._whole.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
