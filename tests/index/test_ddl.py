"""The schema as users meet it: comments everywhere, enums, views that run, triggers that log."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from support.index_rows import insert

from musefs.index.schema.column import Table
from musefs.index.schema.ddl import (
    ENUMS,
    TABLES,
    create_tables,
    create_triggers,
    drop_triggers,
)
from musefs.index.schema.page import render_page
from musefs.index.schema.triggers import TRIGGERS
from musefs.index.schema.views import VIEWS, View


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        create_tables(con)
        yield con


def test_every_table_column_and_view_has_a_comment(con: duckdb.DuckDBPyConnection) -> None:
    create_triggers(con)
    bare = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE comment IS NULL "
        "UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NULL "
        "UNION ALL SELECT table_name || '.' || column_name FROM duckdb_columns() "
        "WHERE NOT internal AND comment IS NULL "
        "AND table_name IN (SELECT table_name FROM duckdb_tables())"
    ).fetchall()
    assert bare == []


def test_enumerations_are_real_types_in_member_order(con: duckdb.DuckDBPyConnection) -> None:
    for enum in ENUMS:
        members = [str(member.value) for member in enum]
        assert members
        (kind,) = con.execute(
            "SELECT labels FROM duckdb_types() WHERE logical_type = 'ENUM' AND labels = ?",
            [members],
        ).fetchone() or (None,)
        assert kind == members


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_an_empty_batch_of_each_table_fits(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    insert(con, table, pa.Table.from_batches([], schema=table.arrow_schema))


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_view_runs_on_an_empty_index(con: duckdb.DuckDBPyConnection, view: View) -> None:
    create_triggers(con)
    names = {row[0] for row in con.execute(f"DESCRIBE {view.name}").fetchall()}
    assert set(view.columns) <= names
    con.execute(f"FROM {view.name}").fetchall()


def test_triggers_can_be_dropped_and_made_again(con: duckdb.DuckDBPyConnection) -> None:
    create_triggers(con)
    assert con.execute("SELECT count(*) FROM duckdb_triggers()").fetchone() == (len(TRIGGERS),)
    drop_triggers(con)
    assert con.execute("SELECT count(*) FROM duckdb_triggers()").fetchone() == (0,)


_CLIENT = """
import duckdb, json, sys
con = duckdb.connect(sys.argv[1])
for statement in json.loads(sys.argv[2]):
    con.execute(statement)
con.close()
"""


def _as_a_user(path: Path, *statements: str) -> None:
    """Run statements with the plain client in another process, as a user would."""
    command = [sys.executable, "-c", _CLIENT, str(path), json.dumps(statements)]
    subprocess.run(command, check=True)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "library.duckdb"
    with duckdb.connect(str(path)) as con:
        create_tables(con)
        con.execute(
            "INSERT INTO tracks (track_id, record_number, sequence, path, format, size, mtime_ns,"
            " ctime_ns, lsn, audio_offset, audio_length, synthesised, state)"
            " SELECT i, 40 + i, 1, '/Music/' || i || '.flac', 'flac', 9, 0, 0, 0, 0, 9, true,"
            " 'present' FROM range(1, 4) t(i)"
        )
        con.execute("INSERT INTO tags SELECT i, 'title', 0, 'Song ' || i FROM range(1, 4) t(i)")
        create_triggers(con)
    return path


def _rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(sql).fetchall()


def test_an_update_from_a_plain_client_is_versioned_logged_and_undoable(library: Path) -> None:
    _as_a_user(library, "UPDATE tags SET value = 'Other' WHERE track_id <= 2")
    assert _rows(library, "SELECT track_id, content_version FROM track_versions ORDER BY 1") == [
        (1, 2),
        (2, 3),
        (3, 1),
    ]
    assert _rows(library, "SELECT sequence, track_id, kind FROM changes ORDER BY 1") == [
        (1, 1, "tags"),
        (2, 2, "tags"),
    ]
    assert _rows(
        library, "SELECT change_set, track_id, key, before, after FROM edits ORDER BY 2"
    ) == [(1, 1, "title", "Song 1", "Other"), (1, 2, "title", "Song 2", "Other")]


def test_renaming_a_key_and_moving_a_row_touch_both_sides(library: Path) -> None:
    _as_a_user(library, "UPDATE tags SET track_id = 3 WHERE track_id = 1")
    assert _rows(library, "SELECT track_id FROM changes ORDER BY 1") == [(1,), (3,)]
    _as_a_user(library, "UPDATE tags SET key = 'subtitle' WHERE track_id = 2")
    assert _rows(
        library, "SELECT key, before, after FROM edits WHERE change_set = 2 ORDER BY key"
    ) == [("subtitle", None, "Song 2"), ("title", "Song 2", None)]


def test_inserts_deletes_art_and_tracks_are_logged_by_kind(library: Path) -> None:
    _as_a_user(
        library,
        "INSERT INTO tags (track_id, key, value) VALUES (1, 'mood', 'calm')",
        "DELETE FROM tags WHERE track_id = 2",
        "INSERT INTO art VALUES (3, 0, 3, 'image/png', '', 0, 0, 0, 0, 1, 'raw', 0, NULL, 'ab')",
        "INSERT INTO art_data VALUES ('ab', 'image/png', 0, 0, '\\x00'::BLOB)",
        "UPDATE art_data SET mime = 'image/jpeg'",
        "UPDATE tracks SET path = '/Music/x.flac' WHERE track_id = 1",
        "UPDATE tracks SET reason = 'not served' WHERE track_id = 1",
        "DELETE FROM tracks WHERE track_id = 2",
    )
    assert _rows(library, "SELECT track_id, kind FROM changes ORDER BY sequence") == [
        (1, "tags"),
        (2, "tags"),
        (3, "art"),
        (3, "art"),
        (1, "track"),
        (2, "removed"),
    ]
    assert _rows(library, "SELECT content_version FROM track_versions WHERE track_id = 3") == [(5,)]


def test_the_change_log_only_grows(library: Path) -> None:
    _as_a_user(library, "UPDATE tags SET value = 'a'", "DELETE FROM changes WHERE sequence > 99")
    with duckdb.connect(str(library)) as con:
        for statement in ("DELETE FROM changes", "UPDATE changes SET sequence = 1"):
            with pytest.raises(duckdb.InvalidInputException, match="changes only grows"):
                con.execute(statement)
    assert _rows(library, "SELECT count(*) FROM changes") == [(3,)]
    assert _rows(library, "SELECT count(*) FROM problems") == [(0,)]


def test_two_statements_are_two_change_sets(library: Path) -> None:
    _as_a_user(
        library,
        "UPDATE tags SET value = 'a' WHERE track_id = 1",
        "UPDATE tags SET value = 'b' WHERE track_id = 1",
    )
    assert _rows(library, "SELECT change_set, before, after FROM edits ORDER BY 1") == [
        (1, "Song 1", "a"),
        (2, "a", "b"),
    ]


def test_the_page_about_the_schema_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "index-schema.md"
    assert page.read_text(encoding="utf-8") == render_page()
