"""Read little of a file: one read of the head, a few of what lies further, all of it counted.

Walkers and tag readers ask for many small ranges; a window answers them from what it has.
"""

from collections.abc import Callable, Sequence
from typing import Final

HEAD_BYTES: Final = 8192
"""First read. 47 of our 54 fixtures need no more than it, the end, and samples of the audio."""

STEP_BYTES: Final = 64
"""Least read elsewhere: who hops from page to page past a picture must not read the picture."""

_NEAR_BYTES: Final = 512

AHEAD_BYTES: Final = 4096
"""Least read right behind the last read: who goes on reading will need the neighbours."""

KEPT_PIECES: Final = 6
"""Pieces kept beside the head: the tail, an atom list, and a few comments between pictures."""

ReadAt = Callable[[int, int], bytes]

Piece = tuple[int, int, bytes]
"""First byte, end and bytes of a stretch that was read."""


class Window:
    """A positioned reader of one content that keeps what it read last."""

    __slots__ = (
        "_head",
        "_head_end",
        "_last_end",
        "_last_first",
        "_pieces",
        "_read_at",
        "bytes_read",
        "size",
    )

    def __init__(
        self,
        read_at: ReadAt,
        size: int,
        head_bytes: int = HEAD_BYTES,
        pieces: Sequence[Piece] = (),
    ) -> None:
        """Begin with the head, or with pieces that a sweep read, of which the first is the head."""
        self._read_at = read_at
        self.size = size
        self._head = pieces[0][2] if pieces else read_at(0, min(size, head_bytes))
        self._head_end = len(self._head)
        self._pieces = list(pieces[1:])
        self._last_first: int = 0
        self._last_end = self._head_end
        self.bytes_read = self._head_end
        if pieces:
            self.bytes_read += sum(end - first for first, end, _ in self._pieces)

    @property
    def head(self) -> bytes:
        """The first bytes of the file."""
        return self._head

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end."""
        end = offset + length
        if end <= self._head_end and offset >= 0:
            return self._head[offset:end]
        if offset < 0 or length <= 0 or offset >= self.size:
            return b""
        end = min(end, self.size)
        for first, last, data in self._pieces:
            if first <= offset and end <= last:
                return data[offset - first : end - first]
        return self._fetch(offset, end - offset)

    def pass_through(self, offset: int, length: int) -> bytes:
        """Read without keeping: for bytes that are used once."""
        for first, last, known in self._pieces:
            if first <= offset and offset + length <= last:
                return known[offset - first : offset - first + length]
        data = self._read_at(offset, length)
        self.bytes_read += len(data)
        return data

    def _fetch(self, offset: int, length: int) -> bytes:
        if offset < self._head_end:
            known = self._head[offset:]
            return known + self.read_at(self._head_end, length - len(known))
        near = self._last_first <= offset < self._last_end + _NEAR_BYTES
        first, wanted = offset, max(length, AHEAD_BYTES if near else STEP_BYTES)
        if first + wanted > self.size - AHEAD_BYTES and wanted <= AHEAD_BYTES:
            first = max(self._head_end, min(first, self.size - AHEAD_BYTES))
            wanted = self.size - first  # the end is asked for several times: all of it at once
        data = self._read_at(first, min(wanted, self.size - first))
        self.bytes_read += len(data)
        if self._pieces and self._last_end - self._last_first <= STEP_BYTES:
            del self._pieces[0]  # of hops only the last is kept
        elif len(self._pieces) >= KEPT_PIECES:
            del self._pieces[-1]
        self._last_first = first
        self._last_end = first + len(data)
        self._pieces.insert(0, (first, self._last_end, data))
        return data[offset - first : offset - first + length]
