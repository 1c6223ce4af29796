"""Worker processes, bounded and named, that never outlive the stage.

One thread owns one process: it takes the next chunk, waits for the answer and hands it on through
a bounded queue. A process that dies is replaced; its chunk is read again file by file, and only
the file that kills its reader once more is given up.
"""

import logging
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from musefs.index.counters import Counter
from musefs.index.errors import CancelledError, MusefsError
from musefs.pipeline.tag.learned import Learned
from musefs.pipeline.tag.sources import Job
from musefs.pipeline.tag.worker import Chunk, WorkerSetup, receive, send

_log = logging.getLogger(__name__)

MAX_WORKERS: Final = 8
"""Beyond it the one process that makes Arrow of the answers is the bottleneck."""

ANSWERS_PER_WORKER: Final = 8
"""Finished chunks that may wait: as many as are read while the stage appends a batch. 300 KB."""

_PATIENCE_SECONDS: Final = 0.5
_EXIT_SECONDS: Final = 5.0
"""How long a killed process may take to end; only one that waits for a disk takes longer."""


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """What a pool did."""

    workers: int
    chunks: int
    restarts: int
    """Processes that died and were replaced."""


class _Worker:
    """One process and its pipes."""

    def __init__(self, setup: WorkerSetup, command: list[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module in our own interpreter
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._setup = setup
        self.started = False
        """Whether it ever said that it is ready."""

    def ask(self, jobs: list[Job]) -> Learned:
        """Read a chunk; raises EOFError or OSError when the process died."""
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise EOFError
        if not self.started:
            send(process.stdin, self._setup)
            receive(process.stdout, str)
            self.started = True
        send(process.stdin, Chunk(jobs))
        return receive(process.stdout, Learned)

    def end(self) -> int:
        """Kill the process if it still runs and return its exit code."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    _log.debug("closing the pipe of a worker that died")
        try:
            return self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            _log.warning(
                "a tag reader hangs in a read of a failing disk; it ends when the read does"
            )
            return -9


class WorkerPool:
    """Reads chunks in `workers` processes; use it in a `with` block."""

    def __init__(
        self, setup: WorkerSetup, workers: int, *, command: list[str] | None = None
    ) -> None:
        self._setup = setup
        self._command = command or [sys.executable, "-m", "musefs.pipeline.tag.worker"]
        self._count = max(1, min(workers, MAX_WORKERS))
        self._workers: list[_Worker] = []
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()
        self._answers: queue.Queue[Learned | BaseException | None] = queue.Queue(
            self._count * ANSWERS_PER_WORKER
        )
        self._chunks: Iterator[list[Job]] = iter(())
        self._lock = threading.Lock()
        self._done = self._restarts = 0

    def __enter__(self) -> Self:
        self._workers = [_Worker(self._setup, self._command) for _ in range(self._count)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for worker in self._workers:
            worker.end()
        while any(thread.is_alive() for thread in self._threads):
            self._drain()
            for thread in self._threads:
                thread.join(0.05)

    def statistics(self) -> PoolStatistics:
        """Return what the pool did so far."""
        with self._lock:
            return PoolStatistics(self._count, self._done, self._restarts)

    def read(self, chunks: Iterable[list[Job]]) -> Iterator[Learned]:
        """Yield an answer for each chunk, in the order in which they are finished."""
        self._chunks = iter(chunks)
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"musefs-tag-{number}")
            for number in range(self._count)
        ]
        for thread in self._threads:
            thread.start()
        running = self._count
        while running:
            try:
                answer = self._answers.get(timeout=_PATIENCE_SECONDS)
            except queue.Empty:
                continue  # so that Ctrl-C is seen on systems where waiting cannot be interrupted
            if answer is None:
                running -= 1
            elif isinstance(answer, BaseException):
                raise answer
            else:
                yield answer

    def _drain(self) -> None:
        while not self._answers.empty():
            self._answers.get_nowait()

    def _run(self, number: int) -> None:
        try:
            while (jobs := self._next()) is not None:
                answer = self._read(number, jobs)
                with self._lock:
                    self._done += 1
                self._put(answer)
            self._put(None)
        except CancelledError:
            _log.debug("worker %d was stopped", number)
        except BaseException as error:  # noqa: BLE001 - border of a thread: handed on
            if not self._stop.is_set():
                self._put(error)

    def _next(self) -> list[Job] | None:
        with self._lock:
            return None if self._stop.is_set() else next(self._chunks, None)

    def _put(self, answer: Learned | BaseException | None) -> None:
        while not self._stop.is_set():
            try:
                self._answers.put(answer, timeout=0.2)
            except queue.Full:
                continue
            return

    def _read(self, number: int, jobs: list[Job]) -> Learned:
        try:
            return self._workers[number].ask(jobs)
        except (EOFError, OSError):
            code = self._replace(number)
        if len(jobs) == 1:
            learned = Learned()
            reason = f"its reader crashed (exit code {code})"
            learned.add_failure(jobs[0].row, jobs[0].recorded(), Counter.TAG_FILES_FAILED, reason)
            return learned
        whole = Learned()
        for job in jobs:
            whole.extend(self._read(number, [job]))
        return whole

    def _replace(self, number: int) -> int:
        if self._stop.is_set():
            raise CancelledError("the tag stage was stopped")
        worker = self._workers[number]
        code = worker.end()
        if not worker.started:
            raise MusefsError(
                f"a tag reader could not start (exit code {code})",
                hint="Its own message is above; try --tag-workers 1.",
            )
        with self._lock:
            self._restarts += 1
        self._workers[number] = _Worker(self._setup, self._command)
        return code
