"""Rows of the tracks table: of files that are as they were, that were read, and that are gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa

from musefs.index.errors import IndexMissingError
from musefs.index.schema.library_tables import TRACKS
from musefs.pipeline.tag.batches import column_array

_COLUMNS: Final = tuple(column.name for column in TRACKS.stored)
_ENUMS: Final = frozenset(column.name for column in TRACKS.stored if column.enum)
_FROM_SCAN: Final = ("entry_id", "record_number", "sequence", "path", "path_bytes")
"""What the scan says of an unchanged file: it may have another place, and has another entry."""


@dataclass(frozen=True, slots=True)
class Library:
    """The tracks of the published index."""

    tracks: pl.DataFrame
    high_water: int


def empty_library() -> Library:
    """Return the library of a first scan."""
    return Library(pl.DataFrame(TRACKS.arrow_schema.empty_table()), 0)


def read_library(path: Path) -> Library:
    """Return the tracks of the index that is published at `path`, none if there is none."""
    from musefs.index.read.attach import attached

    try:
        with attached(path) as con:
            tracks = con.table("tracks").order("track_id")
            table = tracks.project(", ".join(map(_as_text, _COLUMNS))).to_arrow_table()
            row = con.execute(
                "SELECT greatest(track_high_water, "
                "coalesce((SELECT max(track_id) FROM tracks), 0)) FROM meta"
            ).fetchone()
    except IndexMissingError:
        return empty_library()
    return Library(pl.DataFrame(table), int(row[0]) if row else 0)


def _as_text(name: str) -> str:
    return f"{name}::VARCHAR AS {name}" if name in _ENUMS else name


class TrackRows:
    """Makes the rows of one scan."""

    def __init__(self, files: pl.DataFrame, old: pl.DataFrame, generation: int) -> None:
        self._files = files
        self._old = old
        self._generation = generation
        self._now = datetime.now(UTC).replace(tzinfo=None)
        self._left_out: list[int] = []

    def unchanged(self) -> pa.RecordBatch:
        """Return the rows of files that are as they were: all of the old row but its place."""
        kept = self._files.filter("unchanged").select("track_id", *_FROM_SCAN)
        rows = kept.join(
            self._old.drop(*_FROM_SCAN), on="track_id", how="left", maintain_order="left"
        )
        return _batch(rows.with_columns(pl.lit(None, pl.Int64).alias("missing_since")))

    def read(self, files: pa.Table, track_ids: pa.Int64Array) -> pa.RecordBatch:
        """Return the rows of files that were read; `files` is batches.file_table."""
        learned = pl.DataFrame(files)
        numbers = column_array(learned["row"])
        was = self._old.select("track_id", "published_version")
        place = self._files.select(*_FROM_SCAN, "lsn")[learned["row"]]
        rows = learned.drop("row").hstack(place)
        rows = rows.with_columns(pl.Series("track_id", track_ids.take(numbers.cast(pa.int64()))))
        rows = rows.join(was, on="track_id", how="left", maintain_order="left").with_columns(
            pl.col("published_version").fill_null(1),
            pl.lit(None, pl.Int64).alias("missing_since"),
            pl.lit(self._now).alias("published_change_at"),
        )
        return _batch(rows)

    def missing(self, gone: pl.DataFrame) -> pa.RecordBatch:
        """Return the rows of tracks without a file; the first generation that missed one stays."""
        return _batch(
            gone.with_columns(
                pl.lit(None, pl.Int64).alias("entry_id"),
                pl.lit("missing").alias("state"),
                pl.col("missing_since").fill_null(self._generation),
            )
        )

    def leave_out(self, rows: Sequence[int]) -> None:
        """Remember files that turned out to be no music."""
        self._left_out.extend(rows)

    def left_out(self) -> pl.DataFrame:
        """Return the old tracks whose file is no music any more."""
        ids = self._files[self._left_out].filter("known")["track_id"]
        return self._old.filter(pl.col("track_id").is_in(ids.to_list()))


def _batch(rows: pl.DataFrame) -> pa.RecordBatch:
    table = rows.select(_COLUMNS).rechunk().to_arrow().cast(TRACKS.arrow_schema)
    return next(
        iter(table.combine_chunks().to_batches()),
        pa.RecordBatch.from_pylist([], schema=TRACKS.arrow_schema),
    )
