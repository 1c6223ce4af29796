"""Which entries of a scan are audio by their names, where they are, and in which order to read.

One query over the building index; the order of work is the order of the disk.
"""

from typing import TYPE_CHECKING, Final

import polars as pl

from musefs.pipeline.tag.formats import EXTENSIONS

if TYPE_CHECKING:
    import duckdb

_EPOCH: Final = 116_444_736_000_000_000
"""1970 in units of 100 ns since 1601."""
_REACH: Final = (1 << 63) // 100 - 1
"""Units that nanoseconds of 64 bits reach on either side of 1970; times beyond are as good as none,
and a few bytes of one damaged record must not stop the scan."""

CANDIDATES_SQL: Final = """
SELECT e.entry_id, e.record_number, e.sequence,
  d.path || n.name AS path,
  CASE WHEN d.path_bytes IS NULL AND n.name_bytes IS NULL THEN NULL ELSE
    coalesce(d.path_bytes, d.path::BLOB) || coalesce(n.name_bytes, n.name::BLOB) END AS path_bytes,
  coalesce(e.size, 0)::BIGINT AS size,
  CASE WHEN e.modified_raw BETWEEN $first AND $last
    THEN (e.modified_raw::BIGINT - $epoch) * 100 ELSE 0 END AS mtime_ns,
  CASE WHEN e.changed_raw BETWEEN $first AND $last
    THEN (e.changed_raw::BIGINT - $epoch) * 100 ELSE 0 END AS ctime_ns,
  e.lsn, coalesce(c.kind::VARCHAR, 'runs') AS kind,
  coalesce(c.valid_size, e.size, 0)::BIGINT AS valid_size,
  coalesce(c.unit_clusters, 0)::INTEGER AS unit_clusters,
  c.first_byte, c.resident,
  list_transform(c.runs, lambda r: r."offset") AS run_offsets,
  list_transform(c.runs, lambda r: r."length") AS run_lengths
FROM entries e
JOIN names n ON n.entry_id = e.entry_id AND n.ordinal = 0
JOIN directories d ON d.record_number = n.parent_record AND d.sequence = n.parent_sequence
LEFT JOIN contents c ON c.entry_id = e.entry_id
WHERE e.in_use AND NOT e.is_directory AND d.path_state = 'ok'
  AND e.reparse_target IS NULL AND (e.size IS NOT NULL OR e.state <> 'ok')
  AND list_contains($extensions, lower(regexp_extract(n.name, '.\\.([^.]*)$', 1)))
  AND NOT (starts_with(lower(d.path), '/$recycle.bin/') OR starts_with(d.path, '/$Extend/')
    OR starts_with(lower(d.path), '/system volume information/') OR starts_with(n.name, '._'))
ORDER BY c.first_byte NULLS LAST, e.record_number
"""
"""Left out are places of deleted files and of the system itself, and the `._` forks that a Mac
leaves beside each file, and links, pipes and sockets: they have the names of music and are none."""


def audio_candidates(con: "duckdb.DuckDBPyConnection") -> pl.DataFrame:
    """Return the audio files of the scan in `con`'s index, in the order of the disk."""
    wanted = {
        "extensions": sorted(EXTENSIONS),
        "epoch": _EPOCH,
        "first": _EPOCH - _REACH,
        "last": _EPOCH + _REACH,
    }
    relation = con.sql(CANDIDATES_SQL, params=wanted)
    return pl.DataFrame(relation.to_arrow_table())


CANDIDATE_COLUMNS: Final = {
    "entry_id": pl.Int64, "record_number": pl.Int64, "sequence": pl.Int32, "path": pl.String,
    "path_bytes": pl.Binary, "size": pl.Int64, "mtime_ns": pl.Int64, "ctime_ns": pl.Int64,
    "lsn": pl.Int64, "kind": pl.String, "valid_size": pl.Int64, "unit_clusters": pl.Int32,
    "first_byte": pl.Int64, "resident": pl.Binary, "run_offsets": pl.List(pl.Int64),
    "run_lengths": pl.List(pl.Int64),
}  # fmt: skip
"""What the stage needs to know of each candidate; `path_bytes` only where it is not `path`."""
