"""What a picture file says of itself: kind and size in pixels, from its first bytes."""

import struct
from dataclasses import dataclass

_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Markers of JPEG frame headers; the three others in their range are tables."""


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """Kind and size of a picture; sizes are 0 where they are not known."""

    mime: str
    width: int = 0
    height: int = 0
    depth: int = 0


def picture_facts(data: bytes) -> PictureFacts | None:
    """Return what the picture is; None if it is none of PNG, JPEG, GIF, WebP and BMP."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 26:
        width, height, bits, colour = struct.unpack(">IIBB", data[16:26])
        channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
        return PictureFacts("image/png", width, height, bits * channels)
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data[:6] in (b"GIF87a", b"GIF89a") and len(data) >= 10:
        width, height = struct.unpack("<HH", data[6:10])
        return PictureFacts("image/gif", width, height, 8)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    if data.startswith(b"BM") and len(data) >= 30:
        width, height, _, bits = struct.unpack("<iiHH", data[18:30])
        return PictureFacts("image/bmp", width, abs(height), bits)
    return None


def _jpeg(data: bytes) -> PictureFacts:
    place = 2
    while place + 9 < len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in _JPEG_FRAMES:
            bits, height, width, channels = struct.unpack(">BHHB", data[place + 4 : place + 10])
            return PictureFacts("image/jpeg", width, height, bits * channels)
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return PictureFacts("image/jpeg")


def _webp(data: bytes) -> PictureFacts:
    if data[12:16] == b"VP8X" and len(data) >= 30:
        width = int.from_bytes(data[24:27], "little") + 1
        return PictureFacts("image/webp", width, int.from_bytes(data[27:30], "little") + 1, 24)
    if data[12:16] == b"VP8 " and len(data) >= 30:
        width, height = struct.unpack("<HH", data[26:30])
        return PictureFacts("image/webp", width & 0x3FFF, height & 0x3FFF, 24)
    return PictureFacts("image/webp")
