"""The tags of many tracks as one row for each track and key, with how that key is written.

What formats with frames or atoms compute sizes from. How a key is written is asked once a key,
from the same functions that synthesis asks, and joined to the rows.
"""

from collections.abc import Callable, Iterable
from enum import IntEnum

import polars as pl

from musefs.mount.formats.columns import LibraryColumns


class Ended(IntEnum):
    """Which empty values take a byte of their own, so that readers see them."""

    NONE = 0
    LAST = 1
    EACH = 2


KeyCost = Callable[[str], tuple[int, int, Ended]]
"""A key to what a frame or atom takes without values, what each value adds besides its own bytes,
and which empty values take one byte more.
"""


def group_sizes(columns: LibraryColumns, cost: KeyCost) -> pl.LazyFrame:
    """Return track_id, key and group_bytes: what each key takes if written in the usual way."""
    names = columns.tags.get_column("key").cast(pl.String).unique().to_list()
    costs = [cost(name) for name in names]
    plan = pl.LazyFrame(
        {
            "key": names,
            "once": [once for once, _, _ in costs],
            "each": [each for _, each, _ in costs],
            "ended": [int(ended) for _, _, ended in costs],
        },
        schema={"key": pl.String, "once": pl.Int64, "each": pl.Int64, "ended": pl.Int64},
    )
    grouped = (
        columns.tags.lazy()
        .select("track_id", pl.col("key").cast(pl.String), "ordinal", "value")
        .with_columns(pl.col("value").str.len_bytes().cast(pl.Int64).alias("value_bytes"))
        .group_by("track_id", "key")
        .agg(
            pl.len().cast(pl.Int64).alias("values"),
            pl.col("value_bytes").sum(),
            pl.col("value_bytes").sort_by("ordinal").last().alias("last_bytes"),
            (pl.col("value_bytes") == 0).sum().cast(pl.Int64).alias("empty"),
        )
    )
    nul = (
        pl.when(pl.col("ended") == Ended.EACH.value)
        .then(pl.col("empty"))
        .when(pl.col("ended") == Ended.LAST.value)
        .then((pl.col("last_bytes") == 0).cast(pl.Int64))
        .otherwise(0)
    )
    size = pl.col("once") + pl.col("each") * pl.col("values") + pl.col("value_bytes") + nul
    return grouped.join(plan, on="key").select(
        "track_id", "key", "values", "value_bytes", size.alias("group_bytes")
    )


def first_values(columns: LibraryColumns, keys: Iterable[str]) -> pl.LazyFrame:
    """Return track_id, key, values (how many), value_bytes and first of the groups of `keys`."""
    return (
        columns.tags.lazy()
        .select("track_id", pl.col("key").cast(pl.String), "ordinal", "value")
        .filter(pl.col("key").is_in(list(keys)))
        .group_by("track_id", "key")
        .agg(
            pl.len().cast(pl.Int64).alias("values"),
            pl.col("value").str.len_bytes().cast(pl.Int64).sum().alias("value_bytes"),
            pl.col("value").sort_by("ordinal").first().alias("first"),
        )
    )


def only_key(groups: pl.LazyFrame, key: str, **names: pl.Expr) -> pl.LazyFrame:
    """Return track_id and the named expressions over the groups of one key."""
    chosen = [expression.alias(name) for name, expression in names.items()]
    return groups.filter(pl.col("key") == key).select("track_id", *chosen)
