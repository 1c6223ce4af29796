"""Tags that other formats hang before and behind the audio: ID3v2 in front, a tail of several.

Only where they begin and end; what they say is mutagen's. Used by every walker whose audio runs
to the end of the file.
"""

from musefs.index.media.reading import ReadAt

LEADING_TAGS_LIMIT = 64
"""More ID3v2 tags in a row than any tool ever stacked up by mistake."""

_ID3V1_BYTES = 128
_APE_FOOTER_BYTES = 32
_LYRICS3_FOOTER_BYTES = 15
_ID3V2_HEADER_BYTES = 10
_TAIL_BYTES = _ID3V1_BYTES + _APE_FOOTER_BYTES
_TRAILING_TAGS_LIMIT = 8


def skip_leading_id3(read_at: ReadAt, offset: int = 0) -> int:
    """Return where the ID3v2 tags that stand at `offset` end."""
    for _ in range(LEADING_TAGS_LIMIT):
        length = id3v2_length(read_at(offset, _ID3V2_HEADER_BYTES))
        if length == 0:
            break
        offset += length
    return offset


def id3v2_length(header: bytes) -> int:
    """Return the whole length of the ID3v2 tag that `header` opens, 0 if it opens none."""
    if len(header) < _ID3V2_HEADER_BYTES or header[:3] not in (b"ID3", b"3DI"):
        return 0
    if header[3] == 0xFF or header[4] == 0xFF:
        return 0
    if (header[6] | header[7] | header[8] | header[9]) & 0x80:
        return 0
    size = header[6] << 21 | header[7] << 14 | header[8] << 7 | header[9]
    footer = _ID3V2_HEADER_BYTES if header[5] & 0x10 else 0
    return _ID3V2_HEADER_BYTES + size + footer


def trim_trailing_tags(read_at: ReadAt, begin: int, end: int) -> int:
    """Return where the audio that begins at `begin` ends before the tags behind it.

    ID3v1, APEv2, Lyrics3v2 and an appended ID3v2 are known, in any order.
    """
    for _ in range(_TRAILING_TAGS_LIMIT):
        tail = read_at(max(begin, end - _TAIL_BYTES), min(_TAIL_BYTES, end - begin))
        length = _trailing_tag_length(tail)
        if length == 0 or length > end - begin:
            break
        end -= length
    return end


def _trailing_tag_length(tail: bytes) -> int:
    if tail[-_ID3V1_BYTES:].startswith(b"TAG") and len(tail) >= _ID3V1_BYTES:
        return _ID3V1_BYTES
    return _ape_length(tail) or _lyrics3_length(tail) or _appended_id3_length(tail)


def _ape_length(tail: bytes) -> int:
    footer = tail[-_APE_FOOTER_BYTES:]
    if not footer.startswith(b"APETAGEX") or len(footer) < _APE_FOOTER_BYTES:
        return 0
    size = int.from_bytes(footer[12:16], "little")
    flags = int.from_bytes(footer[20:24], "little")
    if flags & 0x20000000 or size < _APE_FOOTER_BYTES:  # a header, not a footer
        return 0
    return size + (_APE_FOOTER_BYTES if flags & 0x80000000 else 0)


def _lyrics3_length(tail: bytes) -> int:
    footer = tail[-_LYRICS3_FOOTER_BYTES:]
    if not footer.endswith(b"LYRICS200") or not footer[:6].isdigit():
        return 0
    return int(footer[:6]) + _LYRICS3_FOOTER_BYTES


def _appended_id3_length(tail: bytes) -> int:
    footer = tail[-_ID3V2_HEADER_BYTES:]
    if not footer.startswith(b"3DI"):
        return 0
    return id3v2_length(footer)
