"""What was handed over and is not yet written: the pending map and its recovery rules.

A round is an immutable snapshot of pending batches. While it is with the worker its batches are
*flushing*; they come back to pending, in their old places, when the write failed, and are gone
for good when it succeeded. Pure bookkeeping under a short guard: no thread, no database.

Rows leave in multiples of a row group where they can: a commit of whole row groups goes straight
to disk, a partial one is written twice (measured: 1.2 s against 2.3 s for 2 M rows).
"""

import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from musefs.index.schema.column import Table

ROW_GROUP_ROWS = 61_440
"""Rows of a row group in the index: half of DuckDB's usual, so that a round needs half the RAM."""

ROUND_ROWS = 2 * ROW_GROUP_ROWS
"""Rows of a table that wait for a round: two row groups in one transaction load 7 % faster than
one, four no faster than two."""

ROUND_BYTES = 16 << 20
"""A table with this many bytes pending does not wait for a whole row group: pictures are wide."""

ATTEMPTS = 3
"""How often a batch is tried before the writer gives up; a full disk does not get emptier."""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of a round: writing and syncing are two results, never one."""

    write_error: BaseException | None
    sync_error: BaseException | None
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PendingBatch:
    """Rows of one table that were handed over."""

    sequence: int
    table: "Table"
    rows: "pa.Table"
    future: "Future[BatchReport] | None" = None
    """Set when the last rows of what was appended are written; None on earlier slices."""
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Round:
    """One immutable snapshot for the worker."""

    batches: tuple[PendingBatch, ...]
    high_sequence: int
    """Newest sequence at hand-over; what is newer is not this round's to retire."""

    @property
    def rows(self) -> int:
        """Rows of all batches."""
        return sum(batch.rows.num_rows for batch in self.batches)


@dataclass(slots=True)
class _TableQueue:
    batches: dict[int, PendingBatch] = field(default_factory=dict[int, PendingBatch])
    rows: int = 0
    bytes: int = 0

    def add(self, batch: PendingBatch) -> None:
        self.batches[batch.sequence] = batch
        self.rows += batch.rows.num_rows
        self.bytes += batch.rows.nbytes

    def take(self, rows: int) -> list[PendingBatch]:
        """Remove the oldest `rows` rows, cutting the last batch if need be."""
        taken: list[PendingBatch] = []
        for sequence in sorted(self.batches):
            if rows <= 0:
                break
            batch = self.batches.pop(sequence)
            self.rows -= batch.rows.num_rows
            self.bytes -= batch.rows.nbytes
            if batch.rows.num_rows > rows:
                self.add(replace(batch, rows=batch.rows.slice(rows)))
                batch = replace(batch, rows=batch.rows.slice(0, rows), future=None)
            taken.append(batch)
            rows -= batch.rows.num_rows
        return taken


class Rounds:
    """The pending map; safe to use from any thread."""

    def __init__(self, round_rows: int = ROUND_ROWS, round_bytes: int = ROUND_BYTES) -> None:
        self._round_rows = round_rows
        self._round_bytes = round_bytes
        self._guard = threading.Lock()
        self._pending: dict[str, _TableQueue] = {}
        self._flushing: dict[int, Round] = {}
        self._sequence = 0

    def add(self, table: "Table", rows: "pa.Table") -> "Future[BatchReport]":
        """Hand over rows; they are pending until a round took and wrote them."""
        future: Future[BatchReport] = Future()
        with self._guard:
            self._sequence += 1
            batch = PendingBatch(self._sequence, table, rows, future)
            self._pending.setdefault(table.name, _TableQueue()).add(batch)
        return future

    def take(self, *, everything: bool = False) -> Round | None:
        """Move what is ready from pending to flushing; None if nothing is."""
        with self._guard:
            taken: list[PendingBatch] = []
            for queue in self._pending.values():
                taken += queue.take(self._ready_rows(queue, everything=everything))
            if not taken:
                return None
            handed = Round(tuple(taken), self._sequence)
            self._flushing[id(handed)] = handed
            return handed

    def _ready_rows(self, queue: _TableQueue, *, everything: bool) -> int:
        if everything or queue.bytes >= self._round_bytes:
            whole = queue.rows // self._round_rows * self._round_rows
            return queue.rows if everything or whole == 0 else whole
        return queue.rows // self._round_rows * self._round_rows

    def retire(self, handed: Round) -> tuple[PendingBatch, ...]:
        """Forget a round that was written; nothing newer than its hand-over is touched."""
        with self._guard:
            return self._flushing.pop(id(handed)).batches

    def restore(self, handed: Round) -> tuple[PendingBatch, ...]:
        """Put the whole of a failed round back; any prefix may have landed, so all is retried.

        Returns the batches whose last attempt this was; they are not put back.
        """
        with self._guard:
            del self._flushing[id(handed)]
            again = [replace(batch, attempt=batch.attempt + 1) for batch in handed.batches]
            spent = tuple(batch for batch in again if batch.attempt >= ATTEMPTS)
            self._put_back(batch for batch in again if batch.attempt < ATTEMPTS)
            return spent

    def _put_back(self, batches: Iterable[PendingBatch]) -> None:
        for batch in batches:
            queue = self._pending.setdefault(batch.table.name, _TableQueue())
            rest = queue.batches.pop(batch.sequence, None)
            if rest is not None:  # the part of the same batch that a cut had left behind
                queue.rows -= rest.rows.num_rows
                queue.bytes -= rest.rows.nbytes
                batch = _joined(batch, rest)  # the two are one batch again
            queue.add(batch)

    @property
    def pending_rows(self) -> int:
        """Rows that no round has taken."""
        with self._guard:
            return sum(queue.rows for queue in self._pending.values())

    @property
    def unwritten_rows(self) -> int:
        """Rows that are pending or with the worker."""
        with self._guard:
            flushing = sum(handed.rows for handed in self._flushing.values())
            return flushing + sum(queue.rows for queue in self._pending.values())

    def abandon(self) -> list[PendingBatch]:
        """Forget everything; the caller answers the futures."""
        with self._guard:
            batches = [batch for handed in self._flushing.values() for batch in handed.batches]
            for queue in self._pending.values():
                batches += queue.batches.values()
            self._pending.clear()
            self._flushing.clear()
            return batches


def _joined(front: PendingBatch, rest: PendingBatch) -> PendingBatch:
    import pyarrow as pa

    return replace(
        rest,
        rows=pa.concat_tables([front.rows, rest.rows]),
        attempt=max(front.attempt, rest.attempt),
        future=rest.future or front.future,
    )
