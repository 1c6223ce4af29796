"""AIFF and AIFF-C: where the common chunk, the audio and all that is carried over lie.

Block ``FORM`` is the form's type (AIFF or AIFC). The audio is the whole payload of SSND, its
offset and block size included. Tags are in the ID3 chunk, written anew, and in the text chunks
NAME, AUTH, ``(c) `` and ANNO, which every reader of today asks only where there is no ID3.
"""

from musefs.index.counters import Counter, degrade
from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Anatomy, AudioFormat, Block, BlockKind, Span
from musefs.index.media.id3 import Id3Parts, read_tags
from musefs.index.media.iff import carried, walk_chunks
from musefs.index.media.reading import ReadAt, read_exact

_FORM_HEADER_BYTES = 12
_TEXTS = frozenset({b"NAME", b"AUTH", b"(c) ", b"ANNO"})
_ID3 = frozenset({b"ID3 ", b"id3 "})


def read_anatomy(read_at: ReadAt, size: int, parts: Id3Parts | None = None) -> Anatomy:
    """Return where the parts of an AIFF file lie; `parts` takes what its ID3 tags hold.

    Raises MediaFormatError for another form, and where COMM or SSND is missing.
    """
    form = read_exact(read_at, 0, _FORM_HEADER_BYTES, "the FORM header")
    if form[:4] != b"FORM" or form[8:] not in (b"AIFF", b"AIFC"):
        raise MediaFormatError("no FORM/AIFF header")
    blocks = [Block(BlockKind.RIFF_CHUNK, "FORM", 4, (Span(8, 4),))]
    parts = Id3Parts() if parts is None else parts
    audio: Span | None = None
    for chunk in walk_chunks(read_at, _FORM_HEADER_BYTES, size, "big"):
        if chunk.chunk_id == b"SSND" and audio is None:
            audio = chunk.span
        elif chunk.chunk_id == b"SSND":
            degrade(Counter.TAG_BLOCKS_DROPPED, "a second SSND chunk at byte %d", chunk.offset)
        elif chunk.chunk_id in _ID3:
            if not parts.tags:  # a second one is damage, and readers ask the first
                read_tags(read_at, chunk.offset, parts, chunk.offset + chunk.length)
        elif chunk.chunk_id not in _TEXTS:
            blocks.append(carried(chunk, behind_audio=audio is not None))
    keys = {block.key.removeprefix("after:") for block in blocks}
    if audio is None or "COMM" not in keys:
        raise MediaFormatError("no SSND chunk" if audio is None else "no COMM chunk")
    return Anatomy(AudioFormat.AIFF, audio, (*blocks, *parts.blocks), tuple(parts.pictures))
