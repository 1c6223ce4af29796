"""Contents that live in memory, for tests of whatever reads originals."""

from types import TracebackType
from typing import Self

from musefs.index.backing.content import Stamp


class MemoryContent:
    """An original made of bytes; counts what was read from it."""

    def __init__(self, data: bytes, descriptor: int | None = None) -> None:
        self.data = data
        self.reads: list[tuple[int, int]] = []
        self.closed = False
        self._descriptor = descriptor

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def descriptor(self) -> int | None:
        return self._descriptor

    @property
    def read_bytes(self) -> int:
        return sum(length for _, length in self.reads)

    def read_at(self, offset: int, length: int) -> bytes:
        self.reads.append((offset, length))
        return self.data[offset : offset + length]

    def stamp(self) -> Stamp:
        return Stamp(size=len(self.data), mtime_ns=0)

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
