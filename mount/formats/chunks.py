"""Writing chunks of RIFF and IFF files: carried ones, made ones, and the padding between."""

from collections.abc import Iterable
from typing import Literal

import polars as pl

from musefs.index.media.facts import Block, BlockKind
from musefs.mount.formats.columns import LibraryColumns, per_track
from musefs.mount.formats.segments import Generated, Segment
from musefs.mount.formats.source import TrackSource, block_segments

ByteOrder = Literal["big", "little"]

CHUNK_HEADER_BYTES = 8
BEHIND = "after:"
"""How the keys of blocks begin that stand behind the audio."""
LARGEST_CHUNK_BYTES = 0xFFFF_FFFF
FORM_KEYS = ("FORM", "ds64")
"""Blocks that are parts of the form's header, not chunks."""


def chunk(
    chunk_id: bytes, segments: Iterable[Segment], length: int, order: ByteOrder, *, told: int = -1
) -> list[Segment]:
    """Return a chunk with its header, which may tell another length, and its padding."""
    written = length if told < 0 else told
    made: list[Segment] = [Generated(chunk_id + written.to_bytes(4, order)), *segments]
    if length & 1:
        made.append(Generated(b"\0"))
    return made


def carried_chunks(source: TrackSource, order: ByteOrder, *, behind: bool) -> list[Segment]:
    """Return the chunks of the original that stand before, or behind, the audio."""
    made: list[Segment] = []
    for block in source.blocks_of(BlockKind.RIFF_CHUNK):
        if block.key not in FORM_KEYS and block.key.startswith(BEHIND) is behind:
            chunk_id = block.key.removeprefix(BEHIND).encode("ascii")
            made += chunk(chunk_id, block_segments(block), block.length, order)
    return made


def form_block(source: TrackSource, key: str) -> Block | None:
    """Return a part of the form's header that was carried over."""
    return next(iter(source.blocks_of(BlockKind.RIFF_CHUNK, key)), None)


def padded(length: pl.Expr) -> pl.Expr:
    """Return what a chunk of this length takes."""
    return length + length % 2 + CHUNK_HEADER_BYTES


def carried_lengths(columns: LibraryColumns) -> pl.LazyFrame:
    """Return track_id and carried_bytes of the tracks with carried chunks."""
    is_chunk = pl.col("kind") == BlockKind.RIFF_CHUNK.value
    chunks = columns.blocks.lazy().filter(is_chunk & ~pl.col("key").is_in(FORM_KEYS))
    return per_track(chunks, padded(pl.col("length")), "carried_bytes")
