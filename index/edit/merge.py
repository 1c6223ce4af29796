"""Carry a library over into the next generation, and merge three ways what was read again (D5).

Per track and key: the *base* is what the file said at the former scan, *mine* what was served
since, *theirs* what the file says now. Where mine is the base, theirs is served; where a user
made it something else, mine stays. Runs in the building database before its triggers exist, and
writes the change log itself, continuing its numbers.

Which tracks exist, and under which id, was decided by the tag stage: it appends `tracks` for all
and the rest only for tracks that it read. What it did not read is copied from the old index.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from musefs.index.counters import Counter, degrade
from musefs.index.edit.art_merge import BY_ORDINAL, merge_art
from musefs.index.edit.differing import differing_rows
from musefs.index.read.attach import attach_index
from musefs.index.schema.ddl import CHANGE_SEQUENCE, TABLES_BY_NAME, quote_name

if TYPE_CHECKING:
    import duckdb

CHANGE_LOG_ROWS = 1 << 18
"""Lines of the change log that a rescan keeps; a mount that missed more compares in full."""

SCANS_KEPT = 100
"""Former scans whose counters, phases and chunks a rescan keeps."""

_CONTENT_COLUMNS = (
    "format", "codec", "duration_seconds", "bitrate", "sample_rate", "bits_per_sample", "channels",
    "size", "mtime_ns", "audio_offset", "audio_length", "synthesised",
)  # fmt: skip
"""What a served file is made of; a move changes its path, not its content."""

BY_KEY = "ORDER BY track_id, key, ordinal"
"""The order of tags in a published index: a mount loads them without sorting."""

_STAMP_COLUMNS = ("size", "mtime_ns", "ctime_ns", "lsn")


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What a merge did."""

    carried: int
    """Tracks that were copied as they were."""
    read: int
    """Tracks that were read in this scan."""
    added: int
    removed: int
    changed: int
    """Former tracks that are served otherwise than before."""
    edits_kept: int
    """Tags that both the user and the file changed; the user's stay."""


def serve_as_scanned(con: "duckdb.DuckDBPyConnection") -> MergeReport:
    """Make the served layer of a first scan: what the files say."""
    con.execute(f"INSERT INTO tags SELECT * FROM scanned_tags {BY_KEY}")
    con.execute(f"INSERT INTO art SELECT * FROM scanned_art {BY_ORDINAL}")
    tracks = _count(con, "SELECT count(*) FROM tracks")
    return MergeReport(0, tracks, tracks, 0, 0, 0)


def merge_previous(con: "duckdb.DuckDBPyConnection", previous: Path) -> MergeReport:
    """Merge the index at `previous` into the building database that `con` uses."""
    attach_index(con, previous, "old")
    try:
        con.execute("BEGIN")
        report = _merge(con)
        con.execute("COMMIT")
    finally:
        con.execute("DETACH old")
    if report.edits_kept:
        degrade(
            Counter.EDITS_KEPT,
            "%d edited tags also changed in their files; what you wrote stays "
            "(see musefs-tag diff)",
            report.edits_kept,
            amount=report.edits_kept,
        )
    return report


def _merge(con: "duckdb.DuckDBPyConnection") -> MergeReport:
    _find_read_tracks(con)
    kept = _merge_tags(con)
    merge_art(con)
    _carry_rows(con, "blocks")
    _carry_problems(con)
    _carry_history(con)
    _log_changes(con)
    _set_versions(con)
    report = MergeReport(
        carried=_count(con, "SELECT count(*) FROM carried"),
        read=_count(con, "SELECT count(*) FROM read_now"),
        added=_count(con, "SELECT count(*) FROM news WHERE kind = 'added'"),
        removed=_count(con, "SELECT count(*) FROM news WHERE kind = 'removed'"),
        changed=_count(
            con,
            "SELECT count(DISTINCT track_id) FROM news WHERE kind NOT IN ('added', 'removed')",
        ),
        edits_kept=kept,
    )
    for table in ("read_now", "carried", "touched_tags", "news"):
        con.execute(f"DROP TABLE {table}")
    return report


def _count(con: "duckdb.DuckDBPyConnection", sql: str) -> int:
    row = con.execute(sql).fetchone()
    return int(row[0]) if row else 0


def _columns(table: str) -> str:
    return ", ".join(quote_name(column.name) for column in TABLES_BY_NAME[table].stored)


def _find_read_tracks(con: "duckdb.DuckDBPyConnection") -> None:
    """Tell tracks that this scan read from those that it only saw.

    A track is read if it is new, if its stamp changed, or if the tag stage wrote any row for it;
    a file that is missing or failed keeps all that was known of it.
    """
    stamp = " OR ".join(f"t.{c} <> o.{c}" for c in _STAMP_COLUMNS)
    con.execute(
        "CREATE TEMP TABLE read_now AS SELECT t.track_id FROM tracks t "
        "LEFT JOIN old.tracks o USING (track_id) WHERE o.track_id IS NULL OR (t.state = 'present' "
        f"AND ({stamp} OR t.track_id IN (SELECT track_id FROM scanned_tags UNION "
        "SELECT track_id FROM scanned_art UNION SELECT track_id FROM blocks UNION "
        "SELECT track_id FROM problems)))"
    )
    con.execute(
        "CREATE TEMP TABLE carried AS SELECT track_id FROM tracks "
        "WHERE track_id NOT IN (FROM read_now)"
    )


def _carry_rows(con: "duckdb.DuckDBPyConnection", table: str) -> None:
    columns = _columns(table)
    con.execute(f"DELETE FROM {table} WHERE track_id IN (FROM carried)")
    con.execute(
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM old.{table} "
        "WHERE track_id IN (FROM carried)"
    )


