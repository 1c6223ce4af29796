"""Sizes from columns: every table order and type that a library may come in, and all formats."""

import random

import polars as pl
import pytest
from support.tracks import MANY_TAGS, columns_of, source_of

from musefs.index.counters import Counter
from musefs.index.media.facts import Anatomy, AudioFormat, Block, BlockKind, Span
from musefs.mount.formats.columns import LibraryColumns
from musefs.mount.formats.sizes import SIZE_RULES, served_sizes
from musefs.mount.formats.source import TrackSource
from musefs.mount.formats.synthesise import SYNTHESISERS, synthesise


def sources() -> list[TrackSource]:
    info = Block(BlockKind.FLAC_BLOCK, "0", 34, (Span(8, 34),))
    flac = Anatomy(AudioFormat.FLAC, Span(42, 900), (info,))
    opus = Anatomy(
        AudioFormat.OGG_OPUS,
        Span(200, 700),
        (
            Block(BlockKind.OGG_PACKET, "stream", 8, body=bytes(8)),
            Block(BlockKind.OGG_PACKET, "id", 19, (Span(28, 19),)),
        ),
    )
    plain = Anatomy(AudioFormat.MATROSKA, Span(0, 1000))
    few = {"title": ["x"], "né": ["dropped"]}
    return [
        source_of(anatomy, 1000, tags, path=f"/{number}")
        for number, anatomy in enumerate((flac, opus, plain) * 3)
        for tags in (MANY_TAGS, few, {})
    ]


WITH_DROPPED = pytest.mark.expected_degradations(Counter.TAG_VALUES_DROPPED)


def test_every_synthesiser_has_a_rule_of_size() -> None:
    assert set(SIZE_RULES) == set(SYNTHESISERS)


@WITH_DROPPED
def test_sizes_of_a_mixed_library_are_those_of_the_layouts() -> None:
    made = sources()
    assert served_sizes(columns_of(made)).to_list() == [synthesise(s).size for s in made]


@WITH_DROPPED
def test_order_of_tracks_and_dictionaries_change_nothing() -> None:
    made = sources()
    columns = columns_of(made)
    sizes = [synthesise(source).size for source in made]
    order = random.Random(1).sample(range(len(made)), len(made))
    mixed = LibraryColumns(
        columns.tracks[order].with_columns(pl.col("format").cast(pl.Categorical)),
        columns.tags.with_columns(pl.col("key").cast(pl.Categorical)),
        columns.blocks.with_columns(pl.col("kind", "encoding").cast(pl.Categorical)),
        columns.art,
    )
    assert served_sizes(mixed).to_list() == [sizes[position] for position in order]


@WITH_DROPPED
def test_rows_of_no_track_and_empty_libraries_count_nothing() -> None:
    made = sources()
    columns = columns_of(made)
    kept = columns.tracks.filter(pl.col("track_id") % 2 == 0)
    sizes = served_sizes(LibraryColumns(kept, columns.tags, columns.blocks, columns.art))
    assert sizes.to_list() == [synthesise(source).size for source in made[::2]]
    assert served_sizes(columns_of([])).to_list() == []
    untagged = [source for source in made if not source.tags]
    assert served_sizes(columns_of(untagged)).to_list() == [synthesise(s).size for s in untagged]
