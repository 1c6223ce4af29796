"""The length of the tag that `id3.tag_segments` makes, from columns.

The sum of all keys written in the usual way, and a correction for each rule beyond it: totals that
share a frame, lists of people, ratings, identifiers, blocks that give way. A property test holds
both equal.
"""

import polars as pl

from musefs.index.edit.vocabulary import PERFORMER
from musefs.index.media.facts import BlockKind
from musefs.index.media.id3 import RATING_KEY
from musefs.mount.formats.columns import LibraryColumns, per_track
from musefs.mount.formats.id3 import LARGEST_TAG_BYTES
from musefs.mount.formats.id3_keys import (
    COUNT_VALUE,
    IDENTIFIER,
    LARGEST_RATING,
    MUSICBRAINZ,
    MUSICIAN,
    OWNER,
    PAIRS,
    PEOPLE,
    PLAYS,
    PODCAST,
    RATING,
    RATING_VALUE,
    ROLES,
    SPECIAL,
    SUPERSEDING,
    UTF8,
    Form,
    frame_plan,
)
from musefs.mount.formats.tag_rows import Ended, KeyCost, TagRows, cost_rows

TAG_HEADER_BYTES = 10
_FRAME_HEADER_BYTES = 10
_PICTURE_HEAD_BYTES = 4
"""Encoding, two NULs and the kind of picture."""
_POPULARITY_BYTES = _FRAME_HEADER_BYTES + 2
_COUNTER_BYTES = 4
_LIST_BYTES = _FRAME_HEADER_BYTES + len(UTF8)
"""A list of people without people."""
_WITH_RULES = frozenset({*SPECIAL, *PAIRS, *PAIRS.values(), *PEOPLE})


def tag_lengths(columns: LibraryColumns) -> pl.LazyFrame:
    """Return track_id and tag_bytes of every track."""
    rows = cost_rows(columns, _cost, _WITH_RULES)
    parts = [*rows.usual, *_corrections(rows, columns), _blocks(columns), _pictures(columns)]
    sums = pl.concat(parts).group_by("track_id").agg(pl.col("bytes").sum())
    total = pl.col("bytes").fill_null(0) + TAG_HEADER_BYTES
    return (
        columns.tracks.lazy()
        .select("track_id")
        .join(sums, on="track_id", how="left")
        .select("track_id", total.alias("tag_bytes"))
    )


def _cost(key: str) -> KeyCost:
    plan = frame_plan(key)
    if key == PERFORMER:
        return KeyCost(0, 0)  # all but the bytes of the values is in `_performers`
    if plan.form is Form.PEOPLE:
        return KeyCost(0, len(plan.head) + 1)
    frame = _FRAME_HEADER_BYTES + len(plan.head)
    if plan.form is Form.EACH:
        return KeyCost(0, frame, Ended.EACH)
    return KeyCost(frame - 1, 1, Ended.LAST if plan.form is Form.TEXT else Ended.NONE)


def _usual_size(key: str) -> pl.Expr:
    """Return what a single value that is not empty takes in the usual way."""
    cost = _cost(key)
    return pl.lit(cost.once + cost.each) + pl.col("value_bytes")


def _corrections(rows: TagRows, columns: LibraryColumns) -> list[pl.LazyFrame]:
    return [
        *(_pair(rows, number, total) for number, total in PAIRS.items()),
        _identifiers(rows),
        _podcasts(rows),
        _involved_people(rows),
        *_performers(rows),
        _popularity(rows, columns),
    ]


def _change(rows: pl.LazyFrame, change: pl.Expr) -> pl.LazyFrame:
    return rows.select("track_id", change.cast(pl.Int64).alias("bytes"))


def _pair(rows: TagRows, number: str, total: str) -> pl.LazyFrame:
    """Return the frame that a total saves; it costs itself and a slash instead."""
    whole = (pl.col("value") != "") & ~pl.col("value").str.contains("/", literal=True)
    numbers = rows.single(number).filter(whole).select("track_id")
    saved = pl.col("value_bytes") + 1 - _usual_size(total)
    return _change(rows.single(total).filter(whole), saved).join(numbers, on="track_id")


def _identifiers(rows: TagRows) -> pl.LazyFrame:
    size = _FRAME_HEADER_BYTES + len(OWNER) + 1 + pl.col("value_bytes")
    fitting = rows.single(MUSICBRAINZ).filter(pl.col("value").str.contains(IDENTIFIER))
    return _change(fitting, size - _usual_size(MUSICBRAINZ))


