"""WAV: format, carried chunks, LIST INFO, an ID3 chunk, the audio, chunks that stood behind it.

INFO holds the first value of each key that RIFF has a name for; all tags are in the ID3 chunk.
Files that were RF64 or BW64 stay so, and a file that outgrows 32 bits becomes RF64.
"""

from collections.abc import Iterable

import polars as pl

from musefs.index.edit.vocabulary import riff_chunk
from musefs.mount.formats.chunks import (
    CHUNK_HEADER_BYTES,
    LARGEST_CHUNK_BYTES,
    carried_chunks,
    carried_lengths,
    chunk,
    form_block,
    padded,
)
from musefs.mount.formats.columns import LibraryColumns, per_track
from musefs.mount.formats.id3 import LARGEST_TAG_BYTES, segments_length, tag_segments
from musefs.mount.formats.id3_keys import clean
from musefs.mount.formats.id3_sizes import TAG_HEADER_BYTES, tag_lengths
from musefs.mount.formats.segments import Generated, OriginalRange, Segment
from musefs.mount.formats.source import TrackSource, block_segments
from musefs.mount.formats.tag_rows import used_keys

_FORM_HEADER_BYTES = 12
_DS64_BYTES = 28
"""Lengths of form and data, count of samples, and an empty table."""


def synthesise(source: TrackSource) -> Iterable[Segment] | None:
    """Return the segments of a WAV file with the tags of the index."""
    tag = tag_segments(source)
    if tag is None:
        return None
    inside = [
        *carried_chunks(source, "little", behind=False),
        *_info(source),
        *chunk(b"id3 ", tag, segments_length(tag), "little"),
    ]
    behind = carried_chunks(source, "little", behind=True)
    audio_bytes = source.audio.length
    form_bytes = 4 + CHUNK_HEADER_BYTES + audio_bytes + (audio_bytes & 1)
    form_bytes += segments_length(inside) + segments_length(behind)
    wide = form_block(source, "ds64") is not None or form_bytes > LARGEST_CHUNK_BYTES
    head = _wide_head(source, form_bytes) if wide else _head(form_bytes)
    audio: list[Segment] = [OriginalRange(source.audio.offset, audio_bytes)]
    told = LARGEST_CHUNK_BYTES if wide else audio_bytes
    data = chunk(b"data", audio, audio_bytes, "little", told=told)
    return [*head, *inside, *data, *behind]


def _head(form_bytes: int) -> list[Segment]:
    return [Generated(b"RIFF" + form_bytes.to_bytes(4, "little") + b"WAVE")]


def _wide_head(source: TrackSource, form_bytes: int) -> list[Segment]:
    """Return the header with 64-bit lengths; the count of samples is the original's."""
    form_bytes += CHUNK_HEADER_BYTES + _DS64_BYTES
    form, samples = form_block(source, "FORM"), form_block(source, "ds64")
    lengths = form_bytes.to_bytes(8, "little") + source.audio.length.to_bytes(8, "little")
    ds64 = b"ds64" + _DS64_BYTES.to_bytes(4, "little") + lengths
    return [
        *(block_segments(form) if form else (Generated(b"RF64"),)),
        Generated(b"\xff\xff\xff\xffWAVE" + ds64),
        *(block_segments(samples) if samples else (Generated(bytes(8)),)),
        Generated(bytes(4)),
    ]


def _info(source: TrackSource) -> list[Segment]:
    made: list[bytes] = []
    for key, values in source.tags:
        name = riff_chunk(key)
        if name is None or not values[0]:
            continue
        text = clean(values[0]).encode() + b"\0"
        padding = b"\0" * (len(text) & 1)
        made.append(name.encode("ascii") + len(text).to_bytes(4, "little") + text + padding)
    if not made:
        return []
    body = b"INFO" + b"".join(made)
    return [Generated(b"LIST" + len(body).to_bytes(4, "little") + body)]


def served_sizes(columns: LibraryColumns) -> pl.DataFrame:
    """Return the sizes of what `synthesise` makes; null where it makes nothing."""
    form = (
        pl.lit(_FORM_HEADER_BYTES) + padded(pl.col("tag_bytes")) + padded(pl.col("audio_length"))
        + pl.col("carried_bytes").fill_null(0) + pl.col("info_bytes").fill_null(0)
    )  # fmt: skip
    is_wide = pl.col("has_ds64").is_not_null() | (form - CHUNK_HEADER_BYTES > LARGEST_CHUNK_BYTES)
    total = form + pl.when(is_wide).then(CHUNK_HEADER_BYTES + _DS64_BYTES).otherwise(0)
    fits = pl.col("tag_bytes") <= LARGEST_TAG_BYTES + TAG_HEADER_BYTES
    return (
        columns.tracks.lazy()
        .join(tag_lengths(columns), on="track_id")
        .join(carried_lengths(columns), on="track_id", how="left")
        .join(_info_lengths(columns), on="track_id", how="left")
        .join(_with_ds64(columns), on="track_id", how="left")
        .select("track_id", pl.when(fits).then(total).alias("served_size"))
        .collect()
    )


def _info_lengths(columns: LibraryColumns) -> pl.LazyFrame:
    known = [name for name in used_keys(columns) if riff_chunk(name) is not None]
    rows = columns.tags.lazy().filter(pl.col("key").is_in(known))
    first = (
        rows.group_by("track_id", "key")
        .agg(pl.col("value").sort_by("ordinal").first())
        .filter(pl.col("value") != "")
    )
    text = pl.col("value").str.len_bytes().cast(pl.Int64) + 1
    list_head = CHUNK_HEADER_BYTES + 4
    return per_track(first, padded(text), "info_bytes").with_columns(
        pl.col("info_bytes") + list_head
    )


def _with_ds64(columns: LibraryColumns) -> pl.LazyFrame:
    wide = columns.blocks.lazy().filter(pl.col("key") == "ds64")
    return wide.select("track_id", pl.lit(True).alias("has_ds64")).unique()
