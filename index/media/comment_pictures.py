"""Pictures in Vorbis comments, by reference: ranges of base64, in Ogg across pages.

METADATA_BLOCK_PICTURE is the form in use, COVERART its forerunner: an image with no head. Only the
first bytes are decoded here; the image stays where it is until it is served.
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
from musefs.index.media.vorbis_comment import (
    CommentStructure,
    Entry,
    PacketWindow,
)

_NAME = b"METADATA_BLOCK_PICTURE="
_BARE_NAME = b"COVERART="
_NAME_LENGTHS = (len(_NAME), len(_BARE_NAME))
_IMAGE_STARTS = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG", "image/png"), (b"GIF8", "image/gif"))
_FIRST_HEAD_BYTES = 48
"""Head of a picture with a common media type and an empty description."""


def read_pictures(packet: Packet, structure: CommentStructure) -> tuple[Picture, ...]:
    """Return the pictures of a comment by reference; broken ones are counted."""
    pictures: list[Picture] = []
    for entry in structure.entries:
        start = entry[2]
        name_length = start.find(b"=") + 1
        if name_length not in _NAME_LENGTHS:
            continue
        name = start[:name_length].upper()
        if name == _NAME:
            picture = _read_picture(structure.window, packet, entry)
        elif name == _BARE_NAME:
            picture = _read_bare_image(structure.window, packet, entry)
        else:
            continue
        if picture is None:
            degrade(Counter.PICTURES_DROPPED, "a picture in a comment is empty or broken")
        else:
            pictures.append(picture)
    return tuple(pictures)


def _read_picture(window: PacketWindow, packet: Packet, entry: Entry) -> Picture | None:
    """Return the picture by reference; None if it is broken or not plain base64."""
    begin, text_length = entry[0] + len(_NAME), entry[1] - len(_NAME)
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


def _read_bare_image(window: PacketWindow, packet: Packet, entry: Entry) -> Picture | None:
    begin, text_length = entry[0] + len(_BARE_NAME), entry[1] - len(_BARE_NAME)
    text, end = window.read(begin, min(text_length, 16)), window.read(begin + text_length - 4, 4)
    try:
        start = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return None
    mimes = [mime for mark, mime in _IMAGE_STARTS if start.startswith(mark)]
    if text_length % 4 or not mimes:
        return None
    return Picture(
        length=text_length // 4 * 3 - end.count(b"="),
        spans=packet.part(begin, text_length),
        mime=mimes[0],
        encoding=Encoding.BASE64,
    )


def _read_head(window: PacketWindow, begin: int, text_length: int) -> PictureHead | None:
    needed = _FIRST_HEAD_BYTES
    while needed <= LARGEST_HEAD_BYTES:
        text = window.read(begin, min(-(-needed // 3) * 4, text_length))
        try:
            head = binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
        except binascii.Error:
            return None
        wanted = head_length_known(head)
        if wanted <= len(head):
            return parse_picture_head(head)
        if len(text) == text_length:
            return None
        needed = max(wanted, len(head) + 3)
    return None
