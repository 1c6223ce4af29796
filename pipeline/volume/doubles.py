"""Volumes for tests, shipped so that nobody patches: in memory, counting, failing, blocking."""

import errno
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class MemoryVolume:
    """Bytes in memory; counts reads and can be told to fail or to wait. Implements `Volume`."""

    def __init__(
        self,
        content: bytes,
        *,
        source: str = "memory",
        sector_bytes: int = 512,
        is_live: bool = False,
        before_read: Callable[[int, int], None] | None = None,
        error_ranges: tuple[range, ...] = (),
        error_number: int = errno.EIO,
    ) -> None:
        """`before_read(offset, length)` may raise or block; `error_ranges` are bad sectors."""
        self.content = content
        self.reads: list[tuple[int, int]] = []
        self.threads: set[str] = set()
        self.is_closed = False
        self._source = source
        self._sector_bytes = sector_bytes
        self._is_live = is_live
        self._before_read = before_read
        self._error_ranges = error_ranges
        self._error_number = error_number

    @property
    def source(self) -> str:
        """The name given."""
        return self._source

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.content)

    @property
    def sector_bytes(self) -> int:
        """The sector size given."""
        return self._sector_bytes

    @property
    def partition_offset(self) -> int:
        """Always 0."""
        return 0

    @property
    def is_live(self) -> bool:
        """As given."""
        return self._is_live

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """Copy bytes out, or fail as told."""
        self.reads.append((offset, len(buffer)))
        self.threads.add(threading.current_thread().name)
        if self._before_read is not None:
            self._before_read(offset, len(buffer))
        end = offset + len(buffer)
        if any(offset < bad.stop and bad.start < end for bad in self._error_ranges):
            raise OSError(self._error_number, "injected read error")
        piece = self.content[offset:end]
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Note that it was closed."""
        self.is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
