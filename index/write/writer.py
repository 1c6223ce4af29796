"""The face of the index's writing side: append batches, run work, publish.

    with IndexWriter(path, tool_version="1.0") as writer:
        writer.append(ENTRIES, batch)
        report = writer.publish(scan_id)

Appended rows are pending until they make a round; rounds go to the worker in order. `append`
waits while the queue is full. Leaving the block without `publish` removes the building file and
leaves the published index as it was. Any thread may append; one at a time may publish.
"""

import logging
import threading
import time
import uuid
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from musefs.index.counters import Counter, degrade
from musefs.index.edit.merge import MergeReport, merge_previous, serve_as_scanned
from musefs.index.errors import IndexWriteError, MusefsError
from musefs.index.schema.ddl import SCHEMA_VERSION, counted_name, create_triggers
from musefs.index.schema.volume_tables import COUNTED_TABLES
from musefs.index.write.channel import ChannelStatistics
from musefs.index.write.lock import IndexLock
from musefs.index.write.previous import PreviousIndex, check_place, held, read_previous
from musefs.index.write.publish import Publication, may_retry
from musefs.index.write.rounds import ATTEMPTS, BatchReport, Round, Rounds
from musefs.index.write.store import Disk, DuckDbStore, RealDisk, Store, explain_write_error
from musefs.index.write.sweep import building_path, remove_building, sweep
from musefs.index.write.worker import QUEUE_ROUNDS, IndexWorker

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from musefs.index.schema.column import Table

_log = logging.getLogger(__name__)

T = TypeVar("T")

MERGE_THREADS = 2
"""Threads of DuckDB for the merge, when no parser runs beside it any more."""

MERGE_MEMORY = "1GB"
"""Enough to merge a million edited tracks; what does not fit is spilled beside the index."""