def _merge_tags(con: "duckdb.DuckDBPyConnection") -> int:
    read = "track_id IN (FROM read_now)"
    con.execute(
        "CREATE TEMP TABLE touched_tags AS "
        + differing_rows("track_id, key", "tags", "old.tags", "old.scanned_tags")
    )
    _carry_rows(con, "scanned_tags")
    con.execute(
        "INSERT INTO tags SELECT * FROM old.tags WHERE track_id IN (FROM carried) "
        f"UNION ALL SELECT * FROM scanned_tags s WHERE {read} "
        "AND NOT EXISTS (FROM touched_tags t WHERE t.track_id = s.track_id AND t.key = s.key) "
        "UNION ALL SELECT o.* FROM old.tags o JOIN touched_tags USING (track_id, key)"
        + (f" {BY_KEY}" if _count(con, "SELECT count(*) FROM read_now") else "")
    )
    # both sides changed: theirs differs from the base under a key that the user touched
    both = differing_rows("track_id, key", "tags", "scanned_tags", "old.scanned_tags")
    return _count(
        con, f"SELECT count(*) FROM ({both}) SEMI JOIN touched_tags USING (track_id, key)"
    )


def _carry_problems(con: "duckdb.DuckDBPyConnection") -> None:
    con.execute(
        "INSERT INTO problems (entry_id, track_id, path, counter, reason) "
        "SELECT t.entry_id, p.track_id, t.path, p.counter, p.reason FROM old.problems p "
        "JOIN tracks t USING (track_id) WHERE p.track_id IN (FROM carried) "
        "AND t.state = 'present' AND p.track_id NOT IN "
        "(SELECT track_id FROM problems WHERE track_id IS NOT NULL)"
    )


def _carry_history(con: "duckdb.DuckDBPyConnection") -> None:
    con.execute(
        "CREATE TEMP TABLE former_scans AS SELECT * FROM old.scans "
        "WHERE scan_id NOT IN (SELECT scan_id FROM scans) "
        f"ORDER BY generation DESC LIMIT {SCANS_KEPT}"
    )
    con.execute(f"INSERT INTO scans ({_columns('scans')}) FROM former_scans ORDER BY generation")
    for table in ("scan_counters", "scan_phases", "scan_chunks"):
        con.execute(
            f"INSERT INTO {table} SELECT * FROM old.{table} "
            "WHERE scan_id IN (SELECT scan_id FROM former_scans)"
        )
    con.execute("DROP TABLE former_scans")
    con.execute("INSERT INTO edits SELECT * FROM old.edits")
    con.execute(
        "INSERT INTO art_data SELECT * FROM old.art_data "
        "WHERE art_hash IN (SELECT art_hash FROM art) "
        "AND art_hash NOT IN (SELECT art_hash FROM art_data)"
    )
    con.execute(
        "INSERT INTO changes SELECT * FROM old.changes WHERE sequence > "
        f"(SELECT max(sequence) FROM old.changes) - {CHANGE_LOG_ROWS} ORDER BY sequence"
    )
    last = _count(con, "SELECT coalesce(max(sequence), 0) FROM old.changes")
    if last:  # DuckDB cannot set a sequence: draw its numbers until it stands where the old one did
        con.execute(f"SELECT max(nextval('{CHANGE_SEQUENCE}')) FROM range({last})")


def _differing(table: str) -> str:
    rows = differing_rows("track_id", table, table, f"old.{table}")
    return f"SELECT track_id FROM ({rows}) SEMI JOIN old.tracks USING (track_id)"


def _log_changes(con: "duckdb.DuckDBPyConnection") -> None:
    """Collect what this generation serves otherwise, and log it for mounts that follow."""
    content = " OR ".join(f"t.{c} IS DISTINCT FROM o.{c}" for c in _CONTENT_COLUMNS)
    moved = " OR ".join(
        f"t.{c} IS DISTINCT FROM o.{c}" for c in ("path", "path_bytes", "state", "ctime_ns", "lsn")
    )
    con.execute(
        "CREATE TEMP TABLE news AS "
        "SELECT track_id, 'added' AS kind, false AS content FROM tracks "
        "WHERE track_id NOT IN (SELECT track_id FROM old.tracks) "
        "UNION ALL SELECT track_id, 'removed', false FROM old.tracks "
        "WHERE track_id NOT IN (SELECT track_id FROM tracks) "
        f"UNION ALL SELECT t.track_id, 'track', ({content}) FROM tracks t "
        f"JOIN old.tracks o USING (track_id) WHERE ({content}) OR {moved} "
        f"UNION ALL SELECT track_id, 'tags', true FROM ({_differing('tags')}) "
        f"UNION ALL SELECT track_id, 'art', true FROM ({_differing('art')}) "
        f"UNION ALL SELECT track_id, 'track', true FROM ({_differing('blocks')})"
    )
    con.execute(
        "INSERT INTO changes (track_id, kind) "
        "SELECT DISTINCT track_id, kind FROM news ORDER BY track_id, kind"
    )


def _set_versions(con: "duckdb.DuckDBPyConnection") -> None:
    """Continue each track's version; it grows only if what is served really differs."""
    con.execute(
        "UPDATE tracks SET published_version = o.content_version, "
        "published_change_at = o.updated_at "
        "FROM old.track_versions o WHERE o.track_id = tracks.track_id"
    )
    con.execute(
        "UPDATE tracks SET published_version = published_version + 1, "
        "published_change_at = get_current_timestamp()::TIMESTAMP "
        "WHERE track_id IN (SELECT track_id FROM news WHERE content)"
    )
