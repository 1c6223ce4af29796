"""What the narrow tables keep is what the views show: every value, also those that do not fit."""

from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.index_rows import insert, rows

from musefs.index.schema.column import Column, Kind, Table
from musefs.index.schema.ddl import STORAGES, create_tables
from musefs.index.schema.storage import storage_of
from musefs.index.schema.volume_tables import ENTRIES, NAMES

_NUMBERS = {
    Kind.INTEGER: st.integers(0, 2**31 - 1),
    Kind.UINTEGER: st.integers(0, 2**32 - 1),
    Kind.BIGINT: st.integers(0, 2**63 - 1),
    Kind.UBIGINT: st.integers(0, 2**64 - 1),
    Kind.BOOLEAN: st.booleans(),
    Kind.TEXT: st.text(st.characters(exclude_categories=["Cs"])),
    Kind.BLOB: st.binary(),
}


def _value(column: Column) -> st.SearchStrategy[Any]:
    if column.enum is not None:
        return st.sampled_from([member.value for member in column.enum])
    kind = _NUMBERS[column.kind]
    return st.none() | kind if column.nullable else kind


def _row(table: Table) -> st.SearchStrategy[dict[str, Any]]:
    fixed = {c.name: _value(c) for c in table.stored if c.name not in (*table.key, "valid_size")}
    return st.fixed_dictionaries(fixed)


def _kept(table: Table, given_rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Store rows and return what the view says, in the order of the first key column."""
    with duckdb.connect() as con:
        create_tables(con)
        insert(con, table, rows(table, given_rows))
        listed = ", ".join(column.name for column in table.stored)
        shown = con.sql(f"SELECT {listed} FROM {table.name} ORDER BY {table.key[0]}")
        return shown.to_arrow_table().to_pylist()


@given(st.lists(_row(ENTRIES), max_size=5), st.data())
def test_entries_come_back_as_they_were_given(
    given_rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    for number, row in enumerate(given_rows):
        written = st.integers(0, row["size"]) if row["size"] is not None else st.none()
        row |= {"entry_id": number, "valid_size": data.draw(written)}
    assert _kept(ENTRIES, given_rows) == given_rows


@given(st.lists(_row(NAMES), max_size=5), st.data())
def test_names_come_back_as_they_were_given(
    given_rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    for number, row in enumerate(given_rows):
        row |= {"entry_id": number, "ordinal": data.draw(st.integers(0, 2**31 - 1))}
    assert _kept(NAMES, given_rows) == given_rows


def test_ordinary_rows_leave_the_rare_table_empty() -> None:
    with duckdb.connect() as con:
        create_tables(con)
        ordinary = {"size": 5, "valid_size": 5, "link_count": 255, "name_count": 2}
        insert(con, ENTRIES, rows(ENTRIES, [ordinary]))
        insert(con, ENTRIES, rows(ENTRIES, [ordinary | {"entry_id": 1, "link_count": 256}]))
        counted = con.execute("SELECT entry_id, link_count FROM entries_rare").fetchall()
        assert counted == [(1, 256)]
        shown = con.execute("SELECT link_count FROM entries ORDER BY entry_id").fetchall()
        assert shown == [(255,), (256,)]


def test_a_key_in_bits_has_room_for_every_value() -> None:
    for storage in STORAGES.values():
        keys = [place for place in storage.packed if place.column.name in storage.table.key]
        assert not any(place.may_overflow for place in keys)


def test_more_bits_than_a_number_has_are_refused() -> None:
    wide = tuple(Column(f"n{i}", Kind.INTEGER, "a number", bits=31) for i in range(3))
    with pytest.raises(ValueError, match="packs 93 bits"):
        storage_of(Table("wide", "too wide", wide))
