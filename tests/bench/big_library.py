"""Large made-up libraries and volumes as Arrow, for the benchmarks of the index."""

import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1]))

from musefs.index.schema.column import Table
from musefs.index.schema.library_tables import BLOCKS, SCANNED_ART, SCANNED_TAGS, TRACKS
from musefs.index.schema.volume_tables import ENTRIES, NAMES
from musefs.index.write import IndexWriter

KEYS = (
    "title", "artist", "album", "albumartist", "genre", "date", "composer", "tracknumber",
    "totaltracks", "discnumber", "label", "comment",
)  # fmt: skip
"""12 tags a track."""

RECORDS_PER_BATCH = 16_384
"""Records of one 16 MiB chunk."""


def _arrow(table: Table, sql: str) -> pa.Table:
    with duckdb.connect() as con:
        return con.sql(sql).to_arrow_table().cast(table.arrow_schema)


def tracks(count: int, size: int = 30_000_000) -> pa.Table:
    """Return `count` FLAC tracks; another `size` is another stamp."""
    return _arrow(
        TRACKS,
        "SELECT i AS track_id, i AS entry_id, i AS record_number, 1 AS sequence, '/Music/Artist ' "
        "|| (i // 100) || '/Album ' || (i // 10) || '/' || i || ' a title.flac' AS path, "
        "NULL::BLOB AS path_bytes, 'flac' AS format, 'flac' AS codec, 200.0 AS duration_seconds, "
        "900000 AS bitrate, 44100 AS sample_rate, 16 AS bits_per_sample, 2 AS channels, "
        f"{size} + i AS size, i AS mtime_ns, 0 AS ctime_ns, i AS lsn, 8192 AS audio_offset, "
        "29000000 AS audio_length, true AS synthesised, NULL::VARCHAR AS reason, "
        "md5(i::VARCHAR) AS fingerprint, NULL::VARCHAR AS audio_hash, 'present' AS state, "
        "NULL::BIGINT AS missing_since, 1 AS published_version, "
        "TIMESTAMP '2026-01-01' AS published_change_at "
        f"FROM range(1, {count} + 1) t(i)",
    )


def tags(count: int, suffix: str = "") -> pa.Table:
    """Return 12 tags a track; another `suffix` is another title."""
    listed = ", ".join(f"'{key}'" for key in KEYS)
    return _arrow(
        SCANNED_TAGS,
        "SELECT i AS track_id, k AS key, 0 AS ordinal, CASE k "
        f"WHEN 'title' THEN 'Song title {suffix}' || i WHEN 'artist' THEN 'Artist ' || (i // 100) "
        "WHEN 'album' THEN 'Album ' || (i // 10) WHEN 'tracknumber' THEN (i % 10)::VARCHAR "
        f"ELSE 'Value ' || (i % 50) END AS value FROM range(1, {count} + 1) t(i), "
        f"(SELECT unnest([{listed}]) AS k) ORDER BY i",
    )


def art(count: int) -> pa.Table:
    """Return one picture a track, by reference."""
    return _arrow(
        SCANNED_ART,
        "SELECT i AS track_id, 0 AS ordinal, 3 AS picture_type, 'image/jpeg' AS mime, "
        "'' AS description, 500 AS width, 500 AS height, 24 AS depth, 0 AS colors, "
        "50000 AS length, 'raw' AS encoding, 0 AS skip, "
        "[{'offset': 1000, 'length': 50000}] AS spans, NULL::VARCHAR AS art_hash "
        f"FROM range(1, {count} + 1) t(i)",
    )


def blocks(count: int) -> pa.Table:
    """Return one carried-over block a track."""
    return _arrow(
        BLOCKS,
        "SELECT i AS track_id, 0 AS ordinal, 'flac_block' AS kind, '0' AS key, 34 AS length, "
        "'raw' AS encoding, [{'offset': 8, 'length': 34}] AS spans, NULL::BLOB AS body "
        f"FROM range(1, {count} + 1) t(i)",
    )


def write_library(path: Path, count: int) -> None:
    """Publish a library of `count` tracks."""
    with IndexWriter(path) as writer:
        writer.append(TRACKS, tracks(count))
        writer.append(SCANNED_TAGS, tags(count))
        writer.append(SCANNED_ART, art(count))
        writer.append(BLOCKS, blocks(count))
        writer.publish("bench")


def _column(field: pa.Field, ids: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> pa.Array:
    count = len(ids)
    match field.name:
        case "name":
            return pa.array([f"some file name {n}.flac" for n in ids])
        case "state" | "ordinal" | "stream_count":
            return pa.nulls(count, field.type).fill_null(0)
        case "namespace" | "link_count" | "name_count":
            return pa.nulls(count, field.type).fill_null(1)
        case "in_use":
            return pa.array(np.ones(count, bool))
        case "is_directory":
            return pa.array(ids % 20 == 0)
        case "entry_id" | "record_number":
            return pa.array(ids)
        case "valid_size":
            return pa.array(ids * 31 % 1000)
    if field.nullable and field.type in (pa.string(), pa.binary(), pa.uint32()):
        return pa.nulls(count, field.type)
    if field.name.endswith("_raw"):
        return pa.array((ids * 7_654_321 % 10**15 + 132 * 10**15).astype(np.uint64))
    return pa.array(ids * 31 % 1000).cast(field.type)


def volume_batches(records: int) -> list[tuple[Table, pa.RecordBatch]]:
    """Return entries and names of `records` files as the scan hands them over."""
    batches: list[tuple[Table, pa.RecordBatch]] = []
    for start in range(0, records, RECORDS_PER_BATCH):
        ids = np.arange(start, min(start + RECORDS_PER_BATCH, records))
        for table in (ENTRIES, NAMES):
            columns = [_column(field, ids) for field in table.arrow_schema]
            batches.append((table, pa.record_batch(columns, schema=table.arrow_schema)))
    return batches
