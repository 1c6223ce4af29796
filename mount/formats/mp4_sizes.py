"""The size of what `mp4.synthesise` makes, from columns."""

from collections.abc import Iterable

import polars as pl

from musefs.index.media.facts import BlockKind
from musefs.mount.formats.columns import LibraryColumns, per_track
from musefs.mount.formats.mp4 import HANDLER, LARGEST_TABLED_BYTES, META_HEAD_BYTES
from musefs.mount.formats.mp4_keys import (
    INTEGER,
    LARGEST_NUMBER,
    NUMBER,
    NUMBER_AND_TOTAL,
    TOTALS,
    AtomPlan,
    Kind,
    atom_plan,
    freeform_head,
    largest_integer,
)
from musefs.mount.formats.mp4_tags import (
    ATOM_HEAD_BYTES,
    DATA_HEAD_BYTES,
    LARGEST_ATOM_BYTES,
    usual_cost,
)
from musefs.mount.formats.tag_rows import KeyCost, TagRows, cost_rows, used_keys

_USER_DATA_BYTES = ATOM_HEAD_BYTES + META_HEAD_BYTES + len(HANDLER) + ATOM_HEAD_BYTES
"""udta, meta, hdlr and ilst without content: 61 bytes."""
_FREEFORM = "----:"
_NUMBERS = (Kind.INTEGER, Kind.PAIR)
_NAMES_BYTES = len(freeform_head(b"", b""))


def served_sizes(columns: LibraryColumns) -> pl.DataFrame:
    """Return the sizes of what `synthesise` makes; null where it makes nothing."""
    numbers = [key for key in used_keys(columns) if atom_plan(key).kind in _NUMBERS]
    rows = cost_rows(columns, _cost, {*numbers, *TOTALS.values()})
    parts = [*rows.usual, *_corrections(rows, numbers), _items(columns), _covers(columns)]
    tags = pl.concat(parts).group_by("track_id").agg(pl.col("bytes").sum().alias("tag_bytes"))
    moov = pl.lit(ATOM_HEAD_BYTES + _USER_DATA_BYTES) + sum(
        (pl.col(name).fill_null(0) for name in ("moov_bytes", "tag_bytes")), pl.lit(0)
    )
    head = moov + pl.col("outer_bytes").fill_null(0)
    total = head + pl.col("audio_length")
    reaches = (total <= LARGEST_TABLED_BYTES) | pl.col("has_stco").is_null()
    fits = (moov <= LARGEST_ATOM_BYTES) & reaches
    return (
        columns.tracks.lazy()
        .join(tags, on="track_id", how="left")
        .join(_copied(columns), on="track_id", how="left")
        .select("track_id", pl.when(fits).then(total).alias("served_size"))
        .collect()
    )


def _cost(key: str) -> KeyCost:
    return KeyCost(*usual_cost(atom_plan(key)))


def _corrections(rows: TagRows, keys: Iterable[str]) -> list[pl.LazyFrame]:
    """Correct for numbers, of which the first value has an atom of its own."""
    return [
        *(_number(rows, key) for key in keys),
        *(_total(rows, number, total) for number, total in TOTALS.items()),
    ]


def _number(rows: TagRows, key: str) -> pl.LazyFrame:
    """Give the first value its atom; the freeform item begins with the second, if there is one."""
    plan, cost = atom_plan(key), _cost(key)
    own = ATOM_HEAD_BYTES + DATA_HEAD_BYTES + plan.width
    usual = cost.each + pl.col("value_bytes")
    once = pl.when(pl.col("last")).then(cost.once).otherwise(0)
    fitting = rows.only(key).filter(pl.col("first") & _fits(plan))
    return fitting.select("track_id", (own - usual - once).cast(pl.Int64).alias("bytes"))


def _fits(plan: AtomPlan) -> pl.Expr:
    value = pl.col("value")
    if plan.kind is Kind.INTEGER:
        number = value.str.to_integer(strict=False, dtype=pl.Int64)
        return value.str.contains(INTEGER) & (number <= largest_integer(plan.width))
    numbers = (
        value.str.extract(NUMBER_AND_TOTAL, group).str.to_integer(strict=False) for group in (1, 2)
    )
    return value.str.contains(NUMBER_AND_TOTAL) & (pl.max_horizontal(numbers) <= LARGEST_NUMBER)


def _total(rows: TagRows, number: str, total: str) -> pl.LazyFrame:
    """Return the freeform item that a total saves by standing in the atom of its number."""
    value = pl.col("value")
    plain = value.str.contains(NUMBER) & (value.str.to_integer(strict=False) <= LARGEST_NUMBER)
    numbers = rows.only(number).filter(pl.col("first") & plain).select("track_id")
    cost = _cost(total)
    saved = -(pl.col("value_bytes") + cost.once + cost.each)
    totals = rows.single(total).filter(plain)
    return totals.select("track_id", saved.cast(pl.Int64).alias("bytes")).join(
        numbers, on="track_id"
    )


def _items(columns: LibraryColumns) -> pl.LazyFrame:
    items = columns.blocks.lazy().filter(pl.col("kind") == BlockKind.MP4_TAG.value)
    names = (
        pl.col("key").cast(pl.String).str.len_bytes().cast(pl.Int64)
        - len(_FREEFORM)
        - 1
        + _NAMES_BYTES
    )
    is_freeform = pl.col("key").cast(pl.String).str.starts_with(_FREEFORM)
    head = ATOM_HEAD_BYTES + pl.when(is_freeform).then(names).otherwise(0)
    return per_track(items, pl.col("length") + head, "bytes")


def _covers(columns: LibraryColumns) -> pl.LazyFrame:
    largest = LARGEST_ATOM_BYTES - DATA_HEAD_BYTES
    fitting = columns.art.lazy().filter(pl.col("length").is_between(1, largest))
    covers = per_track(fitting, pl.col("length") + DATA_HEAD_BYTES, "bytes")
    covr = pl.when(pl.col("bytes") <= LARGEST_ATOM_BYTES).then(ATOM_HEAD_BYTES).otherwise(0)
    return covers.with_columns((pl.col("bytes") + covr).cast(pl.Int64))


def _copied(columns: LibraryColumns) -> pl.LazyFrame:
    """Return what is copied inside moov and beside it, and whether a table has 32 bits."""
    is_atom = pl.col("kind") == BlockKind.MP4_ATOM.value
    is_table = pl.col("kind") == BlockKind.MP4_CHUNK_OFFSETS.value
    inside = (is_atom & pl.col("key").is_in(["moov", "udta", "meta"])) | is_table
    outer = is_atom & pl.col("key").is_in(["ftyp", "top", "mdat"])
    length, zero = pl.col("length").cast(pl.Int64), pl.lit(0, dtype=pl.Int64)
    return (
        columns.blocks.lazy()
        .group_by("track_id")
        .agg(
            pl.when(inside).then(length).otherwise(zero).sum().alias("moov_bytes"),
            pl.when(outer).then(length).otherwise(zero).sum().alias("outer_bytes"),
            pl.when(is_table & (pl.col("key") == "stco")).then(True).max().alias("has_stco"),
        )
    )
