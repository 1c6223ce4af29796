"""MPEG audio (MP3, MP2, MP1): tags in front of and behind it, facts of the first good frame.

The duration is that of the Xing, Info or VBRI header if there is one, else the size by the bit
rate of the first frame, as every player without a full scan estimates it.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from musefs.index.errors import MediaFormatError
from musefs.index.media import mpeg as walker
from musefs.index.media.facts import Span, Technical
from musefs.index.media.id3 import Id3Parts
from musefs.pipeline.tag.apev2 import read_trailing_tags
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.id3_text import add_frames
from musefs.pipeline.tag.window import Window

_BITRATES: Final = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES: Final = (44_100, 48_000, 32_000)
_RATE_DIVISORS: Final = (4, 0, 2, 1)
"""By the two version bits: MPEG 2.5, reserved, 2 and 1."""

_ENCODERS_WITH_DELAY: Final = (b"LAME", b"Lavf", b"Lavc", b"L3.99")


class MpegFrame(NamedTuple):
    """The header of one frame."""

    version: int
    layer: int
    bitrate: int
    sample_rate: int
    channels: int
    samples: int
    length: int


@lru_cache(walker.HEADERS_REMEMBERED)
def parse_frame(data: bytes) -> MpegFrame | None:
    """Return the frame whose four header bytes these are, if they are one."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return None
    divisor = _RATE_DIVISORS[data[1] >> 3 & 3]
    layer = 4 - (data[1] >> 1 & 3)
    bitrate_index, rate_index = data[2] >> 4, data[2] >> 2 & 3
    if not divisor or layer == 4 or rate_index == 3 or bitrate_index in (0, 15):
        return None
    version = 1 if divisor == 1 else 2
    bitrate = _BITRATES[version, layer][bitrate_index] * 1000
    sample_rate = _RATES[rate_index] // divisor
    samples = 384 if layer == 1 else 576 if layer == 3 and version == 2 else 1152
    slot = 4 if layer == 1 else 1
    length = (samples // 8 // slot * bitrate // sample_rate + (data[2] >> 1 & 1)) * slot
    return MpegFrame(
        version, layer, bitrate, sample_rate, 1 if data[3] >> 6 == 3 else 2, samples, length
    )


def read_mpeg(window: Window, tags: Collected) -> Technical:
    """Add what ID3v2, APEv2 and ID3v1 say, in this order of precedence; return the facts."""
    parts = Id3Parts()
    try:
        tags.anatomy = walker.read_anatomy(window.read_at, window.size, parts)
    finally:
        add_frames(window, parts, tags)
    read_trailing_tags(window, tags)
    return stream_facts(window, tags.anatomy.audio)


def stream_facts(window: Window, audio: Span) -> Technical:
    """Return the facts of a stream by its first frame."""
    head = window.read_at(audio.offset, 192)
    frame = parse_frame(head[:4])
    if frame is None:
        raise MediaFormatError("its frames have the free format, whose rate nobody tells")
    if frame.layer == 3:
        facts = _xing(frame, head[4 + _side_info_bytes(frame) :]) or _vbri(frame, head[36:])
        if facts is not None:
            return facts
    return _facts(frame, 8 * audio.length / frame.bitrate, frame.bitrate)


def _side_info_bytes(frame: MpegFrame) -> int:
    if frame.version == 1:
        return 32 if frame.channels == 2 else 17
    return 17 if frame.channels == 2 else 9


def _xing(frame: MpegFrame, data: bytes) -> Technical | None:
    if data[:4] not in (b"Xing", b"Info") or len(data) < 8:
        return None
    flags, at = data[7], 8
    frames = stream_bytes = None
    if flags & 1:
        frames, at = int.from_bytes(data[at : at + 4]), at + 4
    if flags & 2:
        stream_bytes, at = int.from_bytes(data[at : at + 4]), at + 4
    at += (100 if flags & 4 else 0) + (4 if flags & 8 else 0)
    if not frames:
        return None
    samples = frames * frame.samples
    bitrate = frame.bitrate
    if stream_bytes is not None:
        audio_bytes = max(0, stream_bytes - frame.length)
        bitrate = round(audio_bytes * 8 * frame.sample_rate / samples)
    if data[at : at + 4].startswith(_ENCODERS_WITH_DELAY) and len(data) >= at + 24:
        delays = int.from_bytes(data[at + 21 : at + 24])
        samples = max(0, samples - (delays >> 12) - (delays & 0xFFF))
    return _facts(frame, samples / frame.sample_rate, bitrate)


def _vbri(frame: MpegFrame, data: bytes) -> Technical | None:
    if data[:4] != b"VBRI" or len(data) < 18:
        return None
    stream_bytes = int.from_bytes(data[10:14])
    samples = int.from_bytes(data[14:18]) * frame.samples
    if not samples:
        return None
    duration = samples / frame.sample_rate
    return _facts(frame, duration, int(stream_bytes * 8 / duration))


def _facts(frame: MpegFrame, duration: float, bitrate: int) -> Technical:
    return Technical(
        codec=f"mp{frame.layer}",
        duration_seconds=duration,
        bitrate=bitrate,
        sample_rate=frame.sample_rate,
        channels=frame.channels,
    )
