"""Which entries are audio by their names, and what the query says of them."""

import duckdb
import pytest
from support.index_rows import insert, rows

from musefs.index.schema.ddl import create_tables
from musefs.index.schema.volume_tables import CONTENTS, DIRECTORIES, ENTRIES, NAMES
from musefs.pipeline.tag.candidates import CANDIDATE_COLUMNS, audio_candidates

MODIFIED = 133_000_000_000_000_000
UNIX_NS = (MODIFIED - 116_444_736_000_000_000) * 100


def add_entry(con: duckdb.DuckDBPyConnection, number: int, name: str, **changes: object) -> None:
    entry: dict[str, object] = {
        "entry_id": number, "record_number": number, "sequence": 2, "in_use": True,
        "is_directory": False, "size": 1000, "allocated": 4096, "created_raw": 0,
        "modified_raw": MODIFIED, "changed_raw": MODIFIED + 7, "accessed_raw": 0,
        "attributes": 0, "lsn": 99, "link_count": 1, "name_count": 1, "stream_count": 0,
        "state": "ok",
    } | {k: v for k, v in changes.items() if k not in ("parent", "first_byte")}  # fmt: skip
    link = {
        "entry_id": number, "ordinal": 0, "name": name, "namespace": "win32",
        "parent_record": changes.get("parent", 5), "parent_sequence": 5,
    }  # fmt: skip
    insert(con, ENTRIES, rows(ENTRIES, [entry]))
    insert(con, NAMES, rows(NAMES, [link]))
    if "first_byte" in changes:
        place = changes["first_byte"]
        content = {
            "entry_id": number, "kind": "runs", "size": 1000, "valid_size": 900,
            "first_byte": place, "runs": [{"offset": place, "length": 4096}],
        }  # fmt: skip
        insert(con, CONTENTS, rows(CONTENTS, [content]))


def add_directory(con: duckdb.DuckDBPyConnection, number: int, path: str, state: str) -> None:
    folder = {
        "entry_id": number, "record_number": number, "sequence": 5, "path": path,
        "depth": 1, "hidden": False, "path_state": state,
    }  # fmt: skip
    insert(con, DIRECTORIES, rows(DIRECTORIES, [folder]))


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    create_tables(con)
    add_directory(con, 5, "/", "ok")
    add_directory(con, 6, "/$RECYCLE.BIN/S-1/", "ok")
    add_directory(con, 7, "/lost/", "orphan")
    return con


def test_names_choose_and_places_order(con: duckdb.DuckDBPyConnection) -> None:
    add_entry(con, 40, "late.FLAC", first_byte=900_000)
    add_entry(con, 41, "early.mp3", first_byte=4096)
    add_entry(con, 42, "nowhere.Opus")
    add_entry(con, 43, "text.txt")
    add_entry(con, 44, "._early.mp3")
    add_entry(con, 45, "mp3")
    add_entry(con, 46, "folder.mp3", is_directory=True)
    add_entry(con, 47, "deleted.mp3", in_use=False)
    add_entry(con, 48, "$R1234.mp3", parent=6)
    add_entry(con, 49, "orphan.mp3", parent=7)
    add_entry(con, 50, "link.mp3", reparse_target="early.mp3")
    add_entry(con, 51, "pipe.mp3", size=None)
    frame = audio_candidates(con)
    assert frame["path"].to_list() == ["/early.mp3", "/late.FLAC", "/nowhere.Opus"]
    assert dict(frame.schema) == CANDIDATE_COLUMNS
    first = frame.row(0, named=True)
    assert (first["mtime_ns"], first["ctime_ns"]) == (UNIX_NS, UNIX_NS + 700)
    assert (first["run_offsets"], first["run_lengths"]) == ([4096], [4096])
    assert (first["size"], first["valid_size"], first["lsn"], first["kind"]) == (
        1000,
        900,
        99,
        "runs",
    )


def test_names_that_are_no_unicode_keep_their_bytes(con: duckdb.DuckDBPyConnection) -> None:
    add_entry(con, 40, "plain.mp3")
    add_entry(con, 41, "odd\\udc80.mp3")
    con.execute("INSERT INTO names_rare SELECT 41, 0, 'odd\\x80.mp3'::BLOB, NULL")
    frame = audio_candidates(con)
    assert frame["path_bytes"].to_list() == [None, b"/odd\x80.mp3"]
