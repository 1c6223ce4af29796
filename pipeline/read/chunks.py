"""The chunk plan: pure arithmetic from the run map to what is read in which order.

A chunk is 16 MiB of *logical* $MFT in whole records. It lists the pieces of the volume that it
needs, however fragmented; a record that straddles two runs is therefore whole in its chunk.
"""

from dataclasses import dataclass

from musefs.index.errors import DamagedVolumeError
from musefs.pipeline.read.layout import MftLayout
from musefs.pipeline.read.run_map import HOLE

CHUNK_BYTES = 16 << 20
"""Large enough to keep any disk streaming, small enough that three fit into 48 MiB."""
SUB_RANGE_BYTES = 1 << 20
"""What one worker parses at a time: fits a second-level cache, and 16 of them share a chunk."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of the volume and their place in the chunk; a hole's place stays zero."""

    at: int
    physical: int
    length: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Successive whole records."""

    index: int
    first_record: int
    length: int
    pieces: tuple[Piece, ...]
    has_holes: bool


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """All chunks in order, covering the $MFT exactly."""

    record_bytes: int
    chunk_bytes: int
    data_bytes: int
    chunks: tuple[Chunk, ...]


def plan_chunks(layout: MftLayout, chunk_bytes: int = CHUNK_BYTES) -> ChunkPlan:
    """Cut the $MFT into chunks of at most `chunk_bytes`, but at least one record."""
    record_bytes = layout.record_bytes
    if layout.data_bytes % record_bytes or layout.data_bytes > layout.run_map.length:
        raise DamagedVolumeError("the $MFT's length does not fit its records or runs")
    whole = max(record_bytes, chunk_bytes // record_bytes * record_bytes)
    chunks = tuple(
        _plan_chunk(layout, index, start, min(whole, layout.data_bytes - start))
        for index, start in enumerate(range(0, layout.data_bytes, whole))
    )
    return ChunkPlan(record_bytes, min(whole, layout.data_bytes), layout.data_bytes, chunks)


def _plan_chunk(layout: MftLayout, index: int, start: int, length: int) -> Chunk:
    spans = list(layout.run_map.pieces(start, length))
    return Chunk(
        index=index,
        first_record=start // layout.record_bytes,
        length=length,
        pieces=tuple(
            Piece(span.logical - start, span.physical, span.length)
            for span in spans
            if span.physical != HOLE
        ),
        has_holes=any(span.physical == HOLE for span in spans),
    )


def cut_sub_ranges(
    length: int, record_bytes: int, sub_range_bytes: int = SUB_RANGE_BYTES
) -> list[tuple[int, int]]:
    """Return (offset, length) of the parts of a chunk that workers parse, in whole records."""
    whole = max(record_bytes, sub_range_bytes // record_bytes * record_bytes)
    return [(at, min(whole, length - at)) for at in range(0, length, whole)]
