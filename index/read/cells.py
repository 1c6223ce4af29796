"""Single cells of Arrow tables, read fast: a mount reads a few rows of a track at each open.

Arrow is made for columns: a slice, a scalar or a `to_pylist` of three rows costs several
microseconds each, twenty times a file. Here every column of every batch gets, when it is first
used, readers over the memory that Arrow has mapped; nothing is copied but what is asked for.
Memoryviews hand out Python integers several times as fast as arrays do.
"""

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Column = Any
"""An Arrow array of any kind: which attributes it has depends on its type at run time."""

One = Callable[[int], Any]
"""Value of one row, as a Python object."""

Many = Callable[[int, int], list[Any]]
"""Values of the rows from the first number up to the second."""


class Reader(NamedTuple):
    """Two ways to read a column."""

    one: One
    many: Many


class Cells:
    """The cells of one table; rows are counted over all of its batches."""

    __slots__ = ("_batches", "_many", "_ones", "_readers", "_starts")

    def __init__(self, table: pa.Table) -> None:
        self._batches = table.to_batches()
        self._starts = [0, *accumulate(batch.num_rows for batch in self._batches)]
        self._readers: dict[tuple[int, str], Reader] = {}
        self._ones: dict[tuple[int, tuple[str, ...]], list[One]] = {}
        self._many: dict[tuple[int, tuple[str, ...]], list[Many]] = {}

    def row(self, number: int, names: tuple[str, ...]) -> list[Any]:
        """Return some columns of one row."""
        batch = bisect_right(self._starts, number) - 1
        ones = self._ones.get((batch, names))
        if ones is None:
            ones = [self._reader(batch, name).one for name in names]
            self._ones[batch, names] = ones
        at = number - self._starts[batch]
        return [one(at) for one in ones]

    def rows(self, begin: int, end: int, names: tuple[str, ...]) -> list[list[Any]]:
        """Return some columns of the rows from `begin` up to `end`."""
        if begin >= end:
            return [[] for _ in names]
        batch = bisect_right(self._starts, begin) - 1
        border = self._starts[batch + 1]
        if end > border:
            first, rest = self.rows(begin, border, names), self.rows(border, end, names)
            return [one + other for one, other in zip(first, rest, strict=True)]
        many = self._many.get((batch, names))
        if many is None:
            many = [self._reader(batch, name).many for name in names]
            self._many[batch, names] = many
        start = self._starts[batch]
        return [read(begin - start, end - start) for read in many]

    def _reader(self, batch: int, name: str) -> Reader:
        reader = self._readers.get((batch, name))
        if reader is None:
            reader = self._readers[batch, name] = reader_of(self._batches[batch].column(name))
        return reader


def reader_of(column: Column) -> Reader:
    """Return the fastest reader for a column; any column has one."""
    if column.null_count == len(column):
        return _by_one(lambda _: None)
    if pa.types.is_list(column.type) and pa.types.is_struct(column.type.value_type):
        return _spans(column)
    if pa.types.is_dictionary(column.type):
        return _words(column)
    if column.type in (pa.string(), pa.binary()):
        return _texts(column)
    if column.null_count == 0 and pa.types.is_boolean(column.type):
        flags: npt.NDArray[np.bool_] = column.to_numpy(zero_copy_only=False)
        return _plain(flags.data)
    if pa.types.is_integer(column.type):
        return _numbers(column)
    return _by_one(lambda at: column[at].as_py())


def _by_one(one: One) -> Reader:
    def many(begin: int, end: int) -> list[Any]:
        return [one(at) for at in range(begin, end)]

    return Reader(one, many)


def _or_none(column: Column, reader: Reader) -> Reader:
    """Return a reader that gives None where the column has no value."""
    present = column.buffers()[0]
    if column.null_count == 0 or present is None:
        return reader
    bits, shift, one = memoryview(present), column.offset, reader.one
    return _by_one(
        lambda at: one(at) if bits[(at + shift) >> 3] >> ((at + shift) & 7) & 1 else None
    )


def _plain(values: "memoryview[Any]") -> Reader:
    one: One = values.__getitem__

    def many(begin: int, end: int) -> list[Any]:
        return values[begin:end].tolist()

    return Reader(one, many)


def _integers(column: Column) -> "memoryview[int]":
    """Return the numbers of a column; anything where it has no value."""
    kind: npt.DTypeLike = column.type.to_pandas_dtype()
    values: npt.NDArray[Any] = np.frombuffer(column.buffers()[1], kind)
    return values[column.offset : column.offset + len(column)].data


def _numbers(column: Column) -> Reader:
    return _or_none(column, _plain(_integers(column)))


def _words(column: Column) -> Reader:
    words: list[Any] = column.dictionary.to_pylist()
    codes = _integers(column.indices)

    def one(at: int) -> object:
        return words[codes[at]]

    def many(begin: int, end: int) -> list[Any]:
        return [words[code] for code in codes[begin:end]]

    return _or_none(column.indices, Reader(one, many))


def _texts(column: Column) -> Reader:
    _, offsets, data = column.buffers()
    as_text = column.type == pa.string()
    if offsets is None or data is None:  # nothing but empty values
        empty: Any = "" if as_text else b""
        return _or_none(column, _by_one(lambda _: empty))
    ends = np.frombuffer(offsets, np.int32)[column.offset :].data
    content = memoryview(data)
    if as_text:
        reader = _by_one(lambda at: str(content[ends[at] : ends[at + 1]], "utf-8"))
    else:
        reader = _by_one(lambda at: bytes(content[ends[at] : ends[at + 1]]))
    return _or_none(column, reader)


def _spans(column: Column) -> Reader:
    """Return a reader that gives each list as a tuple of (offset, length); NULL is none."""
    ends: memoryview[int] = column.offsets.to_numpy().data
    starts: memoryview[int] = column.values.field(0).to_numpy(zero_copy_only=False).data
    lengths: memoryview[int] = column.values.field(1).to_numpy(zero_copy_only=False).data

    def one(at: int) -> tuple[tuple[int, int], ...]:
        first, behind = ends[at], ends[at + 1]
        if behind - first == 1:
            return ((starts[first], lengths[first]),)
        return tuple(zip(starts[first:behind], lengths[first:behind], strict=True))

    return _by_one(one)
