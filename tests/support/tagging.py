"""Run the tag stage over a folder, with what it appends collected in memory."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from musefs.index.schema.column import Table
from musefs.pipeline.tag.candidates import CANDIDATE_COLUMNS
from musefs.pipeline.tag.formats import EXTENSIONS, extension_of
from musefs.pipeline.tag.sources import MountedSource
from musefs.pipeline.tag.stage import TagOptions, TagReport, run_tag_stage
from musefs.pipeline.tag.tracks import Library, empty_library


def candidates_below(root: Path) -> pl.DataFrame:
    """Return what a scan of a folder says of its audio files: times in whole 100 ns."""
    rows = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            if extension_of(os.fsencode(name)) not in EXTENSIONS:
                continue
            found = path.lstat()
            rows.append(
                (
                    0, found.st_ino, 0, f"/{path.relative_to(root)}", None, found.st_size,
                    found.st_mtime_ns // 100 * 100, found.st_ctime_ns // 100 * 100, 0, "runs",
                    found.st_size, 0, None, None, None, None,
                )
            )  # fmt: skip
    frame = pl.DataFrame(rows, schema=CANDIDATE_COLUMNS, orient="row").sort("record_number")
    return frame.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("entry_id"))


@dataclass
class Appended:
    """The batches of one run, by table."""

    batches: dict[str, list[pa.RecordBatch]] = field(default_factory=dict)
    schemas: dict[str, pa.Schema] = field(default_factory=dict)

    def __call__(self, table: Table, batch: pa.RecordBatch) -> None:
        assert batch.schema == table.arrow_schema
        batch.validate(full=True)
        self.batches.setdefault(table.name, []).append(batch)
        self.schemas[table.name] = batch.schema

    def rows(self, name: str) -> list[dict[str, Any]]:
        batches = self.batches.get(name, [])
        return pa.Table.from_batches(batches).to_pylist() if batches else []

    def track(self, path: str) -> dict[str, Any]:
        [row] = [row for row in self.rows("tracks") if row["path"] == path]
        return row

    def tags(self, track_id: int) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for row in self.rows("scanned_tags"):
            if row["track_id"] == track_id:
                found.setdefault(row["key"], []).append(row["value"])
        return found

    def library(self, high_water: int) -> Library:
        frame = pl.from_arrow(pa.Table.from_batches(self.batches["tracks"]))
        assert isinstance(frame, pl.DataFrame)
        return Library(frame, high_water)


def tag_folder(
    root: Path,
    old: Library | None = None,
    *,
    generation: int = 1,
    options: TagOptions | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[Appended, TagReport]:
    """Run the stage over a folder."""
    appended = Appended()
    report = run_tag_stage(
        candidates_below(root),
        MountedSource(root),
        appended,
        old=old or empty_library(),
        generation=generation,
        options=options or TagOptions(workers=1),
        cancelled=cancelled,
    )
    return appended, report
