"""A rotating disk that counts what it would take, on a clock that nobody waits for.

The model: a seek costs what a drive of 8 ms average takes for its distance (the square root law
between a track to the next and the full stroke), reading costs 150 MB/s. Rotation is left out:
it is the same for every order.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from math import sqrt

AVERAGE_SEEK_SECONDS = 0.008
"""Of random places, which are a third of the disk apart."""

NEXT_TRACK_SECONDS = 0.0008
BYTES_PER_SECOND = 150e6
NEAR_BYTES = 128 * 1024
"""What the drive's own read-ahead bridges without a seek."""


@dataclass
class SpinningDisk:
    """A source of bytes with a head; the bytes are made from a function of the place."""

    size: int
    pieces: dict[int, bytes] = field(default_factory=dict)
    """File contents by their first byte on the disk."""
    seconds: float = 0.0
    seeks: int = 0
    head: int = 0
    _sorted: list[int] = field(default_factory=list)

    def read_at(self, offset: int, length: int) -> bytes:
        self._move(offset)
        self.seconds += length / BYTES_PER_SECOND
        self.head = offset + length
        starts = self._starts()
        number = bisect_right(starts, offset) - 1
        if number < 0:
            return bytes(length)
        first = starts[number]
        return self.pieces[first][offset - first : offset - first + length].ljust(length, b"\0")

    def _starts(self) -> list[int]:
        if len(self._sorted) != len(self.pieces):
            self._sorted = sorted(self.pieces)
        return self._sorted

    def _move(self, offset: int) -> None:
        distance = abs(offset - self.head)
        if 0 <= offset - self.head <= NEAR_BYTES:
            self.seconds += distance / BYTES_PER_SECOND
            return
        stroke = sqrt(distance / (self.size / 3))
        self.seconds += NEXT_TRACK_SECONDS + (AVERAGE_SEEK_SECONDS - NEXT_TRACK_SECONDS) * stroke
        self.seeks += 1

    def close(self) -> None:
        pass
