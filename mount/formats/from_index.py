"""Tracks out of a loaded library: one `TrackSource` by its position, and the columns of sizes.

Rows are read from the mapped Arrow tables when they are asked for; nothing is kept here.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import polars as pl

from musefs.index.media.facts import AudioFormat, Block, BlockKind, Encoding, Picture, Span
from musefs.index.read.snapshot import LibrarySnapshot
from musefs.mount.formats.columns import LibraryColumns
from musefs.mount.formats.source import ServedPicture, TrackSource

if TYPE_CHECKING:
    import pyarrow as pa

_TRACK_COLUMNS = ("track_id", "format", "size", "synthesised", "audio_offset", "audio_length")
_TAG_COLUMNS = ("track_id", "key", "ordinal", "value")
_BLOCK_COLUMNS = ("track_id", "ordinal", "kind", "key", "length")
_ART_COLUMNS = (
    "track_id", "ordinal", "picture_type", "mime", "description", "width", "height", "depth",
    "colors", "length", "encoding", "skip", "art_hash",
)  # fmt: skip

_Row = dict[str, Any]


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
    track: _Row = {name: library.tracks.column(name)[position].as_py() for name in columns}
    return TrackSource(
        path=track["path"],
        format=AudioFormat(track["format"]),
        audio=Span(track["audio_offset"], track["audio_length"]),
        size=track["size"],
        tags=tuple(_grouped(library.tags.of(position))),
        blocks=tuple(_block(row) for row in library.blocks.of(position).to_pylist()),
        pictures=tuple(_picture(row) for row in library.art.of(position).to_pylist()),
        synthesised=track["synthesised"],
    )


def _frame(table: "pa.Table", names: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame(table.select(names))


def _grouped(rows: "pa.Table") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each key with its values; rows are in the order of keys and positions."""
    keys: list[Any] = rows.column("key").to_pylist()
    values: list[Any] = rows.column("value").to_pylist()
    begin = 0
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[begin]:
            yield keys[begin], tuple(values[begin:end])
            begin = end


def _block(row: _Row) -> Block:
    return Block(
        kind=BlockKind(row["kind"]),
        key=row["key"],
        length=row["length"],
        spans=_spans(row),
        encoding=Encoding(row["encoding"]),
        body=row["body"],
    )


def _picture(row: _Row) -> ServedPicture:
    picture = Picture(
        length=row["length"],
        spans=_spans(row),
        picture_type=row["picture_type"],
        mime=row["mime"],
        description=row["description"],
        width=row["width"],
        height=row["height"],
        depth=row["depth"],
        colors=row["colors"],
        encoding=Encoding(row["encoding"]),
        skip=row["skip"],
    )
    return ServedPicture(picture, row["art_hash"])


def _spans(row: _Row) -> tuple[Span, ...]:
    return tuple(Span(span["offset"], span["length"]) for span in row["spans"] or ())
