"""The index columns that sizes are computed from, and how a format's rule gets and gives them."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class LibraryColumns:
    """Rows of the tables tracks, tags, blocks and art, columns as in the index.

    Tags are in the order of track_id, key and ordinal; keys and kinds are text or categories.
    """

    tracks: pl.DataFrame
    tags: pl.DataFrame
    blocks: pl.DataFrame
    art: pl.DataFrame


SizeRule = Callable[[LibraryColumns], pl.DataFrame]
"""Gets the rows of one format's synthesised tracks; returns track_id and served_size (Int64).

A track whose tags do not fit into the format may be null: it is served as it is.
"""


def per_track(rows: pl.LazyFrame, size: pl.Expr, name: str) -> pl.LazyFrame:
    """Sum `size` over the rows of each track into a column `name`."""
    return rows.select("track_id", size.cast(pl.Int64).alias(name)).group_by("track_id").sum()
