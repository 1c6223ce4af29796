"""Tracks out of a loaded library: one `TrackSource` by its position, and the columns of sizes.

Rows are read from the mapped Arrow tables when they are asked for; nothing is kept here.
"""

from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa

from musefs.index.media.facts import AudioFormat, Block, BlockKind, Encoding, Picture, Span
from musefs.index.read.snapshot import LibrarySnapshot
from musefs.mount.formats.columns import LibraryColumns
from musefs.mount.formats.source import ServedPicture, TrackSource

_TRACK_COLUMNS = ("track_id", "format", "size", "synthesised", "audio_offset", "audio_length")
_SOURCE_COLUMNS = ("path", "format", "size", "synthesised", "audio_offset", "audio_length")
_BLOCK_FIELDS = ("kind", "key", "length", "spans", "encoding", "body")
_TAG_COLUMNS = ("track_id", "key", "ordinal", "value")
_BLOCK_COLUMNS = ("track_id", "ordinal", "kind", "key", "length")
_ART_COLUMNS = (
    "track_id", "ordinal", "picture_type", "mime", "description", "width", "height", "depth",
    "colors", "length", "encoding", "skip", "art_hash",
)  # fmt: skip

_PICTURE_COLUMNS = (
    "length", "spans", "picture_type", "mime", "description", "width", "height", "depth",
    "colors", "encoding", "skip", "art_hash",
)  # fmt: skip
"""All but the last are the fields of Picture, in their order."""

# looked up in a dictionary: calling an enumeration with its value takes ten times as long
_FORMATS = {member.value: member for member in AudioFormat}
_KINDS = {member.value: member for member in BlockKind}
_ENCODINGS = {member.value: member for member in Encoding}


def size_columns(library: LibrarySnapshot) -> LibraryColumns:
    """Return what `sizes.served_sizes` computes from; no pictures' ranges, no bodies."""
    return LibraryColumns(
        tracks=_frame(library.tracks, _TRACK_COLUMNS),
        tags=_frame(library.tags.rows, _TAG_COLUMNS),
        blocks=_frame(library.blocks.rows, _BLOCK_COLUMNS),
        art=_frame(library.art.rows, _ART_COLUMNS),
    )


def track_source(library: LibrarySnapshot, position: int) -> TrackSource:
    """Return the track at a position, as its synthesiser wants it."""
    path, kind, size, synthesised, offset, length = library.track(position, _SOURCE_COLUMNS)
    return TrackSource(
        path=path,
        format=_FORMATS[kind],
        audio=Span(offset, length),
        size=size,
        tags=tuple(_grouped(*library.tags.values(position, ("key", "value")))),
        blocks=tuple(_blocks(library.blocks.values(position, _BLOCK_FIELDS))),
        pictures=tuple(_pictures(library.art.values(position, _PICTURE_COLUMNS))),
        synthesised=synthesised,
    )


def _frame(table: pa.Table, names: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame(table.select(names))


def _grouped(keys: list[str], values: list[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each key with its values; rows are in the order of keys and positions."""
    begin = 0
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[begin]:
            yield keys[begin], tuple(values[begin:end])
            begin = end


def _blocks(columns: list[list[Any]]) -> Iterator[Block]:
    for kind, key, length, spans, encoding, body in zip(*columns, strict=True):
        yield Block(_KINDS[kind], key, length, _spans(spans), _ENCODINGS[encoding], body)


def _pictures(columns: list[list[Any]]) -> Iterator[ServedPicture]:
    for length, spans, *facts, encoding, skip, art_hash in zip(*columns, strict=True):
        picture = Picture._make((length, _spans(spans), *facts, _ENCODINGS[encoding], skip))
        yield ServedPicture(picture, art_hash)


def _spans(spans: tuple[tuple[int, int], ...]) -> tuple[Span, ...]:
    return tuple([Span(offset, length) for offset, length in spans])
