"""The size of what `mp4.synthesise` makes, from columns."""

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
from musefs.mount.formats.tag_groups import Ended, first_values, group_sizes, only_key

_USER_DATA_BYTES = ATOM_HEAD_BYTES + META_HEAD_BYTES + len(HANDLER) + ATOM_HEAD_BYTES
"""udta, meta, hdlr and ilst without content: 61 bytes."""
_FREEFORM = "----:"
_NAMES_BYTES = len(freeform_head(b"", b""))


def served_sizes(columns: LibraryColumns) -> pl.DataFrame:
    """Return the sizes of what `synthesise` makes; null where it makes nothing."""
    parts = [_usual(columns), _corrections(columns), _items(columns), _covers(columns)]
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


def _usual(columns: LibraryColumns) -> pl.LazyFrame:
    groups = group_sizes(columns, lambda key: (*usual_cost(atom_plan(key)), Ended.NONE))
    return per_track(groups, pl.col("group_bytes"), "bytes")


def _freeform_size(key: str, values: pl.Expr, value_bytes: pl.Expr) -> pl.Expr:
    once, each = usual_cost(atom_plan(key))
    size = values * each + value_bytes + once
    return pl.when(values > 0).then(size).otherwise(0)


def _corrections(columns: LibraryColumns) -> pl.LazyFrame:
    """Correct for numbers, of which the first value has an atom of its own."""
    names = columns.tags.get_column("key").cast(pl.String).unique().to_list()
    plans = {name: atom_plan(name) for name in names}
    numbers = [n for n, plan in plans.items() if plan.kind in (Kind.INTEGER, Kind.PAIR)]
    groups = first_values(columns, {*numbers, *TOTALS.values()})
    parts = [_number(groups, name) for name in numbers]
    parts += [_total(groups, number, total) for number, total in TOTALS.items()]
    return pl.concat(parts)


def _number(groups: pl.LazyFrame, key: str) -> pl.LazyFrame:
    plan = atom_plan(key)
    first, values, value_bytes = pl.col("first"), pl.col("values"), pl.col("value_bytes")
    if plan.kind is Kind.PAIR:
        fitting = first.str.contains(NUMBER_AND_TOTAL) & (
            pl.max_horizontal(
                first.str.extract(NUMBER_AND_TOTAL, group).str.to_integer(strict=False)
                for group in (1, 2)
            )
            <= LARGEST_NUMBER
        )
    else:
        number = first.str.to_integer(strict=False, dtype=pl.Int64)
        fitting = first.str.contains(INTEGER) & (number <= largest_integer(plan.width))
    own = ATOM_HEAD_BYTES + DATA_HEAD_BYTES + plan.width
    first_bytes = first.str.len_bytes().cast(pl.Int64)
    rest = _freeform_size(key, values - 1, value_bytes - first_bytes)
    change = own + rest - _freeform_size(key, values, value_bytes)
    return only_key(groups.filter(fitting), key, bytes=change.cast(pl.Int64))


def _total(groups: pl.LazyFrame, number: str, total: str) -> pl.LazyFrame:
    """Return the freeform item that a total saves by standing in the atom of its number."""
    first = pl.col("first")
    plain = first.str.contains(NUMBER) & (first.str.to_integer(strict=False) <= LARGEST_NUMBER)
    numbers = only_key(groups.filter(plain), number)
    saved = -_freeform_size(total, pl.col("values"), pl.col("value_bytes"))
    totals = groups.filter(plain & (pl.col("values") == 1))
    return only_key(totals, total, bytes=saved.cast(pl.Int64)).join(numbers, on="track_id")


def _items(columns: LibraryColumns) -> pl.LazyFrame:
    items = columns.blocks.lazy().filter(_kind() == BlockKind.MP4_TAG.value)
    names = pl.col("key").str.len_bytes().cast(pl.Int64) - len(_FREEFORM) - 1 + _NAMES_BYTES
    is_freeform = pl.col("key").str.starts_with(_FREEFORM)
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
    is_atom = _kind() == BlockKind.MP4_ATOM.value
    is_table = _kind() == BlockKind.MP4_CHUNK_OFFSETS.value
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


def _kind() -> pl.Expr:
    return pl.col("kind").cast(pl.String)
