"""Files on the volume that accompany tracks, as an index lists them."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from musefs.index.counters import Counter, degrade
from musefs.index.read.attach import attached
from musefs.index.read.load import LOAD_THREADS

if TYPE_CHECKING:
    import duckdb

IMAGES: Final = ("jpg", "jpeg", "png", "webp", "gif")
SIDECARS: Final = ("lrc", "cue", "log", "nfo", "txt", "pdf", "accurip", *IMAGES)
PLAYLISTS: Final = ("m3u", "m3u8")

MAX_SIDECAR_BYTES: Final = 1 << 30
"""A sidecar is not larger; what is, is something else with a familiar ending."""

FILE_SCHEMA: Final = pl.Schema(
    {
        "entry_id": pl.Int64(),
        "record_number": pl.Int64(),
        "sequence": pl.Int32(),
        "folder": pl.String(),
        "name": pl.String(),
        "extension": pl.String(),
        "path_bytes": pl.Binary(),
        "size": pl.Int64(),
        "modified_raw": pl.UInt64(),
        "lsn": pl.Int64(),
        "kind": pl.String(),
        "valid_size": pl.Int64(),
        "unit_clusters": pl.Int32(),
        "resident": pl.Binary(),
        "runs": pl.List(pl.Struct({"offset": pl.Int64, "length": pl.Int64})),
    }
)
"""folder ends with a slash; path_bytes is the exact path; modified_raw counts 100 ns since 1601.
kind and what follows say where the bytes lie on the volume; null where nobody asked."""

_SQL: Final = """
WITH homes AS (
  SELECT DISTINCT regexp_extract(path, '^(.*/)[^/]*$', 1) AS folder
  FROM tracks WHERE state = 'present'
)
SELECT e.entry_id, e.record_number, e.sequence, d.path AS folder, n.name,
  lower(regexp_extract(n.name, '[^.]\\.([^.]+)$', 1)) AS extension,
  coalesce(d.path_bytes, encode(d.path)) || coalesce(n.name_bytes, encode(n.name)) AS path_bytes,
  e.size, e.modified_raw, e.lsn
FROM names n
JOIN directories d ON d.record_number = n.parent_record AND d.sequence = n.parent_sequence
JOIN entries e ON e.entry_id = n.entry_id
WHERE NOT e.is_directory AND e.in_use AND e.size BETWEEN 1 AND $largest
  AND NOT starts_with(n.name, '.')
  AND (extension IN (SELECT unnest($sidecars)) AND d.path IN (FROM homes)
       OR extension IN (SELECT unnest($playlists)) AND NOT d.hidden)
ORDER BY e.entry_id, n.ordinal
"""

_CONTENTS_SQL: Final = """
SELECT entry_id, kind, valid_size, unit_clusters, resident, runs
FROM contents SEMI JOIN found USING (entry_id)
"""


def load_companion_files(index: Path, *, with_contents: bool = False) -> pl.DataFrame:
    """Return sidecars in the folders of tracks, and playlists anywhere (FILE_SCHEMA).

    `with_contents` adds where the bytes lie, and leaves out files whose bytes the scan did not
    keep track of: without a driver nobody could read them.
    """
    given = {
        "largest": MAX_SIDECAR_BYTES,
        "sidecars": list(SIDECARS),
        "playlists": list(PLAYLISTS),
    }
    with attached(index, threads=LOAD_THREADS) as con:
        found = pl.DataFrame(con.sql(_SQL, params=given).to_arrow_table())
        found = found.unique("entry_id", keep="first", maintain_order=True)
        if with_contents:
            found = _with_contents(con, found)
    missing = [pl.lit(None).alias(name) for name in FILE_SCHEMA if name not in found.columns]
    return found.with_columns(missing).select(FILE_SCHEMA.names()).cast(FILE_SCHEMA)


def _with_contents(con: "duckdb.DuckDBPyConnection", found: pl.DataFrame) -> pl.DataFrame:
    con.register("found", found.select("entry_id").to_arrow())
    contents = pl.DataFrame(con.sql(_CONTENTS_SQL).to_arrow_table())
    located = found.join(contents, on="entry_id", maintain_order="left")
    if lost := len(found) - len(located):
        degrade(
            Counter.COMPANIONS_DROPPED,
            "%d files beside tracks are not shown: the index does not say where their bytes lie; "
            "a new scan may find out",
            lost,
            amount=lost,
        )
    return located
