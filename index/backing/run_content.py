"""Content through data runs: plain, sparse, compressed or lying in the record itself."""

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from itertools import accumulate
from types import TracebackType
from typing import Self

from musefs.index.backing.content import Stamp
from musefs.index.backing.lznt1 import CorruptCompressionError, decompress
from musefs.index.errors import BackingReadError

ReadBytes = Callable[[int, int], bytes]
"""Reads (byte offset on the volume, length)."""

HOLE = -1
"""The offset of a run that is not on the disk and reads as zeros."""

UNITS_KEPT = 16
"""Decompressed units kept per open file: 16 x 64 KiB covers the kernel's read-ahead window."""


class RunMap:
    """Maps logical offsets of a file to the volume and reads across run borders."""

    def __init__(self, runs: tuple[tuple[int, int], ...], read: ReadBytes) -> None:
        self._runs = runs
        self._read = read
        self._starts = [0, *accumulate(length for _, length in runs)]

    @property
    def length(self) -> int:
        """Bytes that the runs cover, holes included."""
        return self._starts[-1]

    def pieces(self, offset: int, length: int) -> list[tuple[int, int]]:
        """Return the (volume offset or HOLE, length) that cover a logical range."""
        end = min(offset + length, self.length)
        index = bisect_right(self._starts, offset) - 1
        found: list[tuple[int, int]] = []
        while offset < end:
            physical, run_length = self._runs[index]
            skip = offset - self._starts[index]
            take = min(run_length - skip, end - offset)
            found.append((HOLE if physical == HOLE else physical + skip, take))
            offset += take
            index += 1
        return found

    def read(self, offset: int, length: int) -> bytes:
        """Read a logical range; a range past the runs is short."""
        return b"".join(self.read_piece(*piece) for piece in self.pieces(offset, length))

    def read_piece(self, physical: int, length: int) -> bytes:
        """Read one piece of `pieces`; the volume ending inside it is an error."""
        if physical == HOLE:
            return bytes(length)
        data = self._read(physical, length)
        if len(data) != length:
            raise BackingReadError(f"the volume ends inside the run at byte {physical}")
        return data


class _VolumeContent:
    """What all contents of a volume share: a size, a way to ask for the stamp, no descriptor."""

    def __init__(self, size: int, restamp: Callable[[], Stamp]) -> None:
        self._size = size
        self._restamp = restamp

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._size

    @property
    def descriptor(self) -> int | None:
        """None: no file descriptor has just these bytes."""
        return None

    def stamp(self) -> Stamp:
        """Return the stamp that the file's record gives now."""
        return self._restamp()

    def close(self) -> None:
        """Nothing to release: the device belongs to the backing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class ResidentContent(_VolumeContent):
    """A small file whose bytes lie in its FILE record."""

    def __init__(self, data: bytes, stamp: Stamp, restamp: Callable[[], Stamp]) -> None:
        super().__init__(stamp.size, restamp)
        self._data = data

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`."""
        return self._data[offset : offset + length]


class RunContent(_VolumeContent):
    """A plain or sparse file."""

    def __init__(
        self, runs: RunMap, size: int, valid_size: int, restamp: Callable[[], Stamp]
    ) -> None:
        super().__init__(size, restamp)
        self._runs = runs
        self._valid = min(valid_size, size)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes; what was never written reads as zeros."""
        end = min(offset + length, self._size)
        if offset >= end:
            return b""
        written = max(0, min(end, self._valid) - offset)
        data = self._read_written(offset, written) if written else b""
        if len(data) < written:
            raise BackingReadError("its data runs end before its content does")
        return data + bytes(end - offset - len(data))

    def _read_written(self, offset: int, length: int) -> bytes:
        return self._runs.read(offset, length)


class CompressedContent(RunContent):
    """An NTFS-compressed file: units of clusters, each stored, empty or LZNT1."""

    def __init__(
        self,
        runs: RunMap,
        size: int,
        valid_size: int,
        restamp: Callable[[], Stamp],
        unit_bytes: int,
    ) -> None:
        super().__init__(runs, size, valid_size, restamp)
        self._unit_bytes = unit_bytes
        self._units: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def _read_written(self, offset: int, length: int) -> bytes:
        first, last = offset // self._unit_bytes, (offset + length - 1) // self._unit_bytes
        data = b"".join(self._unit(number) for number in range(first, last + 1))
        skip = offset - first * self._unit_bytes
        return data[skip : skip + length]

    def _unit(self, number: int) -> bytes:
        with self._lock:
            if number in self._units:
                self._units.move_to_end(number)
                return self._units[number]
        plain = self._decode(number)
        with self._lock:
            self._units[number] = plain
            while len(self._units) > UNITS_KEPT:
                self._units.popitem(last=False)
        return plain

    def _decode(self, number: int) -> bytes:
        pieces = self._runs.pieces(number * self._unit_bytes, self._unit_bytes)
        real = [piece for piece in pieces if piece[0] != HOLE]
        data = b"".join(self._runs.read_piece(*piece) for piece in real)
        if len(real) == len(pieces):
            return data
        if not real:
            return bytes(self._unit_bytes)
        try:
            return decompress(data, self._unit_bytes)
        except CorruptCompressionError as error:
            raise BackingReadError(f"compression unit {number} is damaged: {error}") from error
