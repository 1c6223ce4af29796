"""The empty index that scans copy: the same as one made from the declarations, and never a must."""

from pathlib import Path

import pytest

from musefs.index.read.attach import connect_memory
from musefs.index.schema.ddl import create_tables, quote_text
from musefs.index.write.blank import blank_path, make_tables

CATALOGUE = """
SELECT table_name, column_name, data_type, is_nullable, comment FROM duckdb_columns()
WHERE database_name = '{0}' UNION ALL
SELECT view_name, sql, NULL, NULL, comment FROM duckdb_views()
WHERE database_name = '{0}' AND NOT internal UNION ALL
SELECT table_name, sql, NULL, NULL, comment FROM duckdb_tables() WHERE database_name = '{0}'
ORDER BY ALL
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _made(path: Path) -> list[tuple[object, ...]]:
    with connect_memory(1) as con:
        con.execute(f"ATTACH {quote_text(str(path))} AS made")
        make_tables(con, "made")
        return con.execute(CATALOGUE.format("made")).fetchall()


def _declared(path: Path) -> list[tuple[object, ...]]:
    with connect_memory(1) as con:
        con.execute(f"ATTACH {quote_text(str(path))} AS made")
        con.execute("USE made")
        create_tables(con)
        return con.execute(CATALOGUE.format("made")).fetchall()


def test_a_copy_has_everything_that_was_declared(tmp_path: Path) -> None:
    first, second = _made(tmp_path / "1.duckdb"), _made(tmp_path / "2.duckdb")
    assert blank_path().exists()
    assert first == second == _declared(tmp_path / "3.duckdb")
    assert len(first) > 300


def test_each_copy_is_a_database_of_its_own(tmp_path: Path) -> None:
    for name in ("1.duckdb", "2.duckdb"):
        _made(tmp_path / name)
    heads = {(tmp_path / name).read_bytes()[:4096] for name in ("1.duckdb", "2.duckdb")}
    assert len(heads) == 2


def test_a_damaged_blank_is_replaced(tmp_path: Path) -> None:
    expected = _made(tmp_path / "1.duckdb")
    blank_path().write_bytes(b"no database")
    assert _made(tmp_path / "2.duckdb") == expected
    assert not blank_path().exists()
    assert _made(tmp_path / "3.duckdb") == expected
    assert blank_path().exists()


def test_without_a_cache_the_tables_are_made(tmp_path: Path, cache: Path) -> None:
    cache.write_text("in the way")
    assert _made(tmp_path / "1.duckdb") == _declared(tmp_path / "2.duckdb")
