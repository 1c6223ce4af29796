"""Cells of Arrow tables are what Arrow says they are, in every kind of column and batch."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musefs.index.read.cells import Cells
from musefs.index.schema.column import Kind

SPANS = [[{"offset": 1, "length": 2}], [], None, [{"offset": 3, "length": 4}] * 2]
COLUMNS: dict[str, Any] = {
    "numbers": pa.array([1, 2, 1 << 40, -4]),
    "some": pa.array([1, None, 3, None]),
    "none": pa.nulls(4, pa.int64()),
    "flags": pa.array([True, False, True, True]),
    "texts": pa.array(["a", "", "þriðja", "音"]),
    "maybe": pa.array(["a", None, "c", None]),
    "bytes": pa.array([b"\0", b"", b"\xff\xfe", b"x"]),
    "empty": pa.array(["", "", "", ""]),
    "words": pa.array(["k", "l", "k", "m"]).dictionary_encode(),
    "reals": pa.array([0.5, 1.5, -1.0, 2.0]),
    "spans": pa.array(SPANS, Kind.SPANS.arrow),
}
TABLE = pa.table(COLUMNS)
NAMES = tuple(COLUMNS)


def expected(table: pa.Table, begin: int, end: int) -> list[list[Any]]:
    found = [table.column(name).to_pylist()[begin:end] for name in NAMES]
    as_pairs = [tuple((s["offset"], s["length"]) for s in spans or ()) for spans in found[-1]]
    return [*found[:-1], as_pairs]


@given(st.lists(st.integers(0, 4), max_size=6), st.integers(0, 24), st.integers(0, 24))
def test_any_rows_over_any_batches(cuts: list[int], begin: int, length: int) -> None:
    pieces = [TABLE.slice(cut, 4 - cut) for cut in cuts] or [TABLE]
    table = pa.concat_tables(pieces)
    begin = min(begin, table.num_rows)
    end = min(begin + length, table.num_rows)
    assert Cells(table).rows(begin, end, NAMES) == expected(table, begin, end)


@pytest.mark.parametrize("number", range(8))
def test_one_row(number: int) -> None:
    table = pa.concat_tables([TABLE, TABLE])
    whole = expected(table, 0, 8)
    assert Cells(table).row(number, NAMES) == [column[number] for column in whole]


def test_no_rows_of_an_empty_table() -> None:
    assert Cells(TABLE.slice(0, 0)).rows(0, 0, ("texts",)) == [[]]
