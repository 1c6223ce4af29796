"""Threads for work that may wait for a disk, so that the loop never does.

Work is handed over in lanes, one for each open file: a lane uses at most LANE_WIDTH threads at
once, so a file on a stalled disk holds a few threads and every other reader finds a free one.
What happens with a result is the caller's business: `done` is called in the pool's thread.
"""

import errno
import logging
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")

POOL_THREADS = 48
"""Enough for a dozen slow files at a time; each thread costs about 40 KiB resident."""

LANE_WIDTH = 4
"""Requests of one file that are worked on at once; more only wait for the same disk."""

PENDING_LIMIT = 4096
"""Jobs that may wait; the kernel's own limit of background requests is far below."""

_log = logging.getLogger(__name__)


class Job(Generic[T]):
    """One piece of work and, afterwards, its result or its error."""

    __slots__ = ("_done", "_work", "error", "lane", "result")

    def __init__(self, lane: int, work: Callable[[], T], done: "Callable[[Job[T]], None]") -> None:
        self.lane = lane
        self.result: T | None = None
        self.error: BaseException | None = None
        self._work = work
        self._done = done

    def run(self) -> None:
        """Do the work; an error of any kind is handed on, never lost."""
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001 - a thread's border; raised by the caller
            self.error = error

    def finish(self) -> None:
        """Tell the caller."""
        try:
            self._done(self)
        except Exception as error:  # noqa: BLE001 - as above: the thread must go on
            _log.error("the result of a read could not be handed over", exc_info=error)


AnyJob = Job[object]


class Pool:
    """A bounded number of named threads, started when first needed."""

    def __init__(self, threads: int = POOL_THREADS, *, name: str = "musefs-wait") -> None:
        self._limit = threads
        self._name = name
        self._lock = threading.Condition()
        self._runnable: deque[AnyJob] = deque()
        self._active_in: dict[int, int] = {}
        self._held_back: dict[int, deque[AnyJob]] = {}
        self._held = 0
        self._active = 0
        self._idle = 0
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, lane: int, work: Callable[[], T], done: Callable[[Job[T]], None]) -> None:
        """Have `work` done soon; raises EAGAIN as OSError when too much waits already."""
        job: Job[T] = Job(lane, work, done)
        with self._lock:
            if self._closed or len(self._runnable) + self._held >= PENDING_LIMIT:
                raise OSError(errno.EAGAIN, "too many requests wait for the disks")
            self._admit(job)  # type: ignore[arg-type]  # a job's result is read only by its caller
            if self._idle:
                self._lock.notify()
            elif len(self._threads) < self._limit:
                self._start_thread()

    def statistics(self) -> dict[str, int]:
        """Return threads, jobs being worked on and jobs waiting."""
        with self._lock:
            return {
                "workers": len(self._threads),
                "active": self._active,
                "queued": len(self._runnable) + self._held,
            }

    def close(self) -> None:
        """Let the threads finish what they do, drop what waits, join for a moment.

        A thread that sits in a read of a dead disk cannot be joined; it is a daemon thread.
        """
        with self._lock:
            self._closed = True
            self._runnable.clear()
            self._held_back.clear()
            self._held = 0
            self._lock.notify_all()
            threads = list(self._threads)
        for thread in threads:
            thread.join(timeout=0.5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _admit(self, job: AnyJob) -> None:
        active = self._active_in.get(job.lane, 0)
        if active < LANE_WIDTH:
            self._active_in[job.lane] = active + 1
            self._runnable.append(job)
        else:
            self._held_back.setdefault(job.lane, deque()).append(job)
            self._held += 1

    def _leave(self, lane: int) -> None:
        waiting = self._held_back.get(lane)
        if waiting:
            self._runnable.append(waiting.popleft())
            self._held -= 1
            if not waiting:
                del self._held_back[lane]
            return
        left = self._active_in[lane] - 1
        if left:
            self._active_in[lane] = left
        else:
            del self._active_in[lane]

    def _start_thread(self) -> None:
        thread = threading.Thread(
            target=self._serve, name=f"{self._name}-{len(self._threads) + 1}", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while (job := self._next()) is not None:
            job.run()
            with self._lock:
                self._active -= 1
                self._leave(job.lane)
            job.finish()

    def _next(self) -> AnyJob | None:
        with self._lock:
            while not self._runnable:
                if self._closed:
                    return None
                self._idle += 1
                self._lock.wait()
                self._idle -= 1
            self._active += 1
            return self._runnable.popleft()
