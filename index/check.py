"""Is an index sound? Schema, references, counts and leftovers, each finding with what to do.

Opens read-only and changes nothing. A sound index gives no problems; notes are things that are
allowed and worth knowing, such as rows of a track that a user deleted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from musefs.index.read.attach import attached
from musefs.index.schema.ddl import STORAGES, TABLES, quote_name
from musefs.index.schema.triggers import TRIGGERS
from musefs.index.schema.views import VIEWS
from musefs.index.schema.volume_tables import COUNTED_TABLES
from musefs.index.write.sweep import kept_path, leftovers

if TYPE_CHECKING:
    import duckdb

KEPT_TABLES = (*TABLES, *(part for s in STORAGES.values() for part in (s.rows, s.rare)))
"""What users ask, and under it what is kept."""

_RESCAN = "Scan again; your edits are carried over."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth knowing."""

    check: str
    message: str
    hint: str
    cases: int = 1


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found."""

    path: Path
    generation: int
    checks: int
    problems: tuple[Finding, ...]
    notes: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Reference:
    """Rows of a table that point to nothing."""

    check: str
    sql: str
    hint: str = _RESCAN
    note: bool = False


_DROPPED = "Nothing serves these rows; the next scan drops them."


def _of_no_track(table: str) -> _Reference:
    return _Reference(
        f"rows of {table} without a track",
        f"SELECT count(*) FROM {table} WHERE track_id NOT IN (SELECT track_id FROM tracks)",
        _DROPPED,
        note=True,
    )


_REFERENCES: tuple[_Reference, ...] = (
    _Reference(
        "names without an entry",
        "SELECT count(*) FROM names ANTI JOIN entries USING (entry_id)",
    ),
    _Reference(
        "directories without an entry",
        "SELECT count(*) FROM directories ANTI JOIN entries USING (entry_id)",
    ),
    _Reference(
        "directories whose parent is not there",
        "SELECT count(*) FROM directories d WHERE parent_id IS NOT NULL "
        "AND parent_id NOT IN (SELECT entry_id FROM directories)",
    ),
    _Reference(
        "contents without an entry",
        "SELECT count(*) FROM contents ANTI JOIN entries USING (entry_id)",
    ),
    _Reference(
        "rare rows without their entry",
        "SELECT count(*) FROM entries_rare ANTI JOIN entries_rows USING (entry_id)",
    ),
    _Reference(
        "rare rows without their content",
        "SELECT count(*) FROM contents_rare ANTI JOIN contents_rows USING (entry_id)",
    ),
    _Reference(
        "rare rows without their name",
        "SELECT count(*) FROM names_rare r ANTI JOIN names n "
        "ON n.entry_id = r.entry_id AND n.ordinal = r.ordinal",
    ),
    _Reference(
        "entries whose name_count is wrong",
        "SELECT count(*) FROM entries e LEFT JOIN (SELECT entry_id, count(*) AS had FROM names "
        "GROUP BY entry_id) n USING (entry_id) WHERE e.name_count <> coalesce(n.had, 0)",
    ),
    _Reference(
        "tracks whose audio lies outside their file",
        "SELECT count(*) FROM tracks WHERE audio_offset < 0 OR audio_length < 0 "
        "OR audio_offset + audio_length > size",
    ),
    _Reference(
        "present tracks whose entry is not there",
        "SELECT count(*) FROM tracks WHERE state = 'present' AND entry_id IS NOT NULL "
        "AND entry_id NOT IN (SELECT entry_id FROM entries) "
        "AND EXISTS (FROM entries)",
    ),
    _Reference(
        "tracks above the highest track_id ever given",
        "SELECT count(*) FROM tracks WHERE track_id > (SELECT track_high_water FROM meta)",
        "Someone inserted tracks by hand; a scan would give their ids to other files.",
    ),
    _Reference(
        "pictures whose data is not there",
        "SELECT count(*) FROM art WHERE art_hash IS NOT NULL "
        "AND art_hash NOT IN (SELECT art_hash FROM art_data)",
        "Remove them with musefs-tag art --remove, or add them again with --set.",
    ),
    _Reference(
        "pictures that are neither in the file nor stored",
        "SELECT count(*) FROM art WHERE art_hash IS NULL AND spans IS NULL",
        "Take them back with musefs-tag reset.",
    ),
    _Reference(
        "stored pictures that no track uses",
        "SELECT count(*) FROM art_data WHERE art_hash NOT IN "
        "(SELECT art_hash FROM art WHERE art_hash IS NOT NULL)",
        _DROPPED,
        note=True,
    ),
    _Reference(
        "tags whose key is not in lower case",
        "SELECT count(*) FROM tags WHERE key <> lower(key)",
        "They are served in lower case; the next musefs-tag edit writes them so.",
        note=True,
    ),
    _of_no_track("tags"),
    _of_no_track("scanned_tags"),
    _of_no_track("art"),
    _of_no_track("scanned_art"),
    _of_no_track("blocks"),
)

_USER_CHANGES = frozenset({"tracks"})
"""Tables of COUNTED_TABLES that users may change after publication."""


def check_index(path: Path) -> CheckReport:
    """Check the index at `path`; raises IndexFileError if it cannot be opened at all."""
    with attached(path) as con:
        ((generation,),) = con.execute("SELECT generation FROM meta").fetchall()
        found = [*_schema(con), *_keys(con), *_references(con), *_counts(con)]
    found += _beside(path)
    checks = (
        len(TABLES) * 2 + len(VIEWS) + len(TRIGGERS) + len(_REFERENCES) + len(COUNTED_TABLES) + 2
    )
    return CheckReport(
        path,
        generation,
        checks,
        tuple(finding for finding, note in found if not note),
        tuple(finding for finding, note in found if note),
    )


def _problem(check: str, message: str, hint: str = _RESCAN, cases: int = 1) -> tuple[Finding, bool]:
    return Finding(check, message, hint, cases), False


def _note(check: str, message: str, hint: str, cases: int = 1) -> tuple[Finding, bool]:
    return Finding(check, message, hint, cases), True


def _schema(con: "duckdb.DuckDBPyConnection") -> Iterator[tuple[Finding, bool]]:
    rows = con.execute(
        "SELECT table_name, list(column_name) FROM duckdb_columns() "
        "WHERE database_name = 'idx' AND NOT internal GROUP BY ALL"
    ).fetchall()
    present: dict[str, set[str]] = {name: set(columns) for name, columns in rows}
    for table in KEPT_TABLES:
        if table.name not in present:
            yield _problem("schema", f"the table {table.name} is missing")
            continue
        missing = {column.name for column in table.columns} - present[table.name]
        if missing:
            listed = ", ".join(sorted(missing))
            yield _problem("schema", f"the table {table.name} has no column {listed}")
    for view in VIEWS:
        if view.name not in present:
            yield _problem("schema", f"the view {view.name} is missing")
    rows = con.execute(
        "SELECT trigger_name FROM duckdb_triggers() WHERE database_name = 'idx'"
    ).fetchall()
    gone = {trigger.name for trigger in TRIGGERS} - {row[0] for row in rows}
    if gone:
        yield _problem(
            "schema",
            f"triggers are missing: {', '.join(sorted(gone))}",
            "Edits made since then may not show in a mount; scan again and remount.",
            len(gone),
        )


def _keys(con: "duckdb.DuckDBPyConnection") -> Iterator[tuple[Finding, bool]]:
    for table in KEPT_TABLES:
        if not table.key:
            continue
        columns = ", ".join(quote_name(name) for name in table.key)
        ((cases,),) = con.execute(
            f"SELECT count(*) FROM (SELECT {columns} FROM {table.name} "
            f"GROUP BY {columns} HAVING count(*) > 1)"
        ).fetchall()
        if not cases:
            continue
        message = f"{cases} rows of {table.name} share {columns}"
        if table.name in ("tags", "art"):
            yield _note("keys", message, "They are served in the order of insertion.", cases)
        else:
            yield _problem("keys", message, cases=cases)


def _references(con: "duckdb.DuckDBPyConnection") -> Iterator[tuple[Finding, bool]]:
    for reference in _REFERENCES:
        ((cases,),) = con.execute(reference.sql).fetchall()
        if cases:
            message = f"{cases} {reference.check}"
            finding = Finding("references", message, reference.hint, cases)
            yield finding, reference.note


def _counts(con: "duckdb.DuckDBPyConnection") -> Iterator[tuple[Finding, bool]]:
    for table in COUNTED_TABLES:
        ((said, counted),) = con.execute(
            f"SELECT (SELECT {table} FROM meta), (SELECT count(*) FROM {table})"
        ).fetchall()
        if said == counted:
            continue
        message = f"{table} has {counted} rows, meta says {said}"
        if table in _USER_CHANGES:
            yield _note("counts", message, "Someone changed it after the scan; that is allowed.")
        else:
            yield _problem("counts", message)


def _beside(path: Path) -> Iterator[tuple[Finding, bool]]:
    left = leftovers(path)
    if left:
        names = ", ".join(file.name for file in left)
        yield _note(
            "leftovers",
            f"beside it lies {names}",
            "A scan is running, or was killed; the next one sweeps it away.",
            len(left),
        )
    if kept_path(path).exists():
        yield _note(
            "leftovers",
            f"beside it lies {kept_path(path).name}, a newer index that could not be published",
            "Close what holds the index open and rename it over, or scan again.",
        )
