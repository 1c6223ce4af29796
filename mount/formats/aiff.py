"""AIFF and AIFF-C: carried chunks, an ID3 chunk, the audio, chunks that stood behind it."""

from collections.abc import Iterable

import polars as pl

from musefs.index.errors import MediaFormatError
from musefs.mount.formats.chunks import (
    CHUNK_HEADER_BYTES,
    LARGEST_CHUNK_BYTES,
    carried_chunks,
    carried_lengths,
    chunk,
    form_block,
    padded,
)
from musefs.mount.formats.columns import LibraryColumns
from musefs.mount.formats.id3 import LARGEST_TAG_BYTES, segments_length, tag_segments
from musefs.mount.formats.id3_sizes import TAG_HEADER_BYTES, tag_lengths
from musefs.mount.formats.segments import Generated, OriginalRange, Segment
from musefs.mount.formats.source import TrackSource, block_segments

_FORM_HEADER_BYTES = 12


def synthesise(source: TrackSource) -> Iterable[Segment] | None:
    """Return the segments of an AIFF file with the tags of the index."""
    form = form_block(source, "FORM")
    if form is None or form.length != 4:
        raise MediaFormatError("the index has no form type for this track")
    tag = tag_segments(source)
    if tag is None:
        return None
    audio = OriginalRange(source.audio.offset, source.audio.length)
    inside = [
        *block_segments(form),
        *carried_chunks(source, "big", behind=False),
        *chunk(b"ID3 ", tag, segments_length(tag), "big"),
        *chunk(b"SSND", [audio], audio.length, "big"),
        *carried_chunks(source, "big", behind=True),
    ]
    length = segments_length(inside)
    if length > LARGEST_CHUNK_BYTES:
        return None
    return [Generated(b"FORM" + length.to_bytes(4, "big")), *inside]


def served_sizes(columns: LibraryColumns) -> pl.DataFrame:
    """Return the sizes of what `synthesise` makes; null where it makes nothing."""
    total = (
        pl.lit(_FORM_HEADER_BYTES) + padded(pl.col("tag_bytes")) + padded(pl.col("audio_length"))
        + pl.col("carried_bytes").fill_null(0)
    )  # fmt: skip
    fits = (pl.col("tag_bytes") <= LARGEST_TAG_BYTES + TAG_HEADER_BYTES) & (
        total - CHUNK_HEADER_BYTES <= LARGEST_CHUNK_BYTES
    )
    return (
        columns.tracks.lazy()
        .join(tag_lengths(columns), on="track_id")
        .join(carried_lengths(columns), on="track_id", how="left")
        .select("track_id", pl.when(fits).then(total).alias("served_size"))
        .collect()
    )
