"""The vocabulary the schema is written in: a table is data, its SQL and Arrow forms follow from it.

One declaration gives the CREATE TABLE statement, the comments that every DuckDB client shows, the
Arrow schema of the batches that the stages hand over, and the page docs/index-schema.md.
"""

from dataclasses import dataclass
from enum import Enum

import pyarrow as pa


class Kind(Enum):
    """A column type: its SQL spelling and its Arrow type."""

    BOOLEAN = ("BOOLEAN", pa.bool_())
    SMALLINT = ("SMALLINT", pa.int16())
    INTEGER = ("INTEGER", pa.int32())
    UINTEGER = ("UINTEGER", pa.uint32())
    BIGINT = ("BIGINT", pa.int64())
    UBIGINT = ("UBIGINT", pa.uint64())
    DOUBLE = ("DOUBLE", pa.float64())
    TEXT = ("VARCHAR", pa.string())
    BLOB = ("BLOB", pa.binary())
    TIMESTAMP = ("TIMESTAMP", pa.timestamp("us"))
    SPANS = (
        'STRUCT("offset" BIGINT, "length" BIGINT)[]',
        pa.list_(pa.struct([("offset", pa.int64()), ("length", pa.int64())])),
    )

    def __init__(self, sql: str, arrow: pa.DataType) -> None:
        self.sql = sql
        self.arrow = arrow


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it holds, in one sentence that users read in their SQL client."""

    name: str
    kind: Kind
    comment: str
    nullable: bool = False
    enum: type[Enum] | None = None
    """The column is this enumeration: text in Arrow, a real ENUM in the index."""
    generated: str | None = None
    """The SQL expression of a column that is worked out from others; not part of Arrow batches."""
    default: str | None = None
    bits: int | None = None
    """Kept with other small columns in one number, in this many bits; see `storage`."""
    rare: bool = False
    """Kept in a table of its own, where few rows have it; see `storage`."""
    compression: str | None = None
    """DuckDB's method for this column, where its own choice is measurably worse."""
    usual: str | None = None
    """The column that a rare one equals wherever nothing else is kept."""

    @property
    def arrow(self) -> pa.DataType:
        """The type in a batch; an enumeration that is kept in bits travels as its position."""
        return pa.uint8() if self.enum and self.bits else self.kind.arrow


@dataclass(frozen=True, slots=True)
class Table:
    """One table and what a row of it is."""

    name: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    """The columns that identify a row; checked by --check, not by an index that slows loading."""

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns that batches carry: all but those worked out from others."""
        return tuple(column for column in self.columns if column.generated is None)

    @property
    def arrow_schema(self) -> pa.Schema:
        """The schema of an Arrow batch for this table."""
        return pa.schema([pa.field(c.name, c.arrow, nullable=c.nullable) for c in self.stored])

    def column(self, name: str) -> Column:
        """Return the column of that name."""
        return next(column for column in self.columns if column.name == name)


def filetime(name: str, what: str, *, nullable: bool = False) -> tuple[Column, Column]:
    """Return a raw FILETIME column and the TIMESTAMP that is worked out from it.

    The raw value keeps the 100 ns that a TIMESTAMP loses and the years that its range cuts.
    """
    raw = Column(
        f"{name}_raw", Kind.UBIGINT, f"{what}, 100 ns since 1601-01-01 UTC; 0 = unset", nullable
    )
    text = Column(
        name,
        Kind.TIMESTAMP,
        f"{what}, UTC, in whole microseconds",
        nullable=True,
        generated=(
            f"CASE WHEN {name}_raw = 0 THEN NULL ELSE "
            f"make_timestamp(({name}_raw // 10)::BIGINT - 11644473600000000) END"
        ),
    )
    return raw, text
