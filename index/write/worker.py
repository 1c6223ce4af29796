"""The writer's thread: the only owner of the store, fed through one bounded channel.

Each task carries a future that is set exactly once, and setting it never waits for anybody. The
thread ends after Stop, when the channel is closed, or when it dies; in every case the channel is
closed behind it and all that still waited is answered with WriterDiedError, so that no producer
waits for ever.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from musefs.index.errors import WriterDiedError
from musefs.index.write.channel import Channel, ChannelClosed, ChannelStatistics
from musefs.index.write.rounds import BatchReport, Round
from musefs.index.write.store import Store

_log = logging.getLogger(__name__)

THREAD_NAME = "musefs-index-io"

QUEUE_ROUNDS = 1
"""Rounds that may wait. Each is two row groups a table, about 24 MB: this bounds the RAM."""

LIVENESS_SECONDS = 0.2
"""How often a waiting caller looks whether the thread still lives."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BatchTask:
    """Write one round and sync, in one turn, with one report."""

    handed: Round
    future: "Future[BatchReport]"


@dataclass(frozen=True, slots=True)
class SyncTask:
    """Sync alone, for work of earlier rounds whose sync failed."""

    future: "Future[BatchReport]"


@dataclass(frozen=True, slots=True)
class ExecuteTask:
    """Do something else on the store."""

    work: Callable[[Store], Any]  # each caller's own result type; `execute` ties it to the future
    future: "Future[Any]"


@dataclass(frozen=True, slots=True)
class StopTask:
    """End the thread, after everything that was put before."""

    future: "Future[None]"


Task = BatchTask | SyncTask | ExecuteTask | StopTask


@dataclass(slots=True)
class WorkerCounts:
    """What the thread did; written by the thread alone."""

    rounds_tried: int = 0
    rounds_succeeded: int = 0
    batches_written: int = 0
    rows_written: int = 0
    write_failures: int = 0
    sync_failures: int = 0
    busy_seconds: float = 0.0


class IndexWorker:
    """One named thread around one store."""

    def __init__(self, open_store: Callable[[], Store], queue_rounds: int = QUEUE_ROUNDS) -> None:
        self._open_store = open_store
        self._channel: Channel[Task] = Channel(queue_rounds)
        self._opened: Future[None] = Future()
        self._in_hand: Task | None = None
        self._store: Store | None = None
        self._abandoned = False
        self.counts = WorkerCounts()
        self.cause: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)

    def start(self, *, wait: bool = True) -> None:
        """Start the thread; waiting until its store is open raises what opening raised."""
        self._thread.start()
        if wait:
            self.wait(self._opened)

    @property
    def opened(self) -> bool:
        """Whether the store could be opened."""
        return self._opened.done() and self._opened.exception() is None

    def interrupt(self) -> None:
        """Break off what the store is doing now, from any thread; tasks that wait are not done."""
        self._abandoned = True
        if self._store is not None:
            self._store.interrupt()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def statistics(self) -> ChannelStatistics:
        """Return how full the queue is and was."""
        return self._channel.statistics()

    def wait_until_blocked(self, timeout_seconds: float) -> bool:
        """Wait until a producer waits for room in the queue."""
        return self._channel.wait_until_blocked(timeout_seconds)

    def submit(self, handed: Round) -> "Future[BatchReport]":
        """Hand over a round; waits for room."""
        future: Future[BatchReport] = Future()
        self._put(BatchTask(handed, future))
        return future

    def sync(self) -> "Future[BatchReport]":
        """Ask for a sync alone."""
        future: Future[BatchReport] = Future()
        self._put(SyncTask(future))
        return future

    def execute(self, work: Callable[[Store], T]) -> "Future[T]":
        """Ask for other work on the store."""
        future: Future[T] = Future()
        self._put(ExecuteTask(work, future))
        return future

    def _put(self, task: Task) -> None:
        try:
            self._channel.put(task)
        except ChannelClosed as error:
            raise self.died() from error

    def died(self) -> WriterDiedError:
        """Return the error that says why the thread ended."""
        reason = f": {self.cause}" if self.cause else ""
        error = WriterDiedError(f"the thread {THREAD_NAME} ended{reason}")
        error.__cause__ = self.cause
        return error

    def wait(self, future: "Future[T]") -> T:
        """Wait for a task's result and notice when nobody is left to give it."""
        while True:
            try:
                return future.result(LIVENESS_SECONDS)
            except FutureTimeoutError:
                if not self._thread.is_alive() and not future.done():
                    raise self.died() from self.cause

    def stop(self) -> None:
        """Send Stop once, behind everything else, and join the thread; harmless if it is gone."""
        with contextlib.suppress(ChannelClosed):
            self._channel.put(StopTask(Future()))
            self._channel.close()
        self._thread.join()

    def close_queue(self) -> None:
        """Let nothing more in; the thread ends when it has done what waits."""
        self._channel.close()
        self._thread.join()

    def _run(self) -> None:
        store: Store | None = None
        try:
            self._store = store = self._open_store()
            self._opened.set_result(None)
            self._serve(store)
        except BaseException as error:  # noqa: BLE001 - the thread's border: handed to whoever waits
            self.cause = error
        finally:
            self._channel.close()
            self._store = None
            if store is not None:
                self._close(store)
            self._answer_all()

    def _serve(self, store: Store) -> None:
        while (task := self._channel.get()) is not None:
            self._in_hand = task
            started = time.perf_counter()
            stop = self._abandoned or self._do(store, task)
            self.counts.busy_seconds += time.perf_counter() - started
            if stop:
                return
            self._in_hand = None

    def _do(self, store: Store, task: Task) -> bool:
        match task:
            case BatchTask(handed, future):
                future.set_result(self._write(store, handed))
            case SyncTask(future):
                started = time.perf_counter()
                error = self._sync(store)
                future.set_result(BatchReport(None, error, 0, time.perf_counter() - started))
            case ExecuteTask(work, future):
                try:
                    result = work(store)
                except Exception as error:  # noqa: BLE001 - handed to the caller
                    future.set_exception(error)
                else:
                    future.set_result(result)
            case StopTask(future):
                future.set_result(None)
                return True
        return False

    def _write(self, store: Store, handed: Round) -> BatchReport:
        started = time.perf_counter()
        self.counts.rounds_tried += 1
        rows, write_error = 0, None
        try:
            rows = store.write(handed.batches)
        except Exception as error:  # noqa: BLE001 - half of the report; the rounds restore on it
            write_error = error
            self.counts.write_failures += 1
        else:
            self.counts.batches_written += len(handed.batches)
            self.counts.rows_written += rows
        # in the same turn even after a failed write: earlier rounds may wait for it
        sync_error = self._sync(store)
        if write_error is None and sync_error is None:
            self.counts.rounds_succeeded += 1
        return BatchReport(write_error, sync_error, rows, time.perf_counter() - started)

    def _sync(self, store: Store) -> BaseException | None:
        try:
            store.sync()
        except Exception as error:  # noqa: BLE001 - the other half of the report
            self.counts.sync_failures += 1
            return error
        return None

    def _close(self, store: Store) -> None:
        try:
            store.close()
        except Exception as error:  # noqa: BLE001 - the thread's border: nobody waits any more
            _log.warning("closing the index failed: %s", error)
            self.cause = self.cause or error

    def _answer_all(self) -> None:
        if not self._opened.done():
            self._opened.set_exception(self.cause or self.died())
        task, self._in_hand = self._in_hand, None
        while task is not None or (task := self._channel.get()) is not None:
            if not task.future.done():
                task.future.set_exception(self.died())
            task = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
