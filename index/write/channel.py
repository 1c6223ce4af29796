"""A bounded queue that its consumer can close: the only way to the writer's thread.

Unlike `queue.Queue`, a producer that waits for room is woken with an error when the consumer
dies, and a consumer is woken when no more will come. A blocking `put` is the back-pressure that
reaches the thread which reads the disk.
"""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class ChannelClosed(Exception):  # noqa: N818 - a state, not a failure; never leaves this package
    """Nothing can be put any more."""


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """How full a channel is and was."""

    used: int
    """Items waiting now."""
    capacity: int
    """Items that may wait."""
    peak: int
    """Most items that ever waited."""
    waiting_producers: int
    """Threads that wait for room now."""
    blocked_puts: int
    """How often a producer had to wait for room."""


class Channel(Generic[T]):
    """First in, first out; at most `capacity` items wait."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._peak = 0
        self._waiting = 0
        self._blocked = 0

    def put(self, item: T) -> None:
        """Add an item, waiting for room; raises ChannelClosed if there will be none."""
        with self._changed:
            if len(self._items) >= self._capacity and not self._closed:
                self._blocked += 1
                self._waiting += 1
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed or len(self._items) < self._capacity)
                self._waiting -= 1
            if self._closed:
                raise ChannelClosed
            self._items.append(item)
            self._peak = max(self._peak, len(self._items))
            self._changed.notify_all()

    def get(self) -> T | None:
        """Take the oldest item, waiting for one; None when closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._items))
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Let nothing more in; items that wait can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_until_blocked(self, timeout_seconds: float) -> bool:
        """Wait until a producer waits for room; for tests and for progress displays."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._waiting > 0 and len(self._items) >= self._capacity, timeout_seconds
            )

    def statistics(self) -> ChannelStatistics:
        """Return how full the channel is and was."""
        with self._changed:
            return ChannelStatistics(
                len(self._items), self._capacity, self._peak, self._waiting, self._blocked
            )
