"""The head of a FLAC picture: everything before the image's own bytes.

FLAC has it in PICTURE blocks, Ogg formats in base64 inside METADATA_BLOCK_PICTURE comments.
"""

import struct
from typing import NamedTuple

from musefs.index.errors import MediaFormatError

LARGEST_HEAD_BYTES = 64 << 10
"""A media type of 255 and a description of 1024 bytes are usual limits; this is far above."""

OTHER_PICTURE = 0
_LAST_PICTURE_TYPE = 20
_LARGEST_NUMBER = 0x7FFF_FFFF
"""Of pixels, bits and colours: what is more is damage, and counts as not known."""


class PictureHead(NamedTuple):
    """What a FLAC picture says before its data."""

    picture_type: int
    mime: str
    description: str
    width: int
    height: int
    depth: int
    colors: int
    data_length: int
    head_length: int
    """Bytes before the image begins."""


def head_length_known(head: bytes) -> int:
    """Return how many bytes of a picture must be at hand to read its whole head.

    Grows with what is known: call again with that many until it is not more than there are.
    """
    if len(head) < 8:
        return 8
    mime_length = int.from_bytes(head[4:8], "big")
    if len(head) < 12 + mime_length:
        return 12 + mime_length
    description_length = int.from_bytes(head[8 + mime_length : 12 + mime_length], "big")
    return 32 + mime_length + description_length


def parse_picture_head(head: bytes) -> PictureHead:
    """Read a head of which all bytes are there; more may follow."""
    if head_length_known(head) > len(head):
        raise MediaFormatError("a picture's head is cut off")
    picture_type, mime_length = struct.unpack_from(">II", head)
    mime = head[8 : 8 + mime_length]
    (description_length,) = struct.unpack_from(">I", head, 8 + mime_length)
    begin = 12 + mime_length
    description = head[begin : begin + description_length]
    *shape, data_length = struct.unpack_from(">5I", head, begin + description_length)
    width, height, depth, colors = (number if number <= _LARGEST_NUMBER else 0 for number in shape)
    return PictureHead(
        picture_type=picture_type if picture_type <= _LAST_PICTURE_TYPE else OTHER_PICTURE,
        mime=mime.decode("utf-8", "replace"),
        description=description.decode("utf-8", "replace"),
        width=width,
        height=height,
        depth=depth,
        colors=colors,
        data_length=data_length,
        head_length=begin + description_length + 20,
    )
