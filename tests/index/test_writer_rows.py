"""Rows H1 to H19: the checkpoint worker's behaviour, one test a row, with shipped doubles."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import fields
from pathlib import Path

import duckdb
import pytest
from support.index_rows import rows, streams, tracks

from musefs.index.counters import Counter, fresh_tally
from musefs.index.errors import (
    IndexBusyError,
    IndexDiskFullError,
    IndexWriteError,
    PublishError,
    WriterDiedError,
)
from musefs.index.schema.library_tables import TRACKS
from musefs.index.schema.volume_tables import NAMES, STREAMS
from musefs.index.write import IndexWriter
from musefs.index.write.doubles import (
    BlockedStore,
    NullStore,
    Script,
    ScriptedDisk,
    ScriptedStore,
    ThreadKilled,
    input_output_error,
)
from musefs.index.write.publish import Publication, Stage
from musefs.index.write.rounds import ATTEMPTS, BatchReport, Rounds
from musefs.index.write.store import DuckDbStore, RealDisk, Store
from musefs.index.write.sweep import building_path, kept_path
from musefs.index.write.worker import THREAD_NAME, IndexWorker

pytestmark = pytest.mark.expected_degradations(
    Counter.BATCH_RESTORES,
    Counter.SYNC_FAILURES,
    Counter.LEFTOVERS_SWEPT,
    Counter.INDEX_KEPT_ASIDE,
)

WAIT_SECONDS = 20.0


def _scripted(script: Script) -> Callable[[Path], Store]:
    return lambda path: ScriptedStore(DuckDbStore(path), script)


def _rounds(rows_per_round: int = 1) -> Rounds:
    return Rounds(round_rows=rows_per_round)


def _count(path: Path) -> int:
    with duckdb.connect(str(path), read_only=True) as con:
        return int(con.execute("SELECT count(DISTINCT entry_id) FROM streams").fetchall()[0][0])


def test_one_thread_creates_and_uses_the_connection_h1(tmp_path: Path) -> None:
    """H1: one I/O worker owns the store; nobody else writes."""
    script = Script()
    path = tmp_path / "i.duckdb"
    with IndexWriter(path, open_store=_scripted(script), rounds=_rounds()) as writer:
        helpers = [
            threading.Thread(target=writer.append, args=(STREAMS, streams([n]))) for n in range(4)
        ]
        for helper in helpers:
            helper.start()
        for helper in helpers:
            helper.join()
        writer.publish("scan")
    assert {name for _, name in script.threads} == {THREAD_NAME}
    assert len(script.threads) == 1
    assert {"open", "write", "sync", "run", "seal", "close"} == set(script.calls)


def _blocked_worker(queue_rounds: int) -> tuple[IndexWorker, BlockedStore, NullStore]:
    inner = NullStore()
    store = BlockedStore(inner)
    return IndexWorker(lambda: store, queue_rounds), store, inner


def _hand_over(rounds: Rounds, worker: IndexWorker, entry: int) -> "Future[BatchReport]":
    rounds.add(STREAMS, streams([entry]))
    handed = rounds.take(everything=True)
    assert handed is not None
    return worker.submit(handed)


def test_a_full_queue_blocks_the_producer_h2() -> None:
    """H2: the queue is bounded; the producer stops at N and RAM with it."""
    worker, store, inner = _blocked_worker(queue_rounds=2)
    rounds = _rounds()
    done: list[int] = []

    def produce() -> None:
        for entry in range(6):
            _hand_over(rounds, worker, entry)
            done.append(entry)

    with worker:
        producer = threading.Thread(target=produce)
        producer.start()
        assert store.entered.wait(WAIT_SECONDS)
        assert worker.wait_until_blocked(WAIT_SECONDS)
        assert len(done) == 3  # one in I/O and two waiting; the fourth does not come in
        assert worker.statistics().used == 2
        store.go.set()
        producer.join(WAIT_SECONDS)
    assert inner.rows == 6
    assert worker.statistics().peak == 2


def test_handing_over_does_not_wait_for_io_h3() -> None:
    """H3: an immutable snapshot is handed over and the producer moves on."""
    worker, store, _ = _blocked_worker(queue_rounds=2)
    rounds = _rounds()
    with worker:
        first = _hand_over(rounds, worker, 1)
        assert store.entered.wait(WAIT_SECONDS)
        second = _hand_over(rounds, worker, 2)
        assert not first.done()
        assert not second.done()
        assert worker.statistics().used == 1
        store.go.set()
        assert worker.wait(second).rows == 1


def test_one_task_a_round_not_one_an_item_h4_h17(tmp_path: Path) -> None:
    """H4, H17: whole batches are submitted once a round; DuckDB owns what io_uring did."""
    script = Script()
    path = tmp_path / "i.duckdb"
    with IndexWriter(path, open_store=_scripted(script), rounds=_rounds(50)) as writer:
        for n in range(100):
            writer.append(STREAMS, streams([n]))
            writer.append(NAMES, rows(NAMES, [{"entry_id": n}]))
        writer.flush()
        statistics = writer.statistics()
    assert script.counts["write"] == statistics.rounds_tried == 4
    assert statistics.batches_written == 200


def test_write_and_sync_on_the_same_turn_h5(tmp_path: Path) -> None:
    """H5: each round is written and synced in one turn and reported once."""
    script = Script()
    path = tmp_path / "i.duckdb"
    with IndexWriter(path, open_store=_scripted(script), rounds=_rounds()) as writer:
        futures = [writer.append(STREAMS, streams([n])) for n in range(3)]
        writer.flush()
        assert script.calls == ["open", *["write", "sync"] * 3]
        assert all(future.result(0).sync_error is None for future in futures)


def test_two_separate_results_h6() -> None:
    """H6: the report has a result for writing and another for syncing."""
    assert [field.name for field in fields(BatchReport)] == [
        "write_error",
        "sync_error",
        "rows",
        "seconds",
    ]


@pytest.mark.parametrize("failing", [1, 2, 4])
def test_a_failed_write_restores_the_whole_snapshot_h7(tmp_path: Path, failing: int) -> None:
    """H7: every row of the failed round comes back and is written; sync is still attempted."""
    script = Script().fail("write", [failing])
    path = tmp_path / "i.duckdb"
    with (
        fresh_tally() as tally,
        IndexWriter(path, open_store=_scripted(script), rounds=_rounds(7)) as writer,
    ):
        futures = [writer.append(STREAMS, streams(range(n, n + 5))) for n in range(0, 30, 5)]
        writer.publish("scan")
        assert writer.statistics().restores == 1
        assert tally[Counter.BATCH_RESTORES] == 1
    assert _count(path) == 30
    assert all(future.result(0).write_error is None for future in futures)
    assert script.calls.count("sync") >= script.calls.count("write")
    first = script.calls.index("write")
    assert script.calls[first + 1] == "sync"


def test_a_failed_sync_keeps_what_was_written_and_blocks_publication_h8(tmp_path: Path) -> None:
    """H8: rows stay written; publication waits for a sync that succeeds."""
    script = Script().fail("sync", [1])
    path = tmp_path / "i.duckdb"
    with IndexWriter(path, open_store=_scripted(script), rounds=_rounds()) as writer:
        future = writer.append(STREAMS, streams([1]))
        writer.flush()
        report = future.result(0)
        assert report.write_error is None
        assert isinstance(report.sync_error, OSError)
        assert writer.statistics().restores == 0
        writer.publish("scan")
    assert script.counts["write"] == 1
    assert script.calls.index("run") > script.calls.index("sync", script.calls.index("sync") + 1)
    assert _count(path) == 1


def test_while_syncs_fail_nothing_is_published_h8_h15(tmp_path: Path) -> None:
    """H8, H15: no publication and no deletion before a sync succeeded."""
    path = tmp_path / "i.duckdb"
    with IndexWriter(path) as writer:
        writer.append(STREAMS, streams([1]))
        writer.publish("old")
    old = path.read_bytes()
    script = Script().fail("sync", range(1, 99))
    disk = Script()
    with IndexWriter(
        path, open_store=_scripted(script), disk=ScriptedDisk(RealDisk(), disk)
    ) as writer:
        writer.append(STREAMS, streams([1, 2]))
        with pytest.raises(IndexDiskFullError):
            writer.publish("new")
        assert building_path(path).exists()
    assert disk.calls == []
    assert path.read_bytes() == old


def test_retirement_leaves_newer_work_alone_h9() -> None:
    """H9: what came after the hand-over survives the retirement of the round."""
    rounds = _rounds(10)
    rounds.add(STREAMS, streams(range(10)))
    handed = rounds.take()
    assert handed is not None
    rounds.add(STREAMS, streams(range(10, 13)))
    assert rounds.unwritten_rows == 13
    rounds.retire(handed)
    assert rounds.pending_rows == rounds.unwritten_rows == 3


def test_a_restored_round_goes_before_newer_work_h9() -> None:
    """H9: restoring merges by age, and a batch that was cut is whole again."""
    rounds = _rounds(10)
    rounds.add(STREAMS, streams(range(15)))
    handed = rounds.take()
    assert handed is not None
    assert handed.rows == 10
    rounds.add(STREAMS, streams(range(15, 20)))
    assert rounds.restore(handed) == ()
    again = rounds.take(everything=True)
    assert again is not None
    ids = [n for batch in again.batches for n in batch.rows.column("entry_id").to_pylist()]
    assert ids == list(range(20))


def test_a_dead_worker_is_a_failed_write_h10_h19(tmp_path: Path) -> None:
    """H10, H19: the named thread's death is noticed; every waiter is answered."""
    script = Script().fail("write", [2], ThreadKilled)
    path = tmp_path / "i.duckdb"
    with IndexWriter(path, open_store=_scripted(script), rounds=_rounds()) as writer:
        first = writer.append(STREAMS, streams([1]))

        def append_on() -> None:
            for n in range(2, 50):
                writer.append(STREAMS, streams([n]))

        with pytest.raises(WriterDiedError, match=THREAD_NAME):
            append_on()
        with pytest.raises(WriterDiedError):
            writer.publish("scan")
        assert first.result(WAIT_SECONDS).write_error is None
    assert list(tmp_path.iterdir()) == []