def _podcasts(rows: TagRows) -> pl.LazyFrame:
    fitting = rows.single(PODCAST).filter(pl.col("value").str.contains(COUNT_VALUE))
    return _change(fitting, _FRAME_HEADER_BYTES + _COUNTER_BYTES - _usual_size(PODCAST))


def _involved_people(rows: TagRows) -> pl.LazyFrame:
    """Return the one frame that keys with a role share."""
    people = rows.special.filter(pl.col("key").is_in(list(ROLES))).select("track_id").unique()
    return _change(people, pl.lit(_LIST_BYTES))


def _performers(rows: TagRows) -> list[pl.LazyFrame]:
    """Return what performers take besides their bytes: in the list of musicians, or as text.

    Of ` (` and `)` two NULs remain. Text has a NUL between values, and one behind an empty last.
    """
    is_musician = pl.col("value").str.contains(MUSICIAN)
    performers = rows.only(PERFORMER)
    musicians = performers.filter(is_musician).group_by("track_id").len("amount")
    others = (
        performers.filter(~is_musician)
        .group_by("track_id")
        .agg(pl.len().alias("amount"), (pl.col("value_bytes").last() == 0).alias("ends_empty"))
    )
    text = _FRAME_HEADER_BYTES + len(frame_plan(PERFORMER).head) - 1
    amount = pl.col("amount").cast(pl.Int64)
    return [
        _change(musicians, _LIST_BYTES - amount),
        _change(others, text + amount + pl.col("ends_empty").cast(pl.Int64)),
    ]


def _popularity(rows: TagRows, columns: LibraryColumns) -> pl.LazyFrame:
    """Correct for ratings and play counts, which share a frame if both are there."""
    number = pl.col("value").str.to_integer(strict=False, dtype=pl.Int64)
    is_rating = pl.col("value").str.contains(RATING_VALUE) & (number <= LARGEST_RATING)
    rated = rows.single(RATING).filter(is_rating)
    rated = rated.select("track_id", _usual_size(RATING).alias("rating_saved"))
    played = rows.single(PLAYS).filter(pl.col("value").str.contains(COUNT_VALUE))
    played = played.select(
        "track_id", number.alias("plays"), _usual_size(PLAYS).alias("plays_saved")
    )
    kept = (
        columns.blocks.lazy()
        .filter(pl.col("key") == RATING_KEY)
        .sort("ordinal")
        .group_by("track_id")
        .agg((pl.col("length").first() + _FRAME_HEADER_BYTES).alias("kept_bytes"))
    )
    has_rating, has_plays = pl.col("rating_saved").is_not_null(), pl.col("plays").is_not_null()
    counter = pl.when(pl.col("plays").fill_null(0) > 0).then(_COUNTER_BYTES).otherwise(0)
    own_frame = pl.coalesce(pl.col("kept_bytes"), counter + _POPULARITY_BYTES)
    made = (
        pl.when(has_rating)
        .then(own_frame)
        .otherwise(pl.when(has_plays).then(_FRAME_HEADER_BYTES + _COUNTER_BYTES).otherwise(0))
    )
    saved = pl.col("rating_saved").fill_null(0) + pl.col("plays_saved").fill_null(0)
    both = rated.join(played, on="track_id", how="full", coalesce=True)
    return _change(both.join(kept, on="track_id", how="left"), made - saved)


def _blocks(columns: LibraryColumns) -> pl.LazyFrame:
    """Return what carried frames take, without those that give way to a tag."""
    is_frame = (pl.col("kind") == BlockKind.ID3_FRAME.value) & (pl.col("key") != RATING_KEY)
    frames = (
        columns.blocks.lazy()
        .filter(is_frame)
        .select("track_id", pl.col("key").cast(pl.String), "length")
    )
    given = (
        columns.tags.lazy()
        .filter(pl.col("key").is_in(list(SUPERSEDING)))
        .select("track_id", pl.col("key").cast(pl.String).replace(SUPERSEDING))
        .unique()
    )
    kept = frames.join(given, on=["track_id", "key"], how="anti")
    return per_track(kept, pl.col("length") + _FRAME_HEADER_BYTES, "bytes")


def _pictures(columns: LibraryColumns) -> pl.LazyFrame:
    texts = pl.col("mime").str.len_bytes() + pl.col("description").str.len_bytes()
    size = texts.cast(pl.Int64) + _PICTURE_HEAD_BYTES + pl.col("length")
    fitting = columns.art.lazy().filter((pl.col("length") > 0) & (size <= LARGEST_TAG_BYTES))
    return per_track(fitting, size + _FRAME_HEADER_BYTES, "bytes")
