"""Which tracks are meant: an SQL condition, globs of paths and ids become the table `selected`."""

import json
import re
from typing import TYPE_CHECKING

import duckdb

from musefs.index.edit.plan import Selection
from musefs.index.errors import SelectionError
from musefs.index.schema.enums import VolumeKind

if TYPE_CHECKING:
    from collections.abc import Iterable

_SPECIAL = re.compile(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|.", re.DOTALL)


def glob_pattern(glob: str) -> str:
    """Return the regular expression of a path glob.

    `*` and `?` stay inside one folder, `**` crosses folders. A glob that does not begin with a
    slash matches at any depth, as in .gitignore.
    """
    parts = ["" if glob.startswith("/") else "(?:.*/)?"]
    parts += [_translate(match[0]) for match in _SPECIAL.finditer(glob)]
    return "".join(parts)


def _translate(piece: str) -> str:
    match piece:
        case "**/":
            return "(?:.*/)?"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
        case _ if len(piece) > 1:
            inside = piece[1:-1].replace("\\", "\\\\")
            return "[" + re.sub("^!", "^", inside) + "]"
        case _:
            return re.escape(piece)


def select(con: "duckdb.DuckDBPyConnection", selection: Selection) -> int:
    """Make the table `selected` (track_id) and return how many tracks it has."""
    con.execute("CREATE TEMP TABLE selected AS SELECT track_id FROM tracks")
    if selection.where is not None:
        _keep_where(con, selection.where)
    if selection.paths:
        con.execute(
            "DELETE FROM selected WHERE track_id NOT IN (SELECT track_id FROM tracks "
            "WHERE list_bool_or([regexp_full_match(path, p) FOR p IN $patterns]))",
            {"patterns": ["/?" + glob_pattern(glob) for glob in selection.paths]},
        )
    if selection.tracks:
        _check_ids(con, selection.tracks)
        con.execute(
            "DELETE FROM selected WHERE track_id NOT IN (SELECT unnest($ids))",
            {"ids": list(selection.tracks)},
        )
    ((count,),) = con.execute("SELECT count(*) FROM selected").fetchall()
    return int(count)


def require(count: int, selection: Selection) -> None:
    """Raise if a selection that a change needs selects nothing."""
    if count == 0 and not selection.everything:
        raise SelectionError("no track matches the selection")


def why_none(con: "duckdb.DuckDBPyConnection") -> str:
    """Return why nothing is selected: of an index without tracks, what made it so."""
    ((tracks, kind, source, root, options),) = con.execute(
        "SELECT (SELECT count(*) FROM tracks), (SELECT any_value(kind)::VARCHAR FROM volumes), "
        "(SELECT any_value(source) FROM volumes), (SELECT any_value(root_path) FROM volumes), "
        "(SELECT any_value(options) FROM scans WHERE scan_id = (SELECT scan_id FROM meta))"
    ).fetchall()
    if tracks:
        return "no track matches the selection"
    if options and json.loads(options).get("tags") is False:
        why = "its scan was run with --no-tags; scan again without that"
    elif kind == VolumeKind.MFT and root is None:
        why = "a saved $MFT holds no audio; scan again with --root, where the volume is mounted"
    else:
        why = f"no audio files were found in {source or 'what was scanned'}"
    return f"this index has no tracks: {why}"


def _keep_where(con: "duckdb.DuckDBPyConnection", condition: str) -> None:
    sql = f"SELECT track_id FROM tracks_v WHERE ({condition}\n)"
    try:
        statements = con.extract_statements(sql)
        if len(statements) != 1:
            raise SelectionError("--where takes one condition, not several statements")
        con.execute(f"DELETE FROM selected WHERE track_id NOT IN ({sql})")
    except duckdb.Error as error:
        first = str(error).splitlines()[0]
        raise SelectionError(
            f"--where {condition!r}: {first}",
            hint="It is a condition over the columns of tracks_v: DESCRIBE tracks_v shows them.",
        ) from error


def _check_ids(con: "duckdb.DuckDBPyConnection", ids: "Iterable[int]") -> None:
    rows = con.execute(
        "SELECT id FROM (SELECT unnest($ids) AS id) WHERE id NOT IN (SELECT track_id FROM tracks) "
        "ORDER BY id",
        {"ids": list(ids)},
    ).fetchall()
    if rows:
        raise SelectionError(f"no track has the id {', '.join(str(row[0]) for row in rows)}")
