"""Three-way merge of pictures.

A picture of the original is a reference into it, and the ranges of a file that was written again
are new ones. So a user's changes are carried over by what they did: added pictures stay, removed
ones stay removed, a changed type or description is put on the picture's new place. The same
picture before and after is recognised by its length and its rank among those of that length.
"""

from typing import TYPE_CHECKING

from musefs.index.edit.differing import differing_rows

if TYPE_CHECKING:
    import duckdb

_READ = "track_id IN (FROM read_now)"

BY_ORDINAL = "ORDER BY track_id, ordinal"
"""The order of pictures in a published index: a mount loads them without sorting."""

_RANKED = (
    "SELECT *, row_number() OVER (PARTITION BY track_id, length ORDER BY ordinal) AS rank FROM {0} "
    "WHERE track_id IN (FROM touched_art)"
)


def merge_art(con: "duckdb.DuckDBPyConnection") -> None:
    """Fill `art` and carry `scanned_art`; needs the tables read_now and carried."""
    con.execute(
        "CREATE TEMP TABLE touched_art AS "
        + differing_rows("track_id", "art", "old.art", "old.scanned_art")
    )
    con.execute("DELETE FROM scanned_art WHERE track_id IN (FROM carried)")
    con.execute(
        "INSERT INTO scanned_art SELECT * FROM old.scanned_art WHERE track_id IN (FROM carried)"
    )
    con.execute(
        "INSERT INTO art SELECT * FROM old.art WHERE track_id IN (FROM carried) UNION ALL "
        f"SELECT * FROM scanned_art WHERE {_READ} AND track_id NOT IN (FROM touched_art) "
        f"{BY_ORDINAL}"
    )
    _merge_touched(con)
    con.execute("DROP TABLE touched_art")


def _merge_touched(con: "duckdb.DuckDBPyConnection") -> None:
    con.execute(
        f"INSERT INTO art WITH base AS ({_RANKED.format('old.scanned_art')}), "
        f"theirs AS ({_RANKED.format('scanned_art')}), "
        "mine AS (SELECT m.*, b.rank FROM old.art m LEFT JOIN base b "
        "ON b.track_id = m.track_id AND m.art_hash IS NULL "
        "AND b.spans IS NOT DISTINCT FROM m.spans "
        "WHERE m.track_id IN (FROM touched_art)), "
        "result AS ("
        # what the user added
        "SELECT track_id, ordinal AS place, picture_type, mime, description, width, height, depth, "
        "colors, length, encoding, skip, spans, art_hash FROM mine WHERE art_hash IS NOT NULL "
        # what the user left or changed, at its new place in the file
        "UNION ALL SELECT m.track_id, m.ordinal, m.picture_type, m.mime, m.description, m.width, "
        "m.height, m.depth, m.colors, t.length, t.encoding, t.skip, t.spans, NULL "
        "FROM mine m JOIN theirs t USING (track_id, length, rank) WHERE m.art_hash IS NULL "
        # what is new in the file
        "UNION ALL SELECT t.track_id, t.ordinal + 1000, t.picture_type, t.mime, t.description, "
        "t.width, t.height, t.depth, t.colors, t.length, t.encoding, t.skip, t.spans, t.art_hash "
        "FROM theirs t ANTI JOIN base USING (track_id, length, rank)) "
        "SELECT track_id, row_number() OVER (PARTITION BY track_id ORDER BY place) - 1, "
        "* EXCLUDE (track_id, place) FROM result"
    )