def test_a_dropped_reply_counts_as_failure_h10() -> None:
    """H10: waiting for an answer that nobody will give ends with WriterDiedError."""
    worker = IndexWorker(NullStore)
    worker.start()
    worker.stop()
    with pytest.raises(WriterDiedError):
        worker.wait(Future())
    with pytest.raises(WriterDiedError):
        worker.sync()


def test_sync_alone_h11() -> None:
    """H11: a task that only syncs."""
    script = Script()
    with IndexWorker(lambda: ScriptedStore(NullStore(), script)) as worker:
        report = worker.wait(worker.sync())
    assert (report.write_error, report.sync_error, report.rows) == (None, None, 0)
    assert script.calls == ["open", "sync", "close"]


def test_stop_comes_once_after_the_final_round_h12_h14(tmp_path: Path) -> None:
    """H12, H14: the last rows go through the same queue; only then the thread ends."""
    script = Script()
    path = tmp_path / "i.duckdb"
    with IndexWriter(path, open_store=_scripted(script), rounds=_rounds(100)) as writer:
        writer.append(STREAMS, streams(range(150)))
        writer.publish("scan")
        writer.close()
        writer.close()
    assert script.calls[1:6] == ["write", "sync", "write", "sync", "run"]
    assert script.calls[-2:] == ["seal", "close"]
    assert script.counts["close"] == 1
    assert _count(path) == 150


