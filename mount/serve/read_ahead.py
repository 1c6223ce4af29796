"""Read-ahead for originals whose every read costs a wait: remote folders, raw volumes.

Where the kernel caches the original it also reads ahead, and nothing here is used. Elsewhere each
open file has one window of bytes. A miss where the last window ended doubles the next window, a
miss elsewhere begins again small. All windows together stay below one budget: to grow, a stream
clears the coldest others that nobody is reading from, or takes what is left.
"""

import threading
import time
from types import TracebackType
from typing import Self

from musefs.index.backing.content import Content, Stamp
from musefs.mount.serve.prefetch import Prefetcher, depth_of

FIRST_WINDOW_BYTES = 512 << 10
LARGEST_WINDOW_BYTES = 8 << 20
BUDGET_BYTES = 64 << 20
"""Eight streams at the largest window."""


class Budget:
    """The bytes that all windows together may hold; charged = sum of the windows, always."""

    def __init__(self, limit_bytes: int = BUDGET_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._charged = 0
        self._streams: set[Stream] = set()
        self._hits = 0
        self._misses = 0

    @property
    def window_limit_bytes(self) -> int:
        """The largest window of one stream."""
        return max(FIRST_WINDOW_BYTES, min(self.limit_bytes // 4, LARGEST_WINDOW_BYTES))

    def register(self, stream: "Stream") -> None:
        """Take part; at the first read of a stream."""
        with self._lock:
            self._streams.add(stream)

    def forget(self, stream: "Stream") -> None:
        """Take part no longer; the stream holds nothing any more."""
        with self._lock:
            self._streams.discard(stream)

    def charge(self, wanted: int, asking: "Stream") -> int:
        """Reserve up to `wanted` bytes, clearing colder streams if need be."""
        if wanted > self.limit_bytes - self._charged:
            self._clear_coldest(wanted, asking)
        with self._lock:
            granted = max(0, min(wanted, self.limit_bytes - self._charged))
            self._charged += granted
            return granted

    def charge_free(self, wanted: int) -> int:
        """Reserve `wanted` bytes if they are free now, else nothing."""
        with self._lock:
            if wanted > self.limit_bytes - self._charged:
                return 0
            self._charged += wanted
            return wanted

    def give_back(self, amount: int) -> None:
        """Return what was charged."""
        with self._lock:
            self._charged -= amount

    def count(self, *, hit: bool) -> None:
        """Count a read."""
        with self._lock:
            if hit:
                self._hits += 1
            else:
                self._misses += 1

    def statistics(self) -> dict[str, int]:
        """Return limit, charge, streams, hits and misses."""
        with self._lock:
            return {
                "limit_bytes": self.limit_bytes,
                "charged_bytes": self._charged,
                "streams": len(self._streams),
                "hits": self._hits,
                "misses": self._misses,
            }

    def _clear_coldest(self, wanted: int, asking: "Stream") -> None:
        with self._lock:
            others = sorted(self._streams - {asking}, key=lambda stream: stream.last_used)
        for stream in others:
            if wanted <= self.limit_bytes - self._charged:
                return
            stream.try_clear()


class Stream:
    """An opened original read through a window; itself a content, shared by threads."""

    def __init__(
        self, content: Content, budget: Budget, prefetcher: Prefetcher | None = None
    ) -> None:
        self._content = content
        self._budget = budget
        self._prefetcher = prefetcher
        self._ahead: dict[int, bytes] = {}
        self._watermark = 0
        self._lock = threading.Lock()
        self._start = 0
        self._data = b""
        self._charged = 0
        self._window = FIRST_WINDOW_BYTES
        self._expected = 0
        self._stray_end = -1
        self._registered = False
        self._closed = False
        self.epoch = 0
        """Grows when what was read ahead is of no use any more."""
        self.last_used = 0.0

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._content.size

    @property
    def descriptor(self) -> int | None:
        """None, so that nobody reads past the window."""
        return None

    @property
    def window_bytes(self) -> int:
        """How much the next miss in sequence reads."""
        return self._window

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`, from the window if it has them all."""
        return bytes(self.view_at(offset, length))

    def view_at(self, offset: int, length: int) -> memoryview:
        """Return what `read_at` does without a copy: one would hold the interpreter meanwhile.

        The view keeps its window in memory, uncounted, until the reply is written.
        """
        if self._budget.limit_bytes == 0:
            return memoryview(self._content.read_at(offset, length))
        length = max(0, min(length, self.size - offset))
        with self._lock:
            self.last_used = time.monotonic()
            found = self._find(offset, length)
            self._budget.count(hit=found is not None)
            if found is not None:
                return found
            if self._is_stray(offset, length):
                return memoryview(self._content.read_at(offset, length))
            return self._fill(offset, length)

    def stamp(self) -> Stamp:
        """Return what the original's stamp is now."""
        return self._content.stamp()

    def void(self) -> None:
        """Make what is being read ahead worthless: the handle was released."""
        self.epoch += 1

    def fetch(self, epoch: int, start: int, length: int) -> bool:
        """Read a window ahead into free budget; False if it is of no use any more."""
        if epoch != self.epoch or self._closed or start < self._expected:
            return False  # a seek, the end, or the reader was faster
        if self._budget.charge_free(length) < length:
            return False
        data = b""
        try:
            data = self._content.read_at(start, length)
        finally:
            self._budget.give_back(length - len(data))
        with self._lock:
            if epoch == self.epoch and not self._closed:
                self._ahead[start] = data
                return True
        self._budget.give_back(len(data))
        return False

    def try_clear(self) -> None:
        """Give the window back unless somebody is reading."""
        if self._lock.acquire(blocking=False):
            try:
                self._drop()
            finally:
                self._lock.release()

    def close(self) -> None:
        """Give everything back and close the original."""
        with self._lock:
            self._closed = True
            self._drop()
        self._budget.forget(self)
        self._content.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _find(self, offset: int, length: int) -> memoryview | None:
        self._move_on(offset)
        begin = offset - self._start
        if begin < 0 or begin + length > len(self._data):
            return None
        return memoryview(self._data)[begin : begin + length]

    def _move_on(self, offset: int) -> None:
        """Make a window that was fetched ahead the current one when the reader reaches it."""
        if not self._ahead or self._start <= offset < self._start + len(self._data):
            return
        for start, data in self._ahead.items():
            if start <= offset < start + len(data):
                self._budget.give_back(self._charged)
                del self._ahead[start]
                self._start, self._data, self._charged = start, data, len(data)
                self._expected = start + len(data)
                self._ask_ahead()
                return

    def _ask_ahead(self) -> None:
        """Have windows fetched up to some windows beyond the current one."""
        if self._prefetcher is None:
            return
        frontier = self._expected
        self._watermark = max(self._watermark, frontier)
        cap = self._budget.window_limit_bytes
        goal = min(frontier + depth_of(cap, self._window) * self._window, self.size)
        while self._watermark < goal:
            length = min(self._window, self.size - self._watermark)
            if not self._prefetcher.submit(self, self.epoch, self._watermark, length):
                return
            self._watermark += length

    def _is_stray(self, offset: int, length: int) -> bool:
        """Tell a late request from just before the window; the second in a row is a seek.

        The kernel sends several requests of one reader at once, and threads may swap them.
        """
        late = self._start - LARGEST_WINDOW_BYTES <= offset < self._start
        if not late or offset == self._stray_end:
            return False
        self._stray_end = offset + length
        return True

    def _fill(self, offset: int, length: int) -> memoryview:
        """Read a window that begins where the last one ended, if `offset` lies in reach."""
        if not self._registered:
            self._registered = True
            self._budget.register(self)
        in_sequence = self._expected <= offset < self._expected + self._window
        if in_sequence:
            start = self._expected
            if self._data:
                self._window = min(2 * self._window, self._budget.window_limit_bytes)
        else:
            start = offset
            self._window = FIRST_WINDOW_BYTES
            self.epoch += 1
            self._watermark = 0
        self._drop()
        end = min(max(start + self._window, offset + length), self.size)
        granted = self._budget.charge(end - start, self)
        if start + granted < offset + length or self._closed:
            self._budget.give_back(granted)
            return memoryview(self._content.read_at(offset, length))
        self._charged = granted
        try:
            self._data = self._content.read_at(start, granted)
        except BaseException:
            self._drop()
            raise
        self._budget.give_back(granted - len(self._data))
        self._charged = len(self._data)
        self._start = start
        self._expected = start + len(self._data)
        self._ask_ahead()
        begin = offset - start
        return memoryview(self._data)[begin : begin + length]

    def _drop(self) -> None:
        self._budget.give_back(self._charged + sum(map(len, self._ahead.values())))
        self._ahead.clear()
        self._charged = 0
        self._data = b""
