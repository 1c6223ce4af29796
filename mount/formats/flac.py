"""FLAC: a fresh comment and pictures before frames that are served untouched.

Order: STREAMINFO and SEEKTABLE, the comment, every other carried block, pictures. No padding is
added (ADR 0021): whoever reads this mount cannot write to it.
"""

from collections.abc import Iterable

import polars as pl

from musefs.index.counters import Counter, degrade
from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Block, BlockKind, Encoding
from musefs.mount.formats.columns import LibraryColumns, per_track
from musefs.mount.formats.flac_picture import head_length, head_length_column, picture_head
from musefs.mount.formats.segments import Generated, OriginalRange, Segment
from musefs.mount.formats.source import ServedPicture, TrackSource, block_segments
from musefs.mount.formats.vorbis_comment import (
    EMPTY_COMMENT_BYTES,
    comment_body,
    comment_lengths,
)

LARGEST_BLOCK_BYTES = 0xFF_FFFF
"""The length of a metadata block has 24 bits."""

_MARKER = b"fLaC"
_HEADER_BYTES = 4
_LAST_BLOCK = 0x80
_COMMENT, _PICTURE = 4, 6
_BEFORE_COMMENT = ("0", "3")
"""STREAMINFO must be first; a seek table is wanted before anything long."""


def synthesise(source: TrackSource) -> Iterable[Segment] | None:
    """Return the segments of a FLAC file with the tags of the index."""
    comment = comment_body(source)
    if len(comment) > LARGEST_BLOCK_BYTES:
        return None
    blocks = source.blocks_of(BlockKind.FLAC_BLOCK)
    before = [block for block in blocks if block.key in _BEFORE_COMMENT]
    before.sort(key=lambda block: int(block.key))
    if not before or before[0].key != "0":
        raise MediaFormatError("the index has no STREAMINFO for this track")
    behind = [block for block in blocks if block.key not in _BEFORE_COMMENT]
    pictures = fitting_pictures(source)
    segments: list[Segment] = [_marker(before[0])]
    for block in before:
        segments += _carried(block, source, is_last=False)
    comment_is_last = not behind and not pictures
    segments.append(Generated(block_header(_COMMENT, len(comment), comment_is_last) + comment))
    for block in behind:
        segments += _carried(block, source, is_last=not pictures and block is behind[-1])
    for served in pictures:
        segments += _picture_block(served, is_last=served is pictures[-1])
    segments.append(OriginalRange(source.audio.offset, source.audio.length))
    return segments


def block_header(block_type: int, length: int, is_last: bool) -> bytes:
    """Return the four bytes before the body of a metadata block."""
    if length > LARGEST_BLOCK_BYTES:
        raise MediaFormatError(f"a metadata block of type {block_type} has {length} bytes")
    return bytes((block_type | (_LAST_BLOCK if is_last else 0),)) + length.to_bytes(3, "big")


def fitting_pictures(source: TrackSource) -> list[ServedPicture]:
    """Return the pictures that fit into a block; the others are counted."""
    fitting: list[ServedPicture] = []
    for served in source.pictures:
        length = head_length(served.picture) + served.picture.length
        if served.picture.length > 0 and length <= LARGEST_BLOCK_BYTES:
            fitting.append(served)
        else:
            degrade(
                Counter.PICTURES_DROPPED,
                "%s: a picture of %d bytes does not fit into a FLAC block",
                source.path,
                served.picture.length,
            )
    return fitting


def fitting_pictures_rows(columns: LibraryColumns) -> pl.LazyFrame:
    """Return the rows of art that `fitting_pictures` keeps, with their block_bytes."""
    return (
        columns.art.lazy()
        .with_columns((head_length_column() + pl.col("length")).alias("block_bytes"))
        .filter((pl.col("length") > 0) & (pl.col("block_bytes") <= LARGEST_BLOCK_BYTES))
    )


def served_sizes(columns: LibraryColumns) -> pl.DataFrame:
    """Return the sizes of what `synthesise` makes; null where it makes nothing."""
    blocks = columns.blocks.lazy().filter(pl.col("kind") == BlockKind.FLAC_BLOCK.value)
    carried = per_track(blocks, pl.col("length") + _HEADER_BYTES, "carried_bytes")
    pictures = per_track(
        fitting_pictures_rows(columns), pl.col("block_bytes") + _HEADER_BYTES, "picture_bytes"
    )
    comment = pl.col("comment_bytes").fill_null(EMPTY_COMMENT_BYTES)
    total = (
        len(_MARKER) + _HEADER_BYTES + comment + pl.col("audio_length")
        + pl.col("carried_bytes").fill_null(0) + pl.col("picture_bytes").fill_null(0)
    )  # fmt: skip
    return (
        columns.tracks.lazy()
        .join(comment_lengths(columns), on="track_id", how="left")
        .join(carried, on="track_id", how="left")
        .join(pictures, on="track_id", how="left")
        .select(
            "track_id", pl.when(comment <= LARGEST_BLOCK_BYTES).then(total).alias("served_size")
        )
        .collect()
    )


def _marker(streaminfo: Block) -> Segment:
    """Return `fLaC`; from the original if possible, where it joins the ranges that follow."""
    if _is_plain_range(streaminfo):
        return OriginalRange(streaminfo.spans[0].offset - 8, len(_MARKER))
    return Generated(_MARKER)


def _carried(block: Block, source: TrackSource, *, is_last: bool) -> Iterable[Segment]:
    """Return a block with its header; with the original's own header where that is the same.

    It is unless the block is or was the last one. One range for several blocks means one read.
    """
    if not is_last and _is_plain_range(block):
        span = block.spans[0]
        if span.offset + span.length != source.audio.offset:
            return (OriginalRange(span.offset - _HEADER_BYTES, span.length + _HEADER_BYTES),)
    return (
        Generated(block_header(int(block.key), block.length, is_last)),
        *block_segments(block),
    )


def _is_plain_range(block: Block) -> bool:
    return block.body is None and len(block.spans) == 1 and block.encoding is Encoding.RAW


def _picture_block(served: ServedPicture, *, is_last: bool) -> Iterable[Segment]:
    head = picture_head(served.picture)
    header = block_header(_PICTURE, len(head) + served.picture.length, is_last)
    return (Generated(header + head), *served.segments())
