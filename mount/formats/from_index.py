"""Tracks out of a loaded library: one `TrackSource` by its position, and the columns of sizes.

Rows are read from the mapped Arrow tables when they are asked for; nothing is kept here.
"""

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pyarrow as pa

from musefs.index.media.facts import AudioFormat, Block, BlockKind, Encoding, Picture, Span
from musefs.index.read.snapshot import LibrarySnapshot
from musefs.mount.formats.columns import LibraryColumns
from musefs.mount.formats.source import ServedPicture, TrackSource

_TRACK_COLUMNS = ("track_id", "format", "size", "synthesised", "audio_offset", "audio_length")
_TAG_COLUMNS = ("track_id", "key", "ordinal", "value")
_BLOCK_COLUMNS = ("track_id", "ordinal", "kind", "key", "length")
_ART_COLUMNS = (
    "track_id", "ordinal", "picture_type", "mime", "description", "width", "height", "depth",
    "colors", "length", "encoding", "skip", "art_hash",
)  # fmt: skip

_PICTURE_COLUMNS = (
    "spans", "encoding", "art_hash", "length", "picture_type", "mime", "description", "width",
    "height", "depth", "colors", "skip",
)  # fmt: skip
"""From the fourth on they are fields of Picture."""


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
    columns = ("path", *_TRACK_COLUMNS)
    track: dict[str, Any] = {
        name: library.tracks.column(name)[position].as_py() for name in columns
    }
    return TrackSource(
        path=track["path"],
        format=AudioFormat(track["format"]),
        audio=Span(track["audio_offset"], track["audio_length"]),
        size=track["size"],
        tags=tuple(_grouped(library.tags.of(position))),
        blocks=tuple(_blocks(library.blocks.of(position))),
        pictures=tuple(_pictures(library.art.of(position))),
        synthesised=track["synthesised"],
    )


def _frame(table: pa.Table, names: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame(table.select(names))


def _values(rows: pa.Table, name: str) -> list[Any]:
    """Return a column of a few rows; dictionaries are decoded first, five times as fast."""
    found: list[Any] = []
    for chunk in rows.column(name).chunks:
        decode: Callable[[], pa.Array[Any]] | None = getattr(chunk, "dictionary_decode", None)
        plain = chunk if decode is None else decode()
        found += plain.to_pylist()
    return found


def _grouped(rows: pa.Table) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each key with its values; rows are in the order of keys and positions."""
    keys, values = _values(rows, "key"), _values(rows, "value")
    begin = 0
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[begin]:
            yield keys[begin], tuple(values[begin:end])
            begin = end


def _blocks(rows: pa.Table) -> Iterator[Block]:
    names = ("kind", "key", "length", "spans", "encoding", "body")
    columns = [_values(rows, name) for name in names]
    for kind, key, length, spans, encoding, body in zip(*columns, strict=True):
        yield Block(BlockKind(kind), key, length, _spans(spans), Encoding(encoding), body)


def _pictures(rows: pa.Table) -> Iterator[ServedPicture]:
    if rows.num_rows == 0:
        return
    columns = [_values(rows, name) for name in _PICTURE_COLUMNS]
    for spans, encoding, art_hash, *facts in zip(*columns, strict=True):
        named = dict(zip(_PICTURE_COLUMNS[3:], facts, strict=True))
        picture = Picture(spans=_spans(spans), encoding=Encoding(encoding), **named)
        yield ServedPicture(picture, art_hash)


def _spans(spans: list[dict[str, int]] | None) -> tuple[Span, ...]:
    return tuple(Span(span["offset"], span["length"]) for span in spans or ())
