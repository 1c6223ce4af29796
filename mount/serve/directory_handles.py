"""Open directories: each keeps the listing it began with, so a refresh never shifts one.

Offsets are position + 1. Reading from offset 0 again (`rewinddir`) takes a new listing. Over the
capacity a directory is opened all the same, under the handle 0, and each read of it makes the
listing anew: refusing would make walkers lose whole folders.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from musefs.index.counters import Counter, degrade
from musefs.mount.serve.generation import Generation

DIRECTORY_CAPACITY = 16_384
"""Listings kept at once; each pins one state of the library and a range of nodes."""

WITHOUT_LISTING = 0
"""The handle of a directory that was opened when the table was full."""


@dataclass(slots=True, eq=False)
class Listing:
    """The children of one directory in one state of the library."""

    inode: int
    generation: Generation
    children: Sequence[int]


class DirectoryTable:
    """All open directories by handle number."""

    def __init__(self, capacity: int = DIRECTORY_CAPACITY) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._open: dict[int, Listing] = {}
        self._last = WITHOUT_LISTING
        self.refused = 0

    def __len__(self) -> int:
        return len(self._open)

    @property
    def capacity(self) -> int:
        """How many listings are kept."""
        return self._capacity

    def add(self, listing: Listing) -> int:
        """Keep a listing and return its handle, or WITHOUT_LISTING when the table is full."""
        with self._lock:
            if len(self._open) >= self._capacity:
                self.refused += 1
                degrade(
                    Counter.DIRECTORY_HANDLES_REFUSED,
                    "more than %d directories are open; this one is listed without a snapshot",
                    self._capacity,
                )
                return WITHOUT_LISTING
            self._last += 1
            self._open[self._last] = listing
            return self._last

    def get(self, number: int) -> Listing | None:
        """Return the listing of a handle."""
        return self._open.get(number)

    def release(self, number: int) -> None:
        """Forget a listing."""
        with self._lock:
            self._open.pop(number, None)
