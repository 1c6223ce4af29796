"""The schema's SQL: types, tables, comments and sequences, made from the declarations.

`create_tables` runs before loading, `create_triggers` after it: triggers would slow a bulk load
and log every scanned tag as if a user had edited it.
"""

import re
from enum import Enum
from typing import TYPE_CHECKING

from musefs.index.schema.column import Column, Table
from musefs.index.schema.enums import (
    AudioFormat,
    ChangeKind,
    ContentKind,
    Encoding,
    Namespace,
    PathState,
    RecordState,
    TrackState,
    VolumeKind,
)
from musefs.index.schema.library_tables import LIBRARY_TABLES
from musefs.index.schema.storage import Storage, storage_of, view_body
from musefs.index.schema.triggers import TRIGGERS
from musefs.index.schema.views import VIEWS, View
from musefs.index.schema.volume_tables import VOLUME_TABLES

if TYPE_CHECKING:
    import duckdb

SCHEMA_VERSION = 5
"""Grows with every change of a table, a column or a trigger. There are no migrations: a scan
takes seconds, and edits are carried over by the merge from any version it can read."""

TABLES: tuple[Table, ...] = VOLUME_TABLES + LIBRARY_TABLES
TABLES_BY_NAME: dict[str, Table] = {table.name: table for table in TABLES}

STORAGES: dict[str, Storage] = {
    table.name: storage for table in TABLES if (storage := storage_of(table)) is not None
}
"""The tables that are kept in narrow rows, and are views to whoever asks."""

ENUMS: tuple[type[Enum], ...] = (
    AudioFormat,
    ChangeKind,
    ContentKind,
    Encoding,
    Namespace,
    PathState,
    RecordState,
    TrackState,
    VolumeKind,
)

CHANGE_SEQUENCE = "change_sequence"
"""Numbers the change log. It continues from index to index, so that a mount can replay."""

SEQUENCES: tuple[str, ...] = (CHANGE_SEQUENCE,)


def enum_type_name(enum: type[Enum]) -> str:
    """Return the name of an enumeration's type in the index, such as audio_format."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", enum.__name__).lower()


def quote_text(text: str) -> str:
    """Return an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """Return an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def column_sql(column: Column) -> str:
    """Return one line of a CREATE TABLE statement."""
    kind = enum_type_name(column.enum) if column.enum else column.kind.sql
    line = f"{quote_name(column.name)} {kind}"
    if column.generated is not None:
        return f"{line} GENERATED ALWAYS AS ({column.generated}) VIRTUAL"
    if column.compression is not None:
        line += f" USING COMPRESSION {column.compression}"
    if column.default is not None:
        line += f" DEFAULT {column.default}"
    return line if column.nullable else f"{line} NOT NULL"


def create_table_sql(table: Table) -> str:
    """Return the CREATE TABLE statement of one table."""
    lines = ",\n  ".join(column_sql(column) for column in table.columns)
    return f"CREATE TABLE {quote_name(table.name)} (\n  {lines}\n)"


def create_enum_sql(enum: type[Enum]) -> str:
    """Return the CREATE TYPE statement of one enumeration."""
    members = ", ".join(quote_text(str(member.value)) for member in enum)
    return f"CREATE TYPE {enum_type_name(enum)} AS ENUM ({members})"


def comment_sql(table: Table) -> list[str]:
    """Return the COMMENT ON statements of a table and its columns."""
    name = quote_name(table.name)
    kind = "VIEW" if table.name in STORAGES else "TABLE"
    return [
        f"COMMENT ON {kind} {name} IS {quote_text(table.comment)}",
        *(
            f"COMMENT ON COLUMN {name}.{quote_name(c.name)} IS {quote_text(c.comment)}"
            for c in table.columns
        ),
    ]


def table_sql(table: Table) -> list[str]:
    """Return the statements that make a table, or its parts and the view over them."""
    storage = STORAGES.get(table.name)
    if storage is None:
        return [create_table_sql(table), *comment_sql(table)]
    types = {enum: enum_type_name(enum) for enum in ENUMS}
    return [
        *table_sql(storage.rows),
        *table_sql(storage.rare),
        f"CREATE VIEW {quote_name(table.name)} AS {view_body(storage, types)}",
        *comment_sql(table),
    ]


def counted_name(table: str) -> str:
    """Return the table to count the rows of `table` in, which is no join."""
    storage = STORAGES.get(table)
    return storage.rows.name if storage else table


def view_sql(view: View) -> list[str]:
    """Return the statements that make a view with its comments."""
    name = quote_name(view.name)
    return [
        f"CREATE VIEW {name} AS {view.sql}",
        f"COMMENT ON VIEW {name} IS {quote_text(view.comment)}",
        *(
            f"COMMENT ON COLUMN {name}.{quote_name(column)} IS {quote_text(comment)}"
            for column, comment in view.columns.items()
        ),
    ]


def schema_statements() -> list[str]:
    """Return all statements that make an empty index ready for loading."""
    statements = [create_enum_sql(enum) for enum in ENUMS]
    statements += [f"CREATE SEQUENCE {name}" for name in SEQUENCES]
    for table in TABLES:
        statements += table_sql(table)
    for view in VIEWS:
        statements += view_sql(view)
    return statements


def create_tables(con: "duckdb.DuckDBPyConnection") -> None:
    """Create types, sequences, tables, views and comments in an empty database."""
    con.execute(";\n".join(schema_statements()))


def create_triggers(con: "duckdb.DuckDBPyConnection") -> None:
    """Create the triggers; call it when loading is done."""
    con.execute(";\n".join(trigger.sql for trigger in TRIGGERS))


def drop_triggers(con: "duckdb.DuckDBPyConnection") -> None:
    """Remove the triggers, for a bulk change inside one transaction that logs by itself."""
    con.execute(";\n".join(f"DROP TRIGGER {t.name} ON {t.table}" for t in TRIGGERS))
