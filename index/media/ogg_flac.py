"""FLAC in Ogg: header packets are metadata blocks; the first packet maps the one to the other."""

from collections.abc import Sequence

from musefs.index.counters import Counter, degrade
from musefs.index.errors import MediaFormatError
from musefs.index.media.comment_pictures import read_pictures
from musefs.index.media.facts import Block, BlockKind, Picture
from musefs.index.media.flac import PICTURE, VORBIS_COMMENT, is_carried
from musefs.index.media.flac_picture import (
    LARGEST_HEAD_BYTES,
    head_length_known,
    parse_picture_head,
)
from musefs.index.media.ogg_page import Packet
from musefs.index.media.reading import ReadAt
from musefs.index.media.vorbis_comment import PacketWindow, XiphParts, walk_comment

MAPPING_BYTES = 51
"""0x7F FLAC, version, packet count, fLaC, and a STREAMINFO block with its header."""
_COUNT_AT = 7
_HEADER_BYTES = 4
_LAST_BLOCK = 0x80


def is_complete(read_at: ReadAt, packets: Sequence[Packet]) -> bool:
    """Tell whether the last metadata block is among `packets`.

    By its flag, because a count of 0 means "not known", or by the count.
    """
    if not packets:
        return False
    mapping = packets[0].read(read_at, 0, MAPPING_BYTES)
    if len(mapping) != MAPPING_BYTES or packets[0].length != MAPPING_BYTES:
        raise MediaFormatError("the first packet of FLAC in Ogg is not 51 bytes long")
    count = int.from_bytes(mapping[_COUNT_AT : _COUNT_AT + 2], "big")
    if len(packets) == 1:
        return False
    is_last = packets[-1].read(read_at, 0, 1)[:1] >= bytes((_LAST_BLOCK,))
    return is_last or (count > 0 and len(packets) > count)


def parts(
    read_at: ReadAt, packets: tuple[Packet, ...], told: XiphParts
) -> tuple[tuple[Block, ...], tuple[Picture, ...]]:
    """Return the carried blocks (bodies without their headers) and the pictures.

    Some tools write pictures as comments here too, as in Vorbis; both kinds are read.
    """
    blocks = [Block(BlockKind.OGG_PACKET, "id", packets[0].length, packets[0].spans)]
    pictures: list[Picture] = []
    for number, packet in enumerate(packets[1:]):
        header = packet.read(read_at, 0, _HEADER_BYTES)
        if len(header) < _HEADER_BYTES or int.from_bytes(header[1:], "big") != (
            packet.length - _HEADER_BYTES
        ):
            raise MediaFormatError("a metadata block of FLAC in Ogg does not fill its packet")
        block_type = header[0] & 0x7F
        if is_carried(block_type):
            length = packet.length - _HEADER_BYTES
            spans = packet.part(_HEADER_BYTES, length)
            blocks.append(Block(BlockKind.OGG_PACKET, str(block_type), length, spans))
        elif block_type == PICTURE:
            pictures += _pictures(read_at, packet)
        elif block_type == VORBIS_COMMENT:
            window = PacketWindow(read_at, packet)
            structure = walk_comment(window, _HEADER_BYTES, packet.length)
            if number == 0:
                told.comment = structure
            pictures += read_pictures(packet, structure)
    return tuple(blocks), tuple(pictures)


def _pictures(read_at: ReadAt, packet: Packet) -> list[Picture]:
    head = packet.read(read_at, _HEADER_BYTES, 64)
    while (needed := head_length_known(head)) > len(head):
        if needed > min(packet.length - _HEADER_BYTES, LARGEST_HEAD_BYTES):
            break
        head = packet.read(read_at, _HEADER_BYTES, needed)
    parsed = parse_picture_head(head) if needed <= len(head) else None
    if (
        parsed is None
        or parsed.data_length == 0
        or _HEADER_BYTES + parsed.head_length + parsed.data_length > packet.length
    ):
        degrade(Counter.PICTURES_DROPPED, "a picture of FLAC in Ogg is empty or cut off")
        return []
    return [
        Picture(
            length=parsed.data_length,
            spans=packet.part(_HEADER_BYTES + parsed.head_length, parsed.data_length),
            picture_type=parsed.picture_type,
            mime=parsed.mime,
            description=parsed.description,
            width=parsed.width,
            height=parsed.height,
            depth=parsed.depth,
            colors=parsed.colors,
        )
    ]
