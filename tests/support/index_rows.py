"""Rows for index tests: small Arrow tables with the columns a test cares about."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from musefs.index.schema.column import Kind, Table
from musefs.index.schema.enums import code_of
from musefs.index.schema.library_tables import (
    BLOCKS,
    SCANNED_ART,
    SCANNED_TAGS,
    TRACKS,
)
from musefs.index.schema.volume_tables import STREAMS
from musefs.index.write.packing import kept_rows

_BLANK: Mapping[Kind, Any] = {
    Kind.BOOLEAN: True,
    Kind.TEXT: "",
    Kind.BLOB: b"",
    Kind.DOUBLE: 0.0,
    Kind.SPANS: [],
}


def rows(table: Table, values: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows of `table`; columns not given are NULL or a blank of their kind."""
    columns: list[pa.Array] = []
    for column in table.stored:
        blank = None if column.nullable else _BLANK.get(column.kind, 0)
        if column.enum is not None and not column.nullable:
            blank = next(iter(column.enum)).value
        given = [value.get(column.name, blank) for value in values]
        if column.enum is not None and column.bits:
            given = [code_of(column.enum(text)) for text in given]
        columns.append(pa.array(given, column.arrow))
    return pa.Table.from_arrays(columns, schema=table.arrow_schema)


def insert(con: duckdb.DuckDBPyConnection, table: Table, batch: pa.Table) -> None:
    """Insert rows of `table` as the writer does."""
    for name, part in kept_rows(table.name, batch):
        columns = ", ".join(f'"{column}"' for column in part.column_names)
        con.register("batch", part)
        con.execute(f"INSERT INTO {name} ({columns}) SELECT * FROM batch")
        con.unregister("batch")


def streams(ids: Iterable[int]) -> pa.Table:
    """Return one stream for each entry id."""
    return rows(STREAMS, [{"entry_id": n, "name": f"s{n}"} for n in ids])


def tracks(ids: Iterable[int], **fields: Any) -> pa.Table:
    """Return one FLAC track for each id."""
    blank = {"format": "flac", "state": "present", "published_version": 1, "size": 1000}
    when = {"published_change_at": 1_700_000_000_000_000}
    return rows(
        TRACKS,
        [
            blank | when | {"track_id": n, "path": f"/Music/{n}.flac", "record_number": n} | fields
            for n in ids
        ],
    )


def scanned_tags(tags: Mapping[int, Mapping[str, Sequence[str]]]) -> tuple[Table, pa.Table]:
    """Return the table and the rows for track → key → values."""
    return SCANNED_TAGS, rows(
        SCANNED_TAGS,
        [
            {"track_id": track, "key": key, "ordinal": ordinal, "value": value}
            for track, keys in tags.items()
            for key, values in keys.items()
            for ordinal, value in enumerate(values)
        ],
    )


def scanned_art(pictures: Sequence[Mapping[str, Any]]) -> tuple[Table, pa.Table]:
    """Return the table and rows of pictures by reference."""
    return SCANNED_ART, rows(SCANNED_ART, pictures)


def blocks(values: Sequence[Mapping[str, Any]]) -> tuple[Table, pa.Table]:
    """Return the table and rows of carried-over blocks."""
    return BLOCKS, rows(BLOCKS, values)