def test_a_closed_queue_ends_the_worker_and_no_thread_is_left_h13(tmp_path: Path) -> None:
    """H13: what waits is still done, then the thread ends; opening and closing leaks nothing."""
    inner = NullStore()
    worker = IndexWorker(lambda: inner)
    worker.start()
    future = _hand_over(_rounds(), worker, 1)
    worker.close_queue()
    assert future.result(0).rows == 1
    assert not worker.alive
    before = threading.active_count()
    for _ in range(10):
        with IndexWriter(tmp_path / "i.duckdb", open_store=lambda _: NullStore()):
            pass
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []


def test_after_a_failed_write_nothing_is_published_h15(tmp_path: Path) -> None:
    """H15: after the last attempt the old index is there, byte for byte, and the error says why."""
    path = tmp_path / "i.duckdb"
    with IndexWriter(path) as writer:
        writer.publish("old")
    old = path.read_bytes()
    script, disk = Script().fail("write", range(1, 99)), Script()
    with IndexWriter(
        path, open_store=_scripted(script), disk=ScriptedDisk(RealDisk(), disk)
    ) as writer:
        future = writer.append(STREAMS, streams([1]))
        with pytest.raises(IndexDiskFullError, match="no space left"):
            writer.publish("new")
        assert isinstance(future.result(0).write_error, OSError)
        with pytest.raises(IndexDiskFullError):
            writer.append(STREAMS, streams([2]))
    assert script.counts["write"] == ATTEMPTS
    assert disk.calls == []
    assert path.read_bytes() == old


@pytest.mark.parametrize("operation", ["sync_file", "replace", "sync_directory"])
def test_each_step_of_publication_is_retried_where_it_failed_h8_h16(
    tmp_path: Path, operation: str
) -> None:
    """H8, H16: a step that failed once is tried again, those before it are not repeated."""
    path = tmp_path / "i.duckdb"
    disk = Script().fail(operation, [1])
    with IndexWriter(path, disk=ScriptedDisk(RealDisk(), disk)) as writer:
        writer.append(STREAMS, streams([1]))
        writer.publish("scan")
    expected = ["sync_file", "replace", "sync_directory"]
    expected.insert(expected.index(operation), operation)
    assert disk.calls == expected
    assert _count(path) == 1


