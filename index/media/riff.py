"""WAV, RF64 and BW64: where format, audio and all that must be carried over lie.

Tags are in the ID3 chunk and LIST INFO, which are written anew. RF64 and BW64 keep their form:
block ``FORM`` is its id, block ``ds64`` the count of samples that the new ds64 chunk repeats.
Lengths of 0 and 0xFFFFFFFF, which recorders leave when they are cut off, mean "to the end".
"""

from collections.abc import Iterator

from musefs.index.counters import Counter, degrade
from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Anatomy, AudioFormat, Block, BlockKind, Span
from musefs.index.media.id3 import Id3Parts, read_tags
from musefs.index.media.iff import HEADER_BYTES, Chunk, carried, is_chunk_id, walk_chunks
from musefs.index.media.reading import ReadAt, read_exact

_UNKNOWN_LENGTH = 0xFFFF_FFFF
_FORM_HEADER_BYTES = 12
_DS64_BYTES = 24
"""Lengths of form and data and the count of samples, 64 bits each; a table may follow."""
_PADDING = frozenset({b"JUNK", b"junk", b"PAD ", b"FLLR", b"filr", b"ds64"})
_ID3 = frozenset({b"id3 ", b"ID3 "})


def read_anatomy(read_at: ReadAt, size: int, parts: Id3Parts | None = None) -> Anatomy:
    """Return where the parts of a WAV file lie; `parts` takes what its ID3 tags hold.

    Raises MediaFormatError for another form, and where fmt or data is missing.
    """
    form = read_exact(read_at, 0, _FORM_HEADER_BYTES, "the RIFF header")
    if form[:4] not in (b"RIFF", b"RF64", b"BW64") or form[8:] != b"WAVE":
        kind = "a big-endian RIFX file" if form[:4] == b"RIFX" else "no RIFF/WAVE header"
        raise MediaFormatError(kind)
    wide = _read_ds64(read_at) if form[:4] != b"RIFF" else None
    lengths = {b"data": wide[1]} if wide else {}
    parts = Id3Parts() if parts is None else parts
    blocks: list[Block] = list(_wide_blocks(wide[0])) if wide else []
    audio: Span | None = None
    for chunk in _chunks(read_at, size, lengths):
        if chunk.chunk_id == b"data" and audio is None:
            audio = chunk.span
        elif chunk.chunk_id in _ID3:
            if not parts.tags:  # a second one is damage, and readers ask the first
                read_tags(read_at, chunk.offset, parts, chunk.offset + chunk.length)
        elif not _is_dropped(read_at, chunk):
            blocks.append(carried(chunk, behind_audio=audio is not None))
    if audio is None or not any(block.key == "fmt " for block in blocks):
        raise MediaFormatError("no data chunk" if audio is None else "no fmt chunk before data")
    return Anatomy(AudioFormat.WAV, audio, (*blocks, *parts.blocks), tuple(parts.pictures))


def _read_ds64(read_at: ReadAt) -> tuple[int, int]:
    """Return where the ds64 payload lies and the length of the audio it tells."""
    first = next(walk_chunks(read_at, _FORM_HEADER_BYTES, 1 << 62, "little"), None)
    if first is None or first.chunk_id != b"ds64" or first.length < _DS64_BYTES:
        raise MediaFormatError("an RF64 file without a ds64 chunk")
    payload = read_exact(read_at, first.offset, _DS64_BYTES, "the ds64 chunk")
    return first.offset, int.from_bytes(payload[8:16], "little")


def _wide_blocks(ds64: int) -> Iterator[Block]:
    yield Block(BlockKind.RIFF_CHUNK, "FORM", 4, (Span(0, 4),))
    yield Block(BlockKind.RIFF_CHUNK, "ds64", 8, (Span(ds64 + 16, 8),))


def _chunks(read_at: ReadAt, size: int, lengths: dict[bytes, int]) -> Iterator[Chunk]:
    """Walk the chunks; an audio chunk without a length takes all that follows."""
    for chunk in walk_chunks(read_at, _FORM_HEADER_BYTES, size, "little", lengths):
        if chunk.chunk_id != b"data" or chunk.stored_length not in (0, _UNKNOWN_LENGTH):
            yield chunk
            continue
        rest = Span(chunk.offset, size - chunk.offset)
        told = lengths.get(b"data", 0)
        if told or (chunk.stored_length == 0 and _is_followed(read_at, chunk.offset, size)):
            yield chunk
            continue
        yield Chunk(chunk.chunk_id, rest.offset, rest.length, chunk.stored_length)
        return


def _is_followed(read_at: ReadAt, offset: int, size: int) -> bool:
    """Tell whether an empty data chunk really is one: another chunk or the end follows."""
    header = read_at(offset, HEADER_BYTES)
    if not header:
        return True
    length = int.from_bytes(header[4:], "little")
    return is_chunk_id(header[:4]) and offset + HEADER_BYTES + length <= size


def _is_dropped(read_at: ReadAt, chunk: Chunk) -> bool:
    if chunk.chunk_id == b"LIST":
        return read_at(chunk.offset, 4) == b"INFO"
    if chunk.chunk_id == b"data":
        degrade(Counter.TAG_BLOCKS_DROPPED, "a second data chunk at byte %d", chunk.offset)
        return True
    return chunk.chunk_id in _PADDING
