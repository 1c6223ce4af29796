"""Single cells of Arrow tables, read fast: a mount reads a few rows of a track at each open.

Arrow is made for columns: a slice, a scalar or a `to_pylist` of three rows costs several
microseconds each, twenty times a file. Here every column of every batch gets, when it is first
used, a reader over the memory that Arrow has mapped; nothing is copied but what is asked for.
"""

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Column = Any
"""An Arrow array of any kind: which attributes it has depends on its type at run time."""

Reader = Callable[[int, int], list[Any]]
"""Values of the rows from the first number up to the second, as Python objects."""


class Cells:
    """The cells of one table; rows are counted over all of its batches."""

    __slots__ = ("_batches", "_readers", "_starts")

    def __init__(self, table: pa.Table) -> None:
        self._batches = table.to_batches()
        self._starts = [0, *accumulate(batch.num_rows for batch in self._batches)]
        self._readers: dict[tuple[int, str], Reader] = {}

    def row(self, number: int, names: tuple[str, ...]) -> list[Any]:
        """Return some columns of one row."""
        batch = bisect_right(self._starts, number) - 1
        at = number - self._starts[batch]
        return [self._reader(batch, name)(at, at + 1)[0] for name in names]

    def rows(self, begin: int, end: int, names: tuple[str, ...]) -> list[list[Any]]:
        """Return some columns of the rows from `begin` up to `end`."""
        if begin >= end:
            return [[] for _ in names]
        batch = bisect_right(self._starts, begin) - 1
        if end <= self._starts[batch + 1]:
            start = self._starts[batch]
            return [self._reader(batch, name)(begin - start, end - start) for name in names]
        border = self._starts[batch + 1]
        first, rest = self.rows(begin, border, names), self.rows(border, end, names)
        return [one + other for one, other in zip(first, rest, strict=True)]

    def _reader(self, batch: int, name: str) -> Reader:
        reader = self._readers.get((batch, name))
        if reader is None:
            reader = self._readers[batch, name] = reader_of(self._batches[batch].column(name))
        return reader


def reader_of(column: Column) -> Reader:
    """Return the fastest reader for a column; any column has one."""
    if column.null_count == len(column):
        return lambda begin, end: [None] * (end - begin)
    if pa.types.is_list(column.type) and pa.types.is_struct(column.type.value_type):
        return _spans(column)
    if column.null_count == 0:
        if pa.types.is_dictionary(column.type):
            return _words(column)
        if column.type in (pa.string(), pa.binary()):
            return _texts(column)
        if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
            numbers: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
            return lambda begin, end: numbers[begin:end].tolist()
    return lambda begin, end: column.slice(begin, end - begin).to_pylist()


def _words(column: Column) -> Reader:
    words: list[Any] = column.dictionary.to_pylist()
    codes: npt.NDArray[Any] = column.indices.to_numpy()
    return lambda begin, end: [words[code] for code in codes[begin:end].tolist()]


def _texts(column: Column) -> Reader:
    _, offsets, data = column.buffers()
    as_text = column.type == pa.string()
    if offsets is None or data is None:  # nothing but empty values
        empty: Any = "" if as_text else b""
        return lambda begin, end: [empty] * (end - begin)
    ends: npt.NDArray[np.int32] = np.frombuffer(offsets, np.int32)[column.offset :]
    content = memoryview(data)

    def read(begin: int, end: int) -> list[Any]:
        cuts: list[int] = ends[begin : end + 1].tolist()
        pieces = [bytes(content[first:behind]) for first, behind in pairwise(cuts)]
        return [piece.decode() for piece in pieces] if as_text else pieces

    return read


def _spans(column: Column) -> Reader:
    """Return a reader that gives each list as a tuple of (offset, length); NULL is none."""
    ends: npt.NDArray[np.int32] = column.offsets.to_numpy()
    starts: npt.NDArray[np.int64] = column.values.field(0).to_numpy(zero_copy_only=False)
    lengths: npt.NDArray[np.int64] = column.values.field(1).to_numpy(zero_copy_only=False)

    def read(begin: int, end: int) -> list[Any]:
        cuts: list[int] = ends[begin : end + 1].tolist()
        return [
            tuple(zip(starts[a:b].tolist(), lengths[a:b].tolist(), strict=True))
            for a, b in pairwise(cuts)
        ]

    return read