@dataclass(frozen=True, slots=True)
class WriterStatistics:
    """What a writer did so far (row H18)."""

    rounds_tried: int
    rounds_succeeded: int
    batches_written: int
    rows_written: int
    write_failures: int
    sync_failures: int
    restores: int
    publishes: int
    leftovers_swept: int
    unwritten_rows: int
    busy_seconds: float
    queue: ChannelStatistics


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What was published."""

    path: Path
    index_id: str
    generation: int
    merge: MergeReport
    merge_seconds: float
    seconds: float


class IndexWriter:
    """Builds the next generation of one index and publishes it."""

    def __init__(
        self,
        path: Path,
        *,
        tool_version: str = "",
        open_store: Callable[[Path], Store] = DuckDbStore,
        disk: Disk | None = None,
        queue_rounds: int = QUEUE_ROUNDS,
        rounds: Rounds | None = None,
    ) -> None:
        self.path = path.absolute()
        self.building = building_path(self.path)
        self.previous: PreviousIndex | None = None
        self._tool_version = tool_version
        self._disk = disk or RealDisk()
        self._lock = IndexLock(self.path)
        self._rounds = rounds or Rounds()
        self._worker = IndexWorker(partial(open_store, self.building), queue_rounds)
        self._order = threading.RLock()
        """Keeps rounds in order; may be held while the queue is full. Never taken by the worker."""
        self._in_flight: deque[Future[None]] = deque()
        self._failure: BaseException | None = None
        self._needs_sync = False
        self._restores = self._publishes = self._swept = 0
        self._state = "new"

    # life

    def __enter__(self) -> Self:
        check_place(self.path)
        self._lock.acquire()
        try:
            self.previous = read_previous(self.path)
            self._swept = sweep(self.path)
            # not waited for: opening the store takes as long as the first read from disk
            self._worker.start(wait=False)
        except BaseException:
            self._lock.release()
            raise
        self._state = "open"
        self._warn_if_forgotten = weakref.finalize(self, _warn_forgotten, str(self.path))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(hurry=kind is not None)

    def close(self, *, hurry: bool = False) -> None:
        """Stop the thread, remove what was not published and let go of the lock; once is enough.

        In a hurry, what the database is doing now is broken off.
        """
        if self._state in ("new", "closed"):
            return
        self._state = "closed"
        self._warn_if_forgotten.detach()
        if hurry:
            self._worker.interrupt()
        self._worker.stop()
        for batch in self._rounds.abandon():
            if batch.future is not None and not batch.future.done():
                batch.future.cancel()
        remove_building(self.path.with_name(self.building.name))
        self._lock.release()

    # handing over

    def append(self, table: "Table", batch: "pa.RecordBatch | pa.Table") -> "Future[BatchReport]":
        """Hand over immutable rows of one table; waits while the queue is full.

        The future is answered when a round has written the last of them, which for the rows that
        make no full round is when `flush` or `publish` runs: do not wait for it before that.
        """
        import pyarrow as pa

        rows = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        self._check_usable()
        future = self._rounds.add(table, rows)
        self._submit(everything=False)
        return future

    def flush(self) -> None:
        """Write everything that was appended; raises if it cannot be written."""
        while True:
            self._submit(everything=True)
            self._wait_for_rounds()
            self._check_usable()
            if not self._rounds.unwritten_rows:
                return

    def sync(self) -> None:
        """Flush, and retry a sync that failed in an earlier round."""
        self.flush()
        for attempt in range(1, ATTEMPTS + 1):
            if not self._needs_sync:
                return
            report = self._worker.wait(self._worker.sync())
            self._needs_sync = report.sync_error is not None
            error = report.sync_error
            if error is None:
                return
            self._count_sync_failure(error)
            if attempt == ATTEMPTS or not may_retry(error):
                raise explain_write_error(error, self.path) from error

    def execute(self, work: "Callable[[duckdb.DuckDBPyConnection], T]") -> T:
        """Flush, then run `work` on the writer's connection and return its result."""
        self.flush()
        return self._on_store(lambda store: store.run(work))

    def _on_store(self, work: Callable[[Store], T]) -> T:
        try:
            return self._worker.wait(self._worker.execute(work))
        except MusefsError:
            raise
        except Exception as error:
            raise explain_write_error(error, self.path) from error

    def _submit(self, *, everything: bool) -> None:
        with self._order:
            while (handed := self._rounds.take(everything=everything)) is not None:
                self._check_usable()
                reaped: Future[None] = Future()
                self._in_flight.append(reaped)
                # answered on the worker's thread; takes the short guard only, so it never waits
                self._worker.submit(handed).add_done_callback(partial(self._reap, handed, reaped))

    def _reap(self, handed: Round, reaped: "Future[None]", future: "Future[BatchReport]") -> None:
        self._apply(handed, future)
        reaped.set_result(None)

    def _apply(self, handed: Round, future: "Future[BatchReport]") -> None:
        """Apply the recovery rules to the two results of a round."""
        failure = future.exception()
        report = BatchReport(failure, None, 0, 0.0) if failure else future.result()
        if report.sync_error is not None:
            self._needs_sync = True
            self._count_sync_failure(report.sync_error)
        elif report.write_error is None:
            self._needs_sync = False
        if report.write_error is None:
            for batch in self._rounds.retire(handed):
                if batch.future is not None:
                    batch.future.set_result(report)
            return
        self._restore(handed, report)

    def _restore(self, handed: Round, report: BatchReport) -> None:
        error = report.write_error
        spent = self._rounds.restore(handed)
        self._restores += 1
        degrade(
            Counter.BATCH_RESTORES, "writing %d rows failed, they are kept: %s", handed.rows, error
        )
        if spent and self._failure is None:
            self._failure = error
        for batch in spent:
            if batch.future is not None:
                batch.future.set_result(report)

    def _count_sync_failure(self, error: BaseException) -> None:
        degrade(Counter.SYNC_FAILURES, "making the new index durable failed: %s", error)

    def _died(self) -> MusefsError:
        """Return why the thread is gone: that its file could not be made has its own words."""
        cause = self._worker.cause
        if self._worker.opened or not isinstance(cause, Exception):
            return self._worker.died()
        return explain_write_error(cause, self.path)

    def _wait_for_rounds(self) -> None:
        while self._in_flight:
            self._worker.wait(self._in_flight.popleft())

    def _check_usable(self) -> None:
        if self._state != "open":
            raise IndexWriteError(f"the writer is {self._state}", path=self.path)
        if self._failure is not None:
            raise explain_write_error(self._failure, self.path) from self._failure
        if not self._worker.alive:
            raise self._died()
        while self._in_flight and self._in_flight[0].done():
            self._in_flight.popleft()

    # publication

    def publish(self, scan_id: str) -> PublishReport:
        """Write what is left, merge the former generation, and take the published path.

        The last round goes through the same queue as all others. After a failure nothing was
        deleted and the published index is the old one.
        """
        started = time.perf_counter()
        self.sync()
        publication = Publication(
            self.building, self.path, self._disk, replaces=self.previous is not None
        )
        with held(self.path) if self.previous else nullcontext():
            merge, merge_seconds, generation, index_id = self._on_store(
                lambda store: store.run(lambda con: self._finish(con, scan_id))
            )
            self._on_store(publication.seal)
            self._advance(publication)
        self._publishes += 1
        seconds = time.perf_counter() - started
        return PublishReport(self.path, index_id, generation, merge, merge_seconds, seconds)

    def _advance(self, publication: Publication) -> None:
        """Take the steps of publication; only a sync that may succeed later is tried again."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._on_store(lambda _store: publication.advance())
            except IndexWriteError as error:
                self._count_sync_failure(error)
                if attempt == ATTEMPTS or not may_retry(error):
                    raise
            else:
                return

    def _finish(
        self, con: "duckdb.DuckDBPyConnection", scan_id: str
    ) -> tuple[MergeReport, float, int, str]:
        started = time.perf_counter()
        con.execute(f"SET threads = {MERGE_THREADS}; SET memory_limit = '{MERGE_MEMORY}'")
        merge = serve_as_scanned(con) if self.previous is None else merge_previous(con, self.path)
        merge_seconds = time.perf_counter() - started
        generation = self.previous.generation + 1 if self.previous else 1
        index_id = self.previous.index_id if self.previous else uuid.uuid4().hex
        high_water = self.previous.track_high_water if self.previous else 0
        con.execute(
            "INSERT INTO meta BY NAME SELECT $schema AS schema_version, $tool AS tool_version, "
            "$generation AS generation, $index_id AS index_id, $scan AS scan_id, "
            "get_current_timestamp()::TIMESTAMP AS published_at, "
            + "".join(f"(SELECT count(*) FROM {counted_name(t)}) AS {t}, " for t in COUNTED_TABLES)
            + "greatest($high_water, "
            "coalesce((SELECT max(track_id) FROM tracks), 0)) AS track_high_water, "
            "(SELECT coalesce(max(sequence), 0) FROM changes) AS published_sequence",
            {
                "schema": SCHEMA_VERSION,
                "tool": self._tool_version,
                "generation": generation,
                "index_id": index_id,
                "scan": scan_id,
                "high_water": high_water,
            },
        )
        create_triggers(con)
        return merge, merge_seconds, generation, index_id

    def statistics(self) -> WriterStatistics:
        """Return what the writer did so far."""
        counts = self._worker.counts
        return WriterStatistics(
            counts.rounds_tried,
            counts.rounds_succeeded,
            counts.batches_written,
            counts.rows_written,
            counts.write_failures,
            counts.sync_failures,
            self._restores,
            self._publishes,
            self._swept,
            self._rounds.unwritten_rows,
            counts.busy_seconds,
            self._worker.statistics(),
        )


def _warn_forgotten(path: str) -> None:
    _log.warning("an index writer for %s was dropped without close()", path)
