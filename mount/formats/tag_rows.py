"""The tags of many tracks with what each row costs: what sizes of frames and atoms are made of.

How a key is written is asked once a key, from the same functions that synthesis asks. Rows of one
key of one track are neighbours (see `LibraryColumns`), so groups are runs and no row is hashed.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import IntEnum

import polars as pl

from musefs.mount.formats.columns import LibraryColumns, per_track


class Ended(IntEnum):
    """Which empty values take a byte of their own, so that readers see them."""

    NONE = 0
    LAST = 1
    EACH = 2


@dataclass(frozen=True, slots=True)
class KeyCost:
    """What the values of a key take besides their own bytes."""

    once: int
    """A frame or atom without values."""
    each: int
    ended: Ended = Ended.NONE


@dataclass(frozen=True, slots=True)
class TagRows:
    """Costed rows: all of them summed, and those of keys with rules of their own."""

    usual: list[pl.LazyFrame]
    """track_id and bytes, to be summed: everything written in the usual way."""
    special: pl.LazyFrame
    """track_id, key, value, value_bytes, first and last (of the group)."""

    def only(self, key: str) -> pl.LazyFrame:
        """Return the special rows of one key."""
        return self.special.filter(pl.col("key") == key)

    def single(self, key: str) -> pl.LazyFrame:
        """Return the special rows of one key where it has one value."""
        return self.only(key).filter(pl.col("first") & pl.col("last"))


def used_keys(columns: LibraryColumns) -> list[str]:
    """Return each key once."""
    return columns.tags.get_column("key").unique().cast(pl.String).to_list()


def cost_rows(
    columns: LibraryColumns, cost: Callable[[str], KeyCost], special: Collection[str]
) -> TagRows:
    """Return the costed rows of all tags."""
    tags = columns.tags
    keys = tags.get_column("key")
    if keys.dtype == pl.String:
        keys = keys.cast(pl.Categorical)
    costs = _costs(keys, cost)
    marked = (
        tags.lazy()
        .select(
            "track_id",
            keys.to_physical().alias("code"),
            pl.col("value").str.len_bytes().cast(pl.Int64).alias("value_bytes"),
        )
        .with_columns(_begins().alias("first"))
        .with_columns(pl.col("first").shift(-1).fill_null(value=True).alias("last"))
        .collect()
    )
    chosen = [code for code, key in costs.keys if key in special]
    texts = marked.hstack([keys, tags.get_column("value")])
    picked = texts.filter(pl.col("code").is_in(chosen)).select(
        "track_id", pl.col("key").cast(pl.String), "value", "value_bytes", "first", "last"
    )
    return TagRows(_costed(marked.lazy(), costs), picked.lazy())


def _begins() -> pl.Expr:
    """Tell of each row whether it is the first of its track and key."""
    track_id, code = pl.col("track_id"), pl.col("code")
    begins = (track_id != track_id.shift(1)) | (code != code.shift(1))
    return begins.fill_null(value=True)


@dataclass(frozen=True, slots=True)
class _Costs:
    """What keys cost, by their codes."""

    keys: list[tuple[int, str]]
    once: pl.Series
    each: pl.Series
    ended: pl.Series


def _costs(keys: pl.Series, cost: Callable[[str], KeyCost]) -> _Costs:
    """Return the cost of each key that is used; codes that are not used cost nothing."""
    used = keys.unique()
    codes = used.to_physical().to_list()
    found = {
        code: cost(name) for code, name in zip(codes, used.cast(pl.String).to_list(), strict=True)
    }
    nothing = KeyCost(0, 0)
    table = [found.get(code, nothing) for code in range(max(codes, default=-1) + 1)]
    return _Costs(
        keys=list(zip(codes, used.cast(pl.String).to_list(), strict=True)),
        once=pl.Series([one.once for one in table], dtype=pl.Int64),
        each=pl.Series([one.each for one in table], dtype=pl.Int64),
        ended=pl.Series([int(one.ended) for one in table], dtype=pl.Int64),
    )


def _costed(marked: pl.LazyFrame, costs: _Costs) -> list[pl.LazyFrame]:
    """Return track_id and bytes: of each row, of each group's first row, of empty values."""
    code = pl.col("code")
    ended = pl.lit(costs.ended).gather(code)
    shows = (ended == Ended.EACH.value) | ((ended == Ended.LAST.value) & pl.col("last"))
    each = pl.col("value_bytes") + pl.lit(costs.each).gather(code)
    empty = marked.filter(pl.col("value_bytes") == 0)
    return [
        per_track(marked, each, "bytes"),
        per_track(marked.filter(pl.col("first")), pl.lit(costs.once).gather(code), "bytes"),
        per_track(empty, shows, "bytes"),
    ]
