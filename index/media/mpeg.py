"""MP3 (and MP1, MP2): ID3 tags in front, other tags behind, and the frames between them.

The Xing, Info or VBRI frame is audio: it tells players about the frames and not about the tags.
Zero padding and junk between the tags and the first frame belong to neither and are left out.
"""

from functools import lru_cache

from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Anatomy, AudioFormat, Span
from musefs.index.media.foreign_tags import skip_leading_id3, trim_trailing_tags
from musefs.index.media.id3 import Id3Parts, read_tags
from musefs.index.media.reading import ReadAt

SYNC_SEARCH_BYTES = 64 << 10
"""How far behind the tags the first frame may be; padding that taggers left is far shorter."""

_READ_BYTES = 4096
_HEADER_BYTES = 4
_BITRATES = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Kilobits per second by (MPEG-1 or later, layer); index 0 is the free format."""
HEADERS_REMEMBERED = 4096
"""Frame headers whose length is known: an encoder writes a few dozen different ones."""

_RATES = (44_100, 48_000, 32_000)
_RATE_DIVISORS = (4, 0, 2, 1)
"""By the two version bits: MPEG 2.5, reserved, 2 and 1."""


def read_anatomy(read_at: ReadAt, size: int, parts: Id3Parts | None = None) -> Anatomy:
    """Return where the parts of an MP3 file lie; `parts` takes what its ID3 tags hold.

    Raises MediaFormatError where no audio frame follows the tags.
    """
    parts = Id3Parts() if parts is None else parts
    tags_end = read_tags(read_at, 0, parts, size)
    tags_end = skip_leading_id3(read_at, tags_end)  # tags of versions that nobody can read
    audio_end = trim_trailing_tags(read_at, tags_end, size)
    begin = find_first_frame(read_at, tags_end, audio_end)
    if audio_end < size:
        read_tags(read_at, audio_end, parts, size)
    return Anatomy(
        format=AudioFormat.MP3,
        audio=Span(begin, audio_end - begin),
        blocks=tuple(parts.blocks),
        pictures=tuple(parts.pictures),
    )


def find_first_frame(read_at: ReadAt, begin: int, end: int) -> int:
    """Return where the first frame is: one that another like it follows, or the end."""
    offset = begin
    if end - begin >= _HEADER_BYTES and _is_frame(read_at, begin, end, is_first=True):
        return begin
    while offset < min(end, begin + SYNC_SEARCH_BYTES):
        data = read_at(offset, min(_READ_BYTES, end - offset))
        found = data.find(b"\xff")
        while 0 <= found <= len(data) - _HEADER_BYTES:
            place = offset + found
            if _is_frame(read_at, place, end, is_first=place == begin):
                return place
            found = data.find(b"\xff", found + 1)
        if len(data) < _HEADER_BYTES:
            break
        offset += len(data) - _HEADER_BYTES + 1
    raise MediaFormatError(f"no MPEG audio frame behind the tags at byte {begin}")


def _is_frame(read_at: ReadAt, offset: int, end: int, *, is_first: bool) -> bool:
    header = read_at(offset, _HEADER_BYTES)
    length = frame_length(header)
    if length is None:
        return False
    if length == 0:  # free format: the length is known to the decoder only
        return is_first
    following = read_at(offset + length, _HEADER_BYTES)
    if offset + length + _HEADER_BYTES > end:
        return is_first or offset + length == end
    return frame_length(following) is not None and _kind(following) == _kind(header)


@lru_cache(HEADERS_REMEMBERED)
def frame_length(header: bytes) -> int | None:
    """Return the length of the frame, 0 in the free format; None if it is no frame."""
    if len(header) < _HEADER_BYTES or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    divisor = _RATE_DIVISORS[header[1] >> 3 & 3]
    layer = 4 - (header[1] >> 1 & 3)
    bitrate_index, rate_index = header[2] >> 4, header[2] >> 2 & 3
    if not divisor or layer == 4 or rate_index == 3 or bitrate_index == 15:
        return None
    generation = 1 if divisor == 1 else 2
    bitrate = _BITRATES[generation, layer][bitrate_index] * 1000
    samples = 384 if layer == 1 else 576 if layer == 3 and generation == 2 else 1152
    if bitrate == 0:
        return 0
    slot_bytes = 4 if layer == 1 else 1
    slots = samples // 8 // slot_bytes * bitrate // (_RATES[rate_index] // divisor)
    return (slots + (header[2] >> 1 & 1)) * slot_bytes


def _kind(header: bytes) -> tuple[int, int]:
    """Return version, layer and sampling rate: the same in all frames of a stream."""
    return header[1] & 0xFE, header[2] & 0x0C