@pytest.mark.parametrize("operation", ["sync_file", "replace"])
def test_a_step_that_keeps_failing_leaves_the_old_index_h16(tmp_path: Path, operation: str) -> None:
    """H16: the recovery copy, here the old index, stays until the new one is published."""
    path = tmp_path / "i.duckdb"
    with IndexWriter(path) as writer:
        writer.append(STREAMS, streams([1]))
        writer.publish("old")
    old = path.read_bytes()
    disk = Script().fail(operation, range(1, 99), input_output_error)
    with IndexWriter(path, disk=ScriptedDisk(RealDisk(), disk)) as writer:
        writer.append(STREAMS, streams([1, 2]))
        with pytest.raises(PublishError):
            writer.publish("new")
    # EIO is not retried: the kernel reports lost pages once only
    assert disk.counts[operation] == 1
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["i.duckdb"]


def test_a_failed_seal_publishes_nothing(tmp_path: Path) -> None:
    """H16: the checkpoint's result counts, not that closing went well."""
    path = tmp_path / "i.duckdb"
    script = Script().fail("seal", [1])
    with IndexWriter(path, open_store=_scripted(script)) as writer:
        writer.append(STREAMS, streams([1]))
        with pytest.raises(IndexWriteError):
            writer.publish("scan")
    assert list(tmp_path.iterdir()) == []


def test_statistics_h18(tmp_path: Path) -> None:
    """H18: rounds, batches, failures, restores, publications and leftovers are counted."""
    path = tmp_path / "i.duckdb"
    building_path(path, 99).write_bytes(b"left")
    building_path(path, 99).with_name("i.duckdb.building-99.wal").write_bytes(b"left")
    (tmp_path / "i.duckdb.building-99.tmp").mkdir()
    script = Script().fail("write", [1]).fail("sync", [2])
    with fresh_tally() as tally:
        with IndexWriter(path, open_store=_scripted(script), rounds=_rounds()) as writer:
            writer.append(STREAMS, streams([1]))
            writer.publish("scan")
            statistics = writer.statistics()
        assert tally[Counter.LEFTOVERS_SWEPT] == 3
    assert statistics.leftovers_swept == 3
    assert statistics.rounds_tried == 2
    assert statistics.write_failures == statistics.restores == 1
    assert statistics.batches_written == statistics.rows_written == 1
    assert statistics.sync_failures == 1
    assert statistics.publishes == 1
    assert statistics.unwritten_rows == 0
    assert statistics.busy_seconds > 0
    assert [p.name for p in tmp_path.iterdir()] == ["i.duckdb"]


def test_the_thread_has_a_name_h19() -> None:
    """H19: the thread can be told from others."""
    with IndexWorker(NullStore):
        assert THREAD_NAME in {thread.name for thread in threading.enumerate()}


class HeldOpenDisk(RealDisk):
    """A disk as on Windows, where an open file cannot be replaced."""

    def replace(self, source: Path, target: Path) -> None:
        """Refuse the published name only."""
        if target.suffix == ".duckdb":
            raise PermissionError(13, "The process cannot access the file")
        super().replace(source, target)


def test_a_finished_index_is_kept_aside_where_it_cannot_be_replaced(tmp_path: Path) -> None:
    """An index held open (Windows): retried for a while, then kept under a documented name."""
    target, building = tmp_path / "i.duckdb", tmp_path / "i.duckdb.building-1"
    target.write_bytes(b"old")
    building.write_bytes(b"new")
    times = iter(range(100))
    publication = Publication(
        building, target, HeldOpenDisk(), pause=lambda _: None, clock=lambda: float(next(times))
    )
    publication.stage = Stage.SEALED
    with fresh_tally() as tally, pytest.raises(IndexBusyError) as caught:
        publication.advance()
    assert tally[Counter.INDEX_KEPT_ASIDE] == 1
    assert kept_path(target).read_bytes() == b"new"
    assert target.read_bytes() == b"old"
    assert kept_path(target).name in caught.value.hint


def test_an_edit_that_comes_in_during_publication_is_refused_not_lost(tmp_path: Path) -> None:
    """D4, D5: between merge and replacement nobody can write to the index that goes."""
    import subprocess
    import sys

    path = tmp_path / "i.duckdb"
    with IndexWriter(path) as writer:
        writer.append(TRACKS, tracks([1]))
        writer.publish("old")
    edit = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('DELETE FROM tracks')"
    outcome: list[int] = []

    class EditingDisk(RealDisk):
        def sync_file(self, path_to_sync: Path) -> None:
            command = [sys.executable, "-c", edit, str(path)]
            outcome.append(subprocess.run(command, check=False, capture_output=True).returncode)
            super().sync_file(path_to_sync)

    with IndexWriter(path, disk=EditingDisk()) as writer:
        writer.append(TRACKS, tracks([1]))
        writer.publish("new")
    assert outcome == [1]
