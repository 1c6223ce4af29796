"""FLAC: comments and stream facts. Pictures and seek tables are stepped over."""

from collections.abc import Callable
from typing import Final

from musefs.index.errors import MediaFormatError
from musefs.index.media import flac as walker
from musefs.index.media.facts import Technical
from musefs.index.media.foreign_tags import skip_leading_id3
from musefs.index.media.id3 import Id3Parts, read_tags
from musefs.index.media.vorbis_comment import XiphParts
from musefs.pipeline.tag.apev2 import read_trailing_tags
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.id3_text import add_frames
from musefs.pipeline.tag.vorbis_comments import add_entries, read_comments
from musefs.pipeline.tag.window import Window

_STREAMINFO: Final = 0
_VORBIS_COMMENT: Final = 4
_STREAMINFO_BYTES: Final = 34
_MAX_BLOCKS: Final = 8192
"""Far more than any encoder writes; each picture and application has one."""


def read_flac(window: Window, tags: Collected) -> Technical:
    """Add the comments, then what a foreign ID3v2 in front adds; return the stream's facts."""
    parts = XiphParts()
    try:
        tags.anatomy = walker.read_anatomy(window.read_at, window.size, parts)
    except MediaFormatError as error:
        tags.refusal = error.message
    if tags.anatomy is None or parts.comment is None:
        start = skip_leading_id3(window.read_at)
        technical = _read_blocks(window, start, tags)
    else:
        add_entries(parts.comment, tags)
        technical = streaminfo_facts(parts.head, window.size - tags.anatomy.audio.offset)
    if window.head.startswith(b"ID3"):
        _read_foreign(window, tags)
    return technical


def _read_foreign(window: Window, tags: Collected) -> None:
    frames = Id3Parts()
    if read_tags(window.read_at, 0, frames):
        tags.seal()
        add_frames(window, frames, tags)
        read_trailing_tags(window, tags)


def _read_blocks(window: Window, start: int, tags: Collected) -> Technical:
    """Read what a damaged file still says: the walker could not follow its blocks or comment."""
    read_at = window.read_at
    if read_at(start, 4) != b"fLaC":
        raise MediaFormatError("no fLaC marker")
    offset, info, commented = start + 4, b"", False
    for _ in range(_MAX_BLOCKS):
        head = read_at(offset, 4)
        if len(head) < 4:
            raise MediaFormatError("the metadata blocks are truncated")
        kind, length = head[0] & 127, int.from_bytes(head[1:])
        offset += 4
        if kind == _STREAMINFO and not info:
            info = read_at(offset, min(length, _STREAMINFO_BYTES))
        elif kind == _VORBIS_COMMENT and not commented:
            commented = True
            read_comments(_reader(window, offset), length, tags)
        offset += length
        if head[0] & 128:
            break
    return streaminfo_facts(info, max(0, window.size - offset))


def _reader(window: Window, start: int) -> Callable[[int, int], bytes]:
    return lambda offset, length: window.read_at(start + offset, length)


def streaminfo_facts(info: bytes, audio_bytes: int) -> Technical:
    """Return what a STREAMINFO block of 34 bytes says."""
    if len(info) < _STREAMINFO_BYTES:
        raise MediaFormatError("the STREAMINFO block is missing or short")
    packed = int.from_bytes(info[10:18])
    sample_rate = packed >> 44
    samples = packed & 0xFFFFFFFFF
    if not sample_rate:
        raise MediaFormatError("the STREAMINFO block has a sample rate of zero")
    duration = samples / sample_rate if samples else None
    return Technical(
        codec="flac",
        duration_seconds=duration,
        bitrate=int(audio_bytes * 8 / duration) if duration else None,
        sample_rate=sample_rate,
        bits_per_sample=(packed >> 36 & 31) + 1,
        channels=(packed >> 41 & 7) + 1,
    )
