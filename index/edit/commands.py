"""What musefs-tag does: each action of a plan, carried out on the index.

Whatever changes goes through `EditSession.serve`, so every command has the same dry run, the same
change sets and the same undo. Results go to standard output, what was done to standard error.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from musefs.index.command.common import CommonPlan
from musefs.index.command.log import one_line
from musefs.index.command.output import Json, Output
from musefs.index.counters import Counter, fresh_tally
from musefs.index.edit import pictures
from musefs.index.edit.picture_export import export_pictures
from musefs.index.edit.plan import (
    AddTags,
    DiffTags,
    EditArt,
    ExportTags,
    GetTags,
    ImportTags,
    ListTracks,
    RemoveTags,
    ResetTags,
    SetTags,
    TableFormat,
    TagPlan,
    UndoChange,
)
from musefs.index.edit.selection import require, select, why_none
from musefs.index.edit.session import EditSession, TagChange, editing, holding
from musefs.index.edit.tag_table import TagLists, read_table, table_format, write_table
from musefs.index.edit.vocabulary import MAX_KEY_CHARACTERS, normalise
from musefs.index.errors import ExitCode, SelectionError, UsageError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SHOWN_CHANGES = 200
"""Changes shown to people; a program gets all of them."""

_JOINED = "; "


def run(plan: TagPlan) -> ExitCode:
    """Carry out one run of musefs-tag."""
    output = Output(plan.common)
    with fresh_tally() as tally:
        match plan.action:
            case ListTracks() | GetTags() | DiffTags() | ExportTags():
                _look(plan, output)
            case EditArt():
                _art(plan, plan.action, output)
            case _:
                _change(plan, output)
    return ExitCode.PARTIAL if tally[Counter.PICTURES_NOT_EXPORTED] else ExitCode.OK


def key_of(text: str) -> str:
    """Return the key for a spelling that a user typed."""
    key = normalise(text)
    if not key or len(key) > MAX_KEY_CHARACTERS or any(ord(c) < 32 or c == "=" for c in key):
        raise UsageError(f"{text!r} cannot be the name of a tag")
    return key


# looking


def _look(plan: TagPlan, output: Output) -> None:
    with holding(plan.index, read_only=True) as con:
        chosen = select(con, plan.selection)
        match plan.action:
            case ListTracks(limit):
                output.rows("tracks", _tracks(con, limit))
            case GetTags(keys):
                output.rows("tags", _tags(con, [key_of(key) for key in keys]))
            case ExportTags(target, asked):
                to_program = output.machine and str(target) == "-"
                form = table_format(target, asked or (TableFormat.JSONL if to_program else None))
                write_table(target, form, _table_rows(con))
            case _:
                found = _differences(con)
                output.rows("edits", found)
                if chosen and not found:
                    output.note("every tag and picture is served as the files say")
        if not chosen:
            output.note(why_none(con))


def _dicts(con: "duckdb.DuckDBPyConnection", sql: str) -> list[dict[str, Json]]:
    cursor = con.execute(sql)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _tracks(con: "duckdb.DuckDBPyConnection", limit: int) -> list[dict[str, Json]]:
    return _dicts(
        con,
        "SELECT track_id, artist, album, discnumber, tracknumber, title, date, "
        "format::VARCHAR AS format, round(duration_seconds, 1) AS duration_seconds, "
        "state::VARCHAR AS state, path FROM tracks_v SEMI JOIN selected USING (track_id) "
        "ORDER BY albumartist, artist, album, try_cast(discnumber AS INTEGER), "
        "try_cast(split_part(tracknumber, '/', 1) AS INTEGER), path"
        + (f" LIMIT {limit}" if limit else ""),
    )


def _tags(con: "duckdb.DuckDBPyConnection", keys: Sequence[str]) -> list[dict[str, Json]]:
    con.execute("CREATE TEMP TABLE asked (key VARCHAR)")
    if keys:
        con.execute("INSERT INTO asked SELECT unnest($keys)", {"keys": list(keys)})
    wanted = "SEMI JOIN asked USING (key)" if keys else ""
    return _dicts(
        con,
        f"SELECT g.track_id, g.key, g.value, t.path FROM tags g {wanted} "
        "JOIN tracks t USING (track_id) SEMI JOIN selected ON selected.track_id = t.track_id "
        "ORDER BY t.path, g.track_id, g.key, g.ordinal",
    )


def _differences(con: "duckdb.DuckDBPyConnection") -> list[dict[str, Json]]:
    """Return tags and pictures that are served otherwise than the files say."""
    return _dicts(
        con,
        "SELECT e.track_id, e.key, e.scanned, e.served, t.path FROM ("
        "SELECT track_id, key, array_to_string(scanned, '; ') AS scanned, "
        "array_to_string(served, '; ') AS served FROM edited_tags UNION ALL "
        "SELECT track_id, 'pictures', s.pictures, a.pictures FROM ("
        "SELECT DISTINCT track_id FROM ((FROM art EXCEPT ALL FROM scanned_art) UNION ALL "
        "(FROM scanned_art EXCEPT ALL FROM art))) LEFT JOIN ("
        "SELECT track_id, count(*) || ' of the file' AS pictures FROM scanned_art GROUP BY ALL) s "
        "USING (track_id) LEFT JOIN (SELECT track_id, count(*) FILTER (WHERE art_hash IS NULL) "
        "|| ' of the file, ' || count(art_hash) || ' added' AS pictures FROM art GROUP BY ALL) a "
        "USING (track_id)) e JOIN tracks t USING (track_id) SEMI JOIN selected "
        "ON selected.track_id = t.track_id ORDER BY t.path, e.track_id, e.key",
    )


def _table_rows(con: "duckdb.DuckDBPyConnection") -> "Iterable[tuple[int, str, str, int, str]]":
    return con.execute(
        "SELECT g.track_id, t.path, g.key, g.ordinal, g.value FROM tags g "
        "JOIN tracks t USING (track_id) SEMI JOIN selected ON selected.track_id = t.track_id "
        "ORDER BY g.track_id, g.key, g.ordinal"
    ).fetchall()


# changing tags


def _change(plan: TagPlan, output: Output) -> None:
    with editing(plan.index, dry_run=plan.dry_run) as session:
        changes, pictures_changed = _carry_out(plan, session)
    if isinstance(plan.action, UndoChange) and not changes and not pictures_changed:
        output.note("there is nothing to undo")
    if changes or not pictures_changed or output.machine:
        _report(changes, plan.common, output, dry_run=plan.dry_run)
    if pictures_changed:
        verb = "would be" if plan.dry_run else "are"
        output.summary(f"pictures of {pictures_changed} tracks {verb} as they were")


def _carry_out(plan: TagPlan, session: EditSession) -> tuple[list[TagChange], int]:
    con = session.con
    if isinstance(plan.action, UndoChange):
        return session.undo(), session.pictures_undone
    if isinstance(plan.action, ImportTags):
        return _import(session, plan.action), 0
    require(select(con, plan.selection), plan.selection)
    match plan.action:
        case SetTags(pairs):
            return _set(session, pairs), 0
        case AddTags(pairs):
            return _add(session, pairs), 0
        case RemoveTags(keys, pairs):
            return _remove(session, keys, pairs), 0
        case ResetTags(keys):
            changes = _reset(session, [key_of(key) for key in keys])
            return changes, 0 if keys else pictures.reset_pictures(session)
        case _:
            raise UsageError(f"not an action that changes tags: {plan.action}")


def _given(con: "duckdb.DuckDBPyConnection", pairs: Sequence[tuple[str, str]]) -> None:
    """Make the table `given` (key, ordinal, value) of what the user typed."""
    con.execute("CREATE TEMP TABLE given (key VARCHAR, ordinal INTEGER, value VARCHAR)")
    seen: dict[str, int] = {}
    rows: list[tuple[str, int, str]] = []
    for text, value in pairs:
        key = key_of(text)
        if "\0" in value:
            raise UsageError(f"the value of {key} holds a NUL character")
        rows.append((key, seen.get(key, 0), value))
        seen[key] = seen.get(key, 0) + 1
    con.executemany("INSERT INTO given VALUES (?, ?, ?)", rows)


_GIVEN_SCOPE = "(SELECT track_id, key FROM selected CROSS JOIN (SELECT DISTINCT key FROM given))"


def _set(session: EditSession, pairs: Sequence[tuple[str, str]]) -> list[TagChange]:
    _given(session.con, pairs)
    # an empty value means the tag itself is taken away
    wanted = "(SELECT track_id, g.* FROM selected CROSS JOIN given g WHERE g.value <> '')"
    return session.serve(_GIVEN_SCOPE, wanted)


def _add(session: EditSession, pairs: Sequence[tuple[str, str]]) -> list[TagChange]:
    _given(session.con, pairs)
    wanted = (
        "(SELECT track_id, key, row_number() OVER (PARTITION BY track_id, key "
        "ORDER BY place, ordinal) - 1 AS ordinal, value FROM ("
        f"SELECT t.*, 0 AS place FROM tags t SEMI JOIN {_GIVEN_SCOPE} USING (track_id, key) "
        "UNION ALL SELECT track_id, g.*, 1 FROM selected CROSS JOIN given g WHERE NOT EXISTS ("
        "FROM tags t WHERE t.track_id = selected.track_id AND t.key = g.key "
        "AND t.value = g.value)))"
    )
    return session.serve(_GIVEN_SCOPE, wanted)


def _remove(
    session: EditSession, keys: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> list[TagChange]:
    _given(session.con, [*((key, "") for key in keys), *pairs])
    whole = {key_of(key) for key in keys}
    session.con.execute("CREATE TEMP TABLE whole (key VARCHAR)")
    if whole:
        session.con.execute("INSERT INTO whole SELECT unnest($keys)", {"keys": sorted(whole)})
    wanted = (
        "(SELECT track_id, key, row_number() OVER (PARTITION BY track_id, key ORDER BY ordinal) "
        f"- 1 AS ordinal, value FROM tags SEMI JOIN {_GIVEN_SCOPE} USING (track_id, key) "
        "ANTI JOIN whole USING (key) ANTI JOIN given USING (key, value))"
    )
    return session.serve(_GIVEN_SCOPE, wanted)


def _reset(session: EditSession, keys: Sequence[str]) -> list[TagChange]:
    only = ""
    if keys:
        session.con.execute(
            "CREATE TEMP TABLE asked AS SELECT unnest($keys) AS key", {"keys": list(keys)}
        )
        only = "SEMI JOIN asked USING (key)"
    scope = (
        "(SELECT DISTINCT track_id, key FROM (SELECT track_id, key FROM tags UNION ALL "
        f"SELECT track_id, key FROM scanned_tags) SEMI JOIN selected USING (track_id) {only})"
    )
    return session.serve(
        scope, f"(SELECT * FROM scanned_tags SEMI JOIN selected USING (track_id) {only})"
    )


def _import(session: EditSession, action: ImportTags) -> list[TagChange]:
    lists = read_table(action.source, table_format(action.source, action.format))
    _register(session.con, lists, action.source)
    return session.serve(
        "(SELECT track_id, key FROM imported_keys)", "(SELECT * FROM imported_values)"
    )


def _register(con: "duckdb.DuckDBPyConnection", lists: TagLists, source: Path) -> None:
    rows = [
        (track, key, ordinal, value)
        for (track, key), values in lists.items()
        for ordinal, value in enumerate(values)
    ]
    values = list(zip(*rows, strict=True)) or [(), (), (), ()]
    pairs = list(zip(*lists, strict=True)) or [(), ()]
    con.register("imported_values", _table(values, ("track_id", "key", "ordinal", "value")))
    con.register("imported_keys", _table(pairs, ("track_id", "key")))
    unknown = con.execute(
        "SELECT DISTINCT track_id FROM imported_keys WHERE track_id NOT IN "
        "(SELECT track_id FROM tracks) ORDER BY track_id LIMIT 5"
    ).fetchall()
    if unknown:
        names = ", ".join(str(row[0]) for row in unknown)
        raise SelectionError(f"{source}: no track has the id {names}")


def _table(columns: Sequence[Sequence[object]], names: Sequence[str]) -> "pa.Table":
    import pyarrow as pa

    kinds = {"track_id": pa.int64(), "ordinal": pa.int32()}
    arrays = [
        pa.array(column, kinds.get(name, pa.string()))
        for name, column in zip(names, columns, strict=True)
    ]
    return pa.Table.from_arrays(arrays, names=list(names))


def _report(
    changes: Sequence[TagChange], plan: CommonPlan, output: Output, *, dry_run: bool
) -> None:
    shown = changes if output.machine else changes[:SHOWN_CHANGES]
    if plan.quiet and not output.machine:
        return
    output.rows(
        "changes",
        [
            {
                "track_id": change.track_id,
                "key": change.key,
                "before": _value(change.before, output),
                "after": _value(change.after, output),
                "path": change.path,
            }
            for change in shown
        ],
    )
    if len(shown) < len(changes):
        output.line(f"… and {len(changes) - len(shown)} more")
    tracks = len({change.track_id for change in changes})
    verb = "would change" if dry_run else "changed"
    output.line(f"{verb} {len(changes)} tags of {tracks} tracks")


def _value(values: Sequence[str], output: Output) -> Json:
    return list(values) if output.machine else one_line(_JOINED.join(values))


# pictures


def _art(plan: TagPlan, action: EditArt, output: Output) -> None:
    if action.set_from is None and not action.remove:
        with holding(plan.index, read_only=True) as con:
            chosen = select(con, plan.selection)
            if action.export_to is not None:
                found = export_pictures(con, action.export_to, action.picture_type)
                output.rows("files", [{"path": str(path)} for path in found])
            else:
                output.rows("pictures", _picture_rows(pictures.served_pictures(con)))
            if not chosen:
                output.note(why_none(con))
        return
    with editing(plan.index, dry_run=plan.dry_run) as session:
        con = session.con
        require(select(con, plan.selection), plan.selection)
        if action.remove:
            count = pictures.remove_pictures(session, action.picture_type)
        else:
            assert action.set_from is not None  # noqa: S101 - the other case returned above
            count = pictures.set_picture(session, action.set_from, action.picture_type)
    output.result({"tracks_changed": count, "dry_run": plan.dry_run})
    output.summary(f"{'would change' if plan.dry_run else 'changed'} pictures of {count} tracks")


def _picture_rows(found: Sequence[pictures.ServedPicture]) -> list[dict[str, Json]]:
    return [
        {
            "track_id": picture.track_id,
            "type": picture.picture_type,
            "mime": picture.mime,
            "width": picture.width,
            "height": picture.height,
            "bytes": picture.length,
            "from": "added" if picture.added else "file",
            "path": picture.path,
        }
        for picture in found
    ]
