"""FLAC: where metadata blocks, pictures and frames lie in one original.

Blocks that are not text travel as ranges (STREAMINFO, SEEKTABLE, APPLICATION, CUESHEET and types
that are still reserved); PADDING is dropped. Tags are mutagen's; pictures are never read, only
their heads. No I/O of its own.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from musefs.index.counters import Counter, degrade
from musefs.index.errors import MediaFormatError
from musefs.index.media.comment_pictures import read_pictures
from musefs.index.media.facts import Anatomy, AudioFormat, Block, BlockKind, Picture, Span
from musefs.index.media.flac_picture import (
    LARGEST_HEAD_BYTES,
    head_length_known,
    parse_picture_head,
)
from musefs.index.media.foreign_tags import skip_leading_id3, trim_trailing_tags
from musefs.index.media.ogg_page import Packet
from musefs.index.media.reading import ReadAt, read_exact
from musefs.index.media.vorbis_comment import PacketWindow, XiphParts, walk_comment

STREAMINFO = 0
PADDING = 1
APPLICATION = 2
SEEKTABLE = 3
VORBIS_COMMENT = 4
CUESHEET = 5
PICTURE = 6
_INVALID_BLOCK = 127

STREAMINFO_BYTES = 34
BLOCKS_LIMIT = 8192
"""Twice the pictures that one track may have; a longer chain is not a FLAC file."""
_FIRST_READ_BYTES = 256
"""Of a picture: enough for the head of nearly all of them."""
_COMMENT_READ_BYTES = 4096
"""Of a damaged comment: whether there is a picture's name among what could not be followed."""
_PICTURE_NAME = re.compile(rb"(?:METADATA_BLOCK_PICTURE|COVERART)=", re.IGNORECASE)


class MetadataBlock(NamedTuple):
    """One metadata block: its type and where its body lies."""

    block_type: int
    offset: int
    length: int


def read_anatomy(read_at: ReadAt, size: int, parts: XiphParts | None = None) -> Anatomy:
    """Return where the parts of a FLAC file lie; `parts` takes what readers of tags need.

    Raises MediaFormatError for anything that is not a whole chain of blocks behind `fLaC`.
    """
    parts = XiphParts() if parts is None else parts
    begin = skip_leading_id3(read_at)
    blocks = list(walk_blocks(read_at, begin, size))
    first, last = blocks[0], blocks[-1]
    _check_streaminfo(blocks)
    parts.head = read_at(first.offset, first.length)
    audio_begin = last.offset + last.length
    audio_end = trim_trailing_tags(read_at, audio_begin, size)
    return Anatomy(
        AudioFormat.FLAC,
        Span(audio_begin, audio_end - audio_begin),
        tuple([_carried(block) for block in blocks if block.block_type not in _NOT_CARRIED]),
        tuple(_pictures(read_at, blocks, parts)),
    )


def walk_blocks(read_at: ReadAt, begin: int, size: int) -> Iterator[MetadataBlock]:
    """Walk the metadata blocks behind the `fLaC` marker at `begin`."""
    if read_at(begin, 4) != b"fLaC":
        raise MediaFormatError(f"no fLaC marker at byte {begin}")
    offset = begin + 4
    for _ in range(BLOCKS_LIMIT):
        header = read_at(offset, 4)
        if len(header) < 4:
            raise MediaFormatError(f"a metadata block's header at byte {offset} is cut off")
        block_type, length = header[0] & 0x7F, int.from_bytes(header[1:])
        offset += 4
        if block_type == _INVALID_BLOCK or offset + length > size:
            raise MediaFormatError(
                f"the metadata block before byte {offset} has type {block_type}, {length} bytes"
            )
        yield MetadataBlock(block_type, offset, length)
        offset += length
        if header[0] & 0x80:
            return
    raise MediaFormatError(f"more than {BLOCKS_LIMIT} metadata blocks")


def is_carried(block_type: int) -> bool:
    """Tell whether blocks of this type are served as they are."""
    return block_type not in _NOT_CARRIED


_NOT_CARRIED = frozenset({PADDING, VORBIS_COMMENT, PICTURE, _INVALID_BLOCK})


def _check_streaminfo(blocks: list[MetadataBlock]) -> None:
    found = [block for block in blocks if block.block_type == STREAMINFO]
    if found != [blocks[0]] or found[0].length != STREAMINFO_BYTES:
        raise MediaFormatError("the first block, and no other, must be a STREAMINFO of 34 bytes")


def _carried(block: MetadataBlock) -> Block:
    kind, offset, length = block
    return Block(BlockKind.FLAC_BLOCK, str(kind), length, (Span(offset, length),))


def _pictures(read_at: ReadAt, blocks: list[MetadataBlock], parts: XiphParts) -> Iterator[Picture]:
    commented = False
    for block in blocks:
        if block.block_type == VORBIS_COMMENT:
            yield from _pictures_in_comment(read_at, block, None if commented else parts)
            commented = True
        if block.block_type != PICTURE:
            continue
        picture = _read_picture(read_at, block)
        if picture is None:
            degrade(
                Counter.PICTURES_DROPPED, "picture at byte %d is empty or cut off", block.offset
            )
        else:
            yield picture


def _pictures_in_comment(
    read_at: ReadAt, block: MetadataBlock, parts: XiphParts | None
) -> Iterable[Picture]:
    """Return pictures that a tool for Ogg wrote among the tags; most comments have none.

    The first comment is handed to `parts`.
    """
    packet = Packet((Span(block.offset, block.length),))
    try:
        structure = walk_comment(PacketWindow(read_at, packet), 0, block.length)
    except MediaFormatError as error:
        start = read_at(block.offset, min(block.length, _COMMENT_READ_BYTES))
        if block.length > len(start) or _PICTURE_NAME.search(start) is not None:
            degrade(Counter.TAG_BLOCKS_DROPPED, "comment at byte %d: %s", block.offset, error)
        return ()
    if parts is not None:
        parts.comment = structure
    return read_pictures(packet, structure)


def _read_picture(read_at: ReadAt, block: MetadataBlock) -> Picture | None:
    head = read_at(block.offset, min(block.length, _FIRST_READ_BYTES))
    while (needed := head_length_known(head)) > len(head):
        if needed > min(block.length, LARGEST_HEAD_BYTES):
            return None
        head = read_exact(read_at, block.offset, needed, "a picture's head")
    parsed = parse_picture_head(head)
    if parsed.data_length == 0 or parsed.head_length + parsed.data_length > block.length:
        return None
    head_length, length = parsed.head_length, parsed.data_length
    return Picture(
        length, (Span(block.offset + head_length, length),), parsed.picture_type, parsed.mime,
        parsed.description, parsed.width, parsed.height, parsed.depth, parsed.colors,
    )  # fmt: skip
