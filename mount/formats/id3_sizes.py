"""The length of the tag that `id3.tag_segments` makes, from columns.

The sum of all keys written in the usual way, and a correction for each rule beyond it: totals that
share a frame, ratings, identifiers, blocks that give way. A property test holds both equal.
"""

import polars as pl

from musefs.index.media.facts import BlockKind
from musefs.mount.formats.columns import LibraryColumns, per_track
from musefs.mount.formats.id3 import LARGEST_TAG_BYTES
from musefs.mount.formats.id3_keys import (
    COUNT_VALUE,
    IDENTIFIER,
    LARGEST_RATING,
    MUSICBRAINZ,
    OWNER,
    PAIRS,
    PLAYS,
    PODCAST,
    RATING,
    RATING_VALUE,
    SUPERSEDING,
    Form,
    frame_plan,
)
from musefs.mount.formats.tag_groups import Ended, first_values, group_sizes, only_key

TAG_HEADER_BYTES = 10
_FRAME_HEADER_BYTES = 10
_PICTURE_HEAD_BYTES = 4
"""Encoding, two NULs and the kind of picture."""
_POPULARITY_BYTES = _FRAME_HEADER_BYTES + 2
_COUNTER_BYTES = 4


def tag_lengths(columns: LibraryColumns) -> pl.LazyFrame:
    """Return track_id and tag_bytes of every track."""
    parts = [_usual(columns), _corrections(columns), _blocks(columns), _pictures(columns)]
    sums = pl.concat(parts).group_by("track_id").agg(pl.col("bytes").sum())
    total = pl.col("bytes").fill_null(0) + TAG_HEADER_BYTES
    return (
        columns.tracks.lazy()
        .select("track_id")
        .join(sums, on="track_id", how="left")
        .select("track_id", total.alias("tag_bytes"))
    )


def _cost(key: str) -> tuple[int, int, Ended]:
    plan = frame_plan(key)
    frame = _FRAME_HEADER_BYTES + len(plan.head)
    if plan.form is Form.EACH:
        return 0, frame, Ended.EACH
    return frame - 1, 1, Ended.LAST if plan.form is Form.TEXT else Ended.NONE


def _usual(columns: LibraryColumns) -> pl.LazyFrame:
    groups = group_sizes(columns, _cost)
    return per_track(groups, pl.col("group_bytes"), "bytes")


def _usual_size(key: str) -> pl.Expr:
    """Return what a group of one value that is not empty takes in the usual way."""
    once, each, _ = _cost(key)
    return pl.lit(once + each) + pl.col("value_bytes")


def _corrections(columns: LibraryColumns) -> pl.LazyFrame:
    keys = {RATING, PLAYS, PODCAST, MUSICBRAINZ, *PAIRS, *PAIRS.values()}
    groups = first_values(columns, keys).filter(pl.col("values") == 1)
    parts = [
        *(_pair(groups, number, total) for number, total in PAIRS.items()),
        _identifiers(groups),
        _podcasts(groups),
        _popularity(groups, columns),
    ]
    return pl.concat(parts)


def _pair(groups: pl.LazyFrame, number: str, total: str) -> pl.LazyFrame:
    """Return the frame that a total saves; it costs itself and a slash instead."""
    whole = (pl.col("first") != "") & ~pl.col("first").str.contains("/", literal=True)
    numbers = only_key(groups.filter(whole), number)
    saved = pl.col("value_bytes") + 1 - _usual_size(total)
    return only_key(groups.filter(whole), total, bytes=saved).join(numbers, on="track_id")


def _identifiers(groups: pl.LazyFrame) -> pl.LazyFrame:
    size = _FRAME_HEADER_BYTES + len(OWNER) + 1 + pl.col("value_bytes")
    fitting = groups.filter(pl.col("first").str.contains(IDENTIFIER))
    return only_key(fitting, MUSICBRAINZ, bytes=size - _usual_size(MUSICBRAINZ))


def _podcasts(groups: pl.LazyFrame) -> pl.LazyFrame:
    fitting = groups.filter(pl.col("first").str.contains(COUNT_VALUE))
    size = _FRAME_HEADER_BYTES + _COUNTER_BYTES
    return only_key(fitting, PODCAST, bytes=size - _usual_size(PODCAST))


def _popularity(groups: pl.LazyFrame, columns: LibraryColumns) -> pl.LazyFrame:
    """Correct for ratings and play counts, which share a frame if both are there."""
    number = pl.col("first").str.to_integer(strict=False, dtype=pl.Int64)
    rated = only_key(
        groups.filter(pl.col("first").str.contains(RATING_VALUE) & (number <= LARGEST_RATING)),
        RATING,
        rating_saved=_usual_size(RATING),
    )
    played = only_key(
        groups.filter(pl.col("first").str.contains(COUNT_VALUE)),
        PLAYS,
        plays=number,
        plays_saved=_usual_size(PLAYS),
    )
    kept = (
        columns.blocks.lazy()
        .filter(_is_popularity())
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
    return (
        rated.join(played, on="track_id", how="full", coalesce=True)
        .join(kept, on="track_id", how="left")
        .select("track_id", (made - saved).cast(pl.Int64).alias("bytes"))
    )


def _is_popularity() -> pl.Expr:
    is_frame = pl.col("kind").cast(pl.String) == BlockKind.ID3_FRAME.value
    return is_frame & (pl.col("key") == "POPM") & pl.col("body").is_not_null()


def _blocks(columns: LibraryColumns) -> pl.LazyFrame:
    """Return what carried frames take, without those that give way to a tag."""
    is_frame = pl.col("kind").cast(pl.String) == BlockKind.ID3_FRAME.value
    frames = columns.blocks.lazy().filter(is_frame & ~_is_popularity())
    given = (
        columns.tags.lazy()
        .select("track_id", pl.col("key").cast(pl.String))
        .filter(pl.col("key").is_in(list(SUPERSEDING)))
        .with_columns(pl.col("key").replace(SUPERSEDING))
        .unique()
    )
    kept = frames.join(given, on=["track_id", "key"], how="anti")
    return per_track(kept, pl.col("length") + _FRAME_HEADER_BYTES, "bytes")


def _pictures(columns: LibraryColumns) -> pl.LazyFrame:
    texts = pl.col("mime").str.len_bytes() + pl.col("description").str.len_bytes()
    size = texts.cast(pl.Int64) + _PICTURE_HEAD_BYTES + pl.col("length")
    fitting = columns.art.lazy().filter((pl.col("length") > 0) & (size <= LARGEST_TAG_BYTES))
    return per_track(fitting, size + _FRAME_HEADER_BYTES, "bytes")
