"""Small libraries as the columns that rendering takes: tracks and their tags."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from musefs.index.schema.library_tables import TAGS, TRACKS

Tags = Mapping[str, str | Sequence[str]]


def frame(table: Any, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return rows of a table of the schema; what is not given is null."""
    empty = pl.DataFrame(pl.from_arrow(table.arrow_schema.empty_table()))
    full = [{name: row.get(name) for name in empty.columns} for row in rows]
    return pl.DataFrame(full, schema=empty.schema, orient="row")


def library(*tracks: Tags, **facts: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return (tracks, tags); track ids count from 1. `path` among the tags is the file's path."""
    rows, tags = [], []
    for track_id, given in enumerate(tracks, 1):
        path = given.get("@path", f"/Music/{track_id}.flac")
        base = {"format": "flac", "state": "present", "published_version": 1, "entry_id": track_id}
        rows.append(base | {"track_id": track_id, "path": path} | facts)
        for key, values in given.items():
            if key == "@path":
                continue
            many = [values] if isinstance(values, str) else values
            tags += [
                {"track_id": track_id, "key": key, "ordinal": n, "value": value}
                for n, value in enumerate(many)
            ]
    served = {"published_version": "content_version", "published_change_at": "updated_at"}
    return frame(TRACKS, rows).rename(served), frame(TAGS, tags)
