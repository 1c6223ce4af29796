"""Reading ahead in threads, for stores that answer slowly but can answer several at a time.

Off unless asked for: where a store is not latency-bound the threads only compete with readers. Two
threads take windows from a short queue; nobody ever waits for the queue. A window is fetched once:
the stream's watermark, moved under its lock, says up to where windows were asked for. What was
asked for before a seek or a release is void by its epoch, and nothing is fetched without room in
the budget.
"""

import queue
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from musefs.index.counters import Counter, degrade
from musefs.index.errors import MusefsError

if TYPE_CHECKING:
    from musefs.mount.serve.read_ahead import Stream

THREADS = 2
QUEUED_WINDOWS = 8
DEEPEST = 4
"""Windows ahead of a reader, at most."""


def depth_of(cap_bytes: int, window_bytes: int) -> int:
    """Return how many windows to fetch ahead."""
    return max(1, min(cap_bytes // max(window_bytes, 1), DEEPEST))


class Prefetcher:
    """The threads and their queue."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[tuple[Stream, int, int, int] | None] = queue.Queue(QUEUED_WINDOWS)
        self._threads = [
            threading.Thread(target=self._serve, name=f"musefs-prefetch-{number}", daemon=True)
            for number in range(1, THREADS + 1)
        ]
        self.fetched = 0
        self.dropped = 0

    def submit(self, stream: "Stream", epoch: int, start: int, length: int) -> bool:
        """Ask for a window; False if too much is asked for already."""
        try:
            self._jobs.put_nowait((stream, epoch, start, length))
        except queue.Full:
            self.dropped += 1
            return False
        return True

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(timeout=1)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            stream, epoch, start, length = job
            try:
                if stream.fetch(epoch, start, length):
                    self.fetched += 1
                else:
                    self.dropped += 1
            except (OSError, MusefsError) as error:
                # the reader will meet the same error and answer with it
                degrade(Counter.READ_ERRORS, "reading ahead failed: %s", error)
