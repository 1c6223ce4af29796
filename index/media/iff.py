"""Chunks of RIFF and IFF files: an id, a length and a payload that is padded to an even length."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from musefs.index.counters import Counter, degrade
from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Block, BlockKind, Span
from musefs.index.media.reading import ReadAt

CHUNKS_LIMIT = 4096
"""Chunks of one file; broadcast files have a dozen."""

HEADER_BYTES = 8


class Chunk(NamedTuple):
    """One chunk: its id and where its payload lies."""

    chunk_id: bytes
    offset: int
    length: int
    stored_length: int
    """The length that the header gives, which a broken or streamed file may lie about."""

    @property
    def span(self) -> Span:
        """The payload."""
        return Span(self.offset, self.length)


def walk_chunks(
    read_at: ReadAt,
    begin: int,
    end: int,
    order: Literal["big", "little"],
    lengths: dict[bytes, int] | None = None,
) -> Iterator[Chunk]:
    """Walk the chunks between two places; lengths are cut at the end.

    `lengths` has those that do not fit into a header, by id (RF64). Padding that a writer left
    out is noticed by the id that stands in its place.
    """
    offset = begin
    for _ in range(CHUNKS_LIMIT):
        header = read_at(offset, HEADER_BYTES)
        if offset + HEADER_BYTES > end or len(header) < HEADER_BYTES:
            return
        if not is_chunk_id(header[:4]):
            degrade(Counter.TAG_BLOCKS_DROPPED, "no chunk at byte %d", offset)
            return
        stored = int.from_bytes(header[4:], order)
        wanted = (lengths or {}).get(header[:4], stored) if stored == 0xFFFF_FFFF else stored
        offset += HEADER_BYTES
        length = min(wanted, end - offset)
        yield Chunk(header[:4], offset, length, stored)
        offset += length
        if length & 1 and not is_chunk_id(read_at(offset, 4)):
            offset += 1
    raise MediaFormatError(f"more than {CHUNKS_LIMIT} chunks")


def is_chunk_id(name: bytes) -> bool:
    """Tell whether four bytes can name a chunk."""
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name) and name != b"    "


def carried(chunk: Chunk, *, behind_audio: bool) -> Block:
    """Return the block of a chunk that is copied as it is."""
    name = chunk.chunk_id.decode("ascii")
    key = f"after:{name}" if behind_audio else name
    return Block(BlockKind.RIFF_CHUNK, key, chunk.length, (chunk.span,))
