"""The page docs/index-schema.md, written from the declarations so that it cannot be wrong.

python -m musefs.index.schema.page docs/index-schema.md
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from musefs.index.schema.column import Column, Table
from musefs.index.schema.ddl import ENUMS, SCHEMA_VERSION, STORAGES, enum_type_name
from musefs.index.schema.library_tables import LIBRARY_TABLES
from musefs.index.schema.views import VIEWS
from musefs.index.schema.volume_tables import VOLUME_TABLES

_HEAD = f"""# The index, table by table

<!-- Written by `python -m musefs.index.schema.page docs/index-schema.md`; do not edit. -->

An index is one DuckDB file. Any client opens it: `duckdb index.duckdb`, then `DESCRIBE files` or
`SELECT table_name, comment FROM duckdb_tables()`. This is schema version {SCHEMA_VERSION}.

Edit `tags` and `art`; every other table is written by scans. Open the index itself to edit it, or
say `USE` after `ATTACH`: its triggers look for their tables in the current database.
"""

_KEPT = """
## How the largest tables are kept

`entries`, `names` and `contents` are views for whoever asks. Their rows are kept narrow, because
that loads twice as fast: small columns share the number `packed`, and what few rows have is in a
table of its own.

"""


def _kind(column: Column) -> str:
    kind = enum_type_name(column.enum) if column.enum else column.kind.sql.replace('"', "")
    if column.generated is not None:
        return f"{kind}, worked out"
    return f"{kind}, may be NULL" if column.nullable else kind


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _table(table: Table) -> Iterator[str]:
    yield f"### {table.name}\n\n{table.comment}"
    if table.key:
        yield f" One row a {', '.join(f'`{name}`' for name in table.key)}."
    yield "\n\n| column | type | what it is |\n|---|---|---|\n"
    for column in table.columns:
        yield f"| `{column.name}` | {_cell(_kind(column))} | {_cell(column.comment)} |\n"
    yield "\n"


def render_page() -> str:
    """Return the whole page."""
    parts = [_HEAD, "\n## The volume\n\n"]
    for table in VOLUME_TABLES:
        parts += _table(table)
    parts.append("## The library\n\n")
    for table in LIBRARY_TABLES:
        parts += _table(table)
    parts.append("## Views\n\n| view | what it answers |\n|---|---|\n")
    parts += [f"| `{view.name}` | {_cell(view.comment)} |\n" for view in VIEWS]
    parts.append(_KEPT)
    for storage in STORAGES.values():
        parts += [*_table(storage.rows), *_table(storage.rare)]
    parts.append("## Enumerations\n\n| type | values |\n|---|---|\n")
    for enum in ENUMS:
        values = ", ".join(f"`{member.value}`" for member in enum)
        parts.append(f"| `{enum_type_name(enum)}` | {values} |\n")
    return "".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_page(), encoding="utf-8")
