"""Pictures in Ogg comments: METADATA_BLOCK_PICTURE as ranges of base64 across pages.

Only the head of each is decoded here; the image stays where it is until it is served.
"""

import binascii

from musefs.index.counters import Counter, degrade
from musefs.index.media.facts import Encoding, Picture
from musefs.index.media.flac_picture import (
    LARGEST_HEAD_BYTES,
    PictureHead,
    head_length_known,
    parse_picture_head,
)
from musefs.index.media.ogg_page import Packet
from musefs.index.media.vorbis_comment import CommentStructure, Entry, PacketWindow

_NAME = b"METADATA_BLOCK_PICTURE="
_FIRST_HEAD_BYTES = 48
"""Head of a picture with a common media type and an empty description."""


def read_pictures(
    window: PacketWindow, packet: Packet, structure: CommentStructure
) -> tuple[Picture, ...]:
    """Return the pictures of a comment by reference; broken ones are counted."""
    pictures: list[Picture] = []
    for entry in filter(is_picture, structure.entries):
        picture = read_picture(window, packet, entry)
        if picture is None:
            degrade(Counter.PICTURES_DROPPED, "a picture in an Ogg comment is empty or broken")
        else:
            pictures.append(picture)
    return tuple(pictures)


def is_picture(entry: Entry) -> bool:
    """Tell whether an entry of a comment is a picture."""
    return entry.start[: len(_NAME)].upper() == _NAME


def read_picture(window: PacketWindow, packet: Packet, entry: Entry) -> Picture | None:
    """Return the picture by reference; None if it is broken or not plain base64."""
    begin = entry.offset + len(_NAME)
    text_length = entry.length - len(_NAME)
    head = _read_head(window, begin, text_length)
    if head is None or head.data_length == 0:
        return None
    decoded_length = head.head_length + head.data_length
    unpadded = -(-decoded_length * 4 // 3)
    if text_length not in (unpadded, -(-decoded_length // 3) * 4):
        return None
    return Picture(
        length=head.data_length,
        spans=packet.part(begin, text_length),
        picture_type=head.picture_type,
        mime=head.mime,
        description=head.description,
        width=head.width,
        height=head.height,
        depth=head.depth,
        colors=head.colors,
        encoding=Encoding.BASE64,
        skip=head.head_length,
    )


def _read_head(window: PacketWindow, begin: int, text_length: int) -> PictureHead | None:
    needed = _FIRST_HEAD_BYTES
    while needed <= LARGEST_HEAD_BYTES:
        text = window.read(begin, min(-(-needed // 3) * 4, text_length))
        try:
            head = binascii.a2b_base64(text[: len(text) // 4 * 4], strict_mode=True)
        except binascii.Error:
            return None
        wanted = head_length_known(head)
        if wanted <= len(head):
            return parse_picture_head(head)
        if len(text) == text_length:
            return None
        needed = max(wanted, len(head) + 3)
    return None
