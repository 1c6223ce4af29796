"""From the rows that stages hand over to the narrow rows that are kept; whole columns at once."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from musefs.index.schema.ddl import STORAGES
from musefs.index.schema.storage import PACKED, Storage

if TYPE_CHECKING:
    import pyarrow as pa

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.uint64]


def kept_rows(table: str, rows: "pa.Table") -> "list[tuple[str, pa.Table]]":
    """Return the tables that rows of `table` are kept in, each with its rows."""
    storage = STORAGES.get(table)
    if storage is None:
        return [(table, rows)]
    import pyarrow as pa

    plain = [column.name for column in storage.rows.columns if column.name != PACKED]
    narrow = rows.select(plain).append_column(PACKED, pa.array(_packed(storage, rows)))
    masks = [*_unusual(storage, rows), *_overflowing(storage, rows)]
    if not masks:
        return [(storage.rows.name, narrow)]
    # whole rows: a value that fits is the same in both places
    rare = rows.select([column.name for column in storage.rare.columns])
    chosen: Mask = np.logical_or.reduce(masks)
    return [(storage.rows.name, narrow), (storage.rare.name, rare.filter(pa.array(chosen)))]


def _values(rows: "pa.Table", column: str) -> npt.NDArray[Any]:
    return rows.column(column).to_numpy()


def _packed(storage: Storage, rows: "pa.Table") -> Numbers:
    packed: Numbers = np.zeros(rows.num_rows, np.uint64)
    shifted = np.empty_like(packed)  # one for all: fresh memory took longer than the work in it
    for place in storage.packed:
        values = _values(rows, place.column.name)
        if place.may_overflow and _exceeds(values, place.highest):
            values = values & place.highest
        shift = np.uint64(place.shift)
        np.left_shift(values, shift, out=shifted, dtype=np.uint64, casting="unsafe")
        np.bitwise_or(packed, shifted, out=packed)
    return packed


def _unusual(storage: Storage, rows: "pa.Table") -> Iterator[Mask]:
    """Yield, for each rare column that has values here, which rows have one to keep."""
    for column in storage.rare_columns:
        values = rows.column(column.name)
        if values.null_count == len(values):
            continue
        if column.usual is None:
            yield values.is_valid().to_numpy()
        elif not values.equals(rows.column(column.usual)):
            yield _differing(values, rows.column(column.usual))


def _differing(values: "pa.ChunkedArray[Any]", usual: "pa.ChunkedArray[Any]") -> Mask:
    import pyarrow.compute

    compute: Any = pyarrow.compute  # its stubs leave these partly unknown
    differs: Mask = compute.not_equal(values, usual).fill_null(False).to_numpy()
    return differs


def _overflowing(storage: Storage, rows: "pa.Table") -> Iterator[Mask]:
    """Yield, for each packed column with values too large for its bits, the rows of these."""
    for place in storage.packed:
        if place.may_overflow:
            values = _values(rows, place.column.name)
            if _exceeds(values, place.highest):
                yield values > place.highest


def _exceeds(values: npt.NDArray[Any], highest: int) -> bool:
    return len(values) > 0 and bool(values.max() > highest)
