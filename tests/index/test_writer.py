"""The writer from outside: what was appended is published, whole, with its views and triggers."""

import threading
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from support.index_rows import scanned_tags, streams, tracks

from musefs.index.counters import Counter
from musefs.index.errors import IndexBusyError, IndexMissingError, IndexWriteError, NotAnIndexError
from musefs.index.schema.ddl import SCHEMA_VERSION
from musefs.index.schema.library_tables import TAGS, TRACKS
from musefs.index.schema.volume_tables import STREAMS
from musefs.index.write import IndexWriter
from musefs.index.write.store import Store


def test_what_was_appended_is_published(tmp_path: Path) -> None:
    path = tmp_path / "index.duckdb"
    with IndexWriter(path, tool_version="1.2") as writer:
        futures = [writer.append(STREAMS, streams(range(n, n + 10))) for n in range(0, 100, 10)]
        report = writer.publish("scan-1")
    assert [future.result(0).write_error for future in futures] == [None] * 10
    assert report.generation == 1
    with duckdb.connect(str(path), read_only=True) as con:
        assert con.execute("SELECT list(entry_id ORDER BY rowid) FROM streams").fetchone() == (
            list(range(100)),
        )
        assert con.execute(
            "SELECT schema_version, tool_version, generation, streams, index_id FROM meta"
        ).fetchone() == (SCHEMA_VERSION, "1.2", 1, 100, report.index_id)
        con.execute("FROM files").fetchall()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["index.duckdb"]


def test_generations_count_and_the_index_keeps_its_id(tmp_path: Path) -> None:
    path = tmp_path / "index.duckdb"
    reports = []
    for scan in ("a", "b", "c"):
        with IndexWriter(path) as writer:
            writer.append(TRACKS, tracks([1, 2]))
            reports.append(writer.publish(scan))
    assert [report.generation for report in reports] == [1, 2, 3]
    assert len({report.index_id for report in reports}) == 1


def test_first_scan_serves_what_the_files_say(tmp_path: Path) -> None:
    path = tmp_path / "index.duckdb"
    with IndexWriter(path) as writer:
        writer.append(TRACKS, tracks([1]))
        writer.append(*scanned_tags({1: {"title": ["A", "B"]}}))
        writer.publish("scan")
    with duckdb.connect(str(path)) as con:
        assert con.execute("SELECT value FROM tags ORDER BY ordinal").fetchall() == [("A",), ("B",)]
        assert con.execute("SELECT count(*) FROM changes").fetchone() == (0,)


def test_leaving_without_publishing_leaves_nothing(tmp_path: Path) -> None:
    with IndexWriter(tmp_path / "index.duckdb") as writer:
        writer.append(STREAMS, streams(range(5)))
    assert list(tmp_path.iterdir()) == []


def test_a_second_scanner_is_told_who_holds_the_index(tmp_path: Path) -> None:
    import os

    path = tmp_path / "index.duckdb"
    with IndexWriter(path), pytest.raises(IndexBusyError, match=f"in use by pid {os.getpid()}"):
        IndexWriter(path).__enter__()
    with IndexWriter(path) as writer:
        writer.publish("free again")


@pytest.mark.parametrize("content", [b"", b"hello" * 4000], ids=["empty", "foreign"])
def test_a_file_that_is_no_index_is_never_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(NotAnIndexError), IndexWriter(path):
        pass
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_directory_and_a_missing_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IndexWriteError, match="is a directory"), IndexWriter(tmp_path):
        pass
    with pytest.raises(IndexWriteError, match="does not exist"), IndexWriter(tmp_path / "a" / "b"):
        pass


def test_a_file_that_appears_during_the_scan_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "index.duckdb"
    with IndexWriter(path) as writer:
        path.write_text("mine")
        with pytest.raises(NotAnIndexError, match="came into being"):
            writer.publish("scan")
    assert path.read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["index.duckdb"]


def test_an_index_that_vanishes_during_the_scan_is_said(tmp_path: Path) -> None:
    path = tmp_path / "index.duckdb"
    with IndexWriter(path) as writer:
        writer.publish("scan")
    with IndexWriter(path) as writer:
        path.unlink()
        with pytest.raises(IndexMissingError, match="removed while"):
            writer.publish("scan")


def test_a_building_file_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    def refuse(_path: Path) -> Store:
        raise PermissionError(13, "Permission denied")

    with (
        pytest.raises(IndexWriteError, match="permission denied"),
        IndexWriter(tmp_path / "i.duckdb", open_store=refuse) as writer,
    ):
        writer.publish("scan")
    assert list(tmp_path.iterdir()) == []


def test_an_error_breaks_off_what_the_database_is_doing(tmp_path: Path) -> None:
    def stop_during_long_work() -> None:
        with IndexWriter(tmp_path / "i.duckdb") as writer:
            threading.Timer(0.3, writer._worker.interrupt).start()
            writer.execute(
                lambda con: con.execute("SELECT count(*) FROM range(100000000000) a, range(9) b")
            )

    started = time.monotonic()
    with pytest.raises(IndexWriteError):
        stop_during_long_work()
    assert time.monotonic() - started < 10
    assert list(tmp_path.iterdir()) == []


def test_an_error_after_publication_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "i.duckdb"

    def fail_late() -> None:
        with IndexWriter(path) as writer:
            writer.publish("scan")
            raise KeyError("late")

    with pytest.raises(KeyError):
        fail_late()
    assert [p.name for p in tmp_path.iterdir()] == ["i.duckdb"]


def test_other_work_sees_everything_appended_before_it(tmp_path: Path) -> None:
    with IndexWriter(tmp_path / "index.duckdb") as writer:
        writer.append(STREAMS, streams(range(7)))
        count = writer.execute(lambda con: con.execute("SELECT count(*) FROM streams").fetchone())
        assert count == (7,)


@pytest.mark.expected_degradations(Counter.BATCH_RESTORES)
def test_a_refused_batch_fails_the_writer_and_publishes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "index.duckdb"
    bad = pa.table(
        {"track_id": [1], "key": ["a"], "ordinal": [0], "value": pa.nulls(1, pa.string())}
    )
    with IndexWriter(path) as writer:
        future = writer.append(TAGS, bad)
        with pytest.raises(IndexWriteError, match="NOT NULL"):
            writer.publish("scan")
        assert future.result(0).write_error is not None
        assert writer.statistics().restores == 3
    assert list(tmp_path.iterdir()) == []
    assert "kept" in caplog.text
