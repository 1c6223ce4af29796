"""The integrity check: silent on a sound index, and each kind of damage is named."""

from pathlib import Path

import duckdb
import pytest
from support.index_rows import scanned_tags, tracks

from musefs.index.check import check_index
from musefs.index.edit.session import holding
from musefs.index.errors import IndexDamagedError, IndexMissingError
from musefs.index.schema.library_tables import TRACKS
from musefs.index.write import IndexWriter
from musefs.index.write.sweep import building_path, kept_path


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "i.duckdb"
    with IndexWriter(path) as writer:
        writer.append(TRACKS, tracks([1, 2]))
        writer.append(*scanned_tags({1: {"title": ["A"]}}))
        writer.publish("scan")
    return path


def test_a_sound_index_has_no_findings(index: Path) -> None:
    before = index.read_bytes()
    report = check_index(index)
    assert (report.problems, report.notes) == ((), ())
    assert report.generation == 1
    assert report.checks >= 100
    assert index.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP VIEW mftecmd", "view mftecmd"),
        ("DROP TRIGGER tags_insert_log ON tags", "tags_insert_log"),
        ("INSERT INTO tracks SELECT * FROM tracks", "share"),
        ("UPDATE tracks SET audio_length = 99999", "outside their file"),
        ("UPDATE meta SET entries = 5", "entries has 0 rows, meta says 5"),
        ("UPDATE tracks SET track_id = 50 WHERE track_id = 2", "highest track_id"),
        (
            "INSERT INTO art VALUES (1, 0, 3, 'a/b', '', 0, 0, 0, 0, 5, 'raw', 0, NULL, 'no')",
            "data is not there",
        ),
        (
            "INSERT INTO streams VALUES (5, 's', NULL, 1, 1)",
            "streams has 1 rows, meta says 0",
        ),
    ],
)
def test_damage_is_named_with_what_to_do(index: Path, statement: str, said: str) -> None:
    with duckdb.connect(str(index)) as con:
        con.execute(statement)
    report = check_index(index)
    assert any(said in finding.message and finding.hint for finding in report.problems)


def test_what_users_may_do_is_a_note(index: Path) -> None:
    with duckdb.connect(str(index)) as con:
        con.execute("DELETE FROM tracks WHERE track_id = 1")
        con.execute("INSERT INTO tags VALUES (2, 'Mood', 0, 'a'), (2, 'Mood', 0, 'b')")
    building_path(index, 4).touch()
    kept_path(index).touch()
    report = check_index(index)
    assert report.problems == ()
    said = " ".join(note.message for note in report.notes)
    for part in ("without a track", "lower case", "share", "building-4", "meta says 2", ".new"):
        assert part in said


def test_no_index_raises(tmp_path: Path) -> None:
    with pytest.raises(IndexMissingError):
        check_index(tmp_path / "none")


def test_an_index_cut_off_in_its_blocks_is_damaged_and_no_bug(index: Path) -> None:
    whole = index.read_bytes()
    index.write_bytes(whole[: len(whole) // 4])
    with pytest.raises(IndexDamagedError, match="cannot be read"):
        check_index(index)
    with pytest.raises(IndexDamagedError, match="cannot be read"):
        _hold_and_read(index)


def _hold_and_read(index: Path) -> None:
    with holding(index, read_only=True) as con:
        for table in ("tags", "tracks", "scanned_tags"):
            con.execute(f"SELECT * FROM {table}").fetchall()
