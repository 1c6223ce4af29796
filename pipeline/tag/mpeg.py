"""MPEG audio (MP3, MP2, MP1): tags in front of and behind it, facts of the first good frame.

The duration is that of the Xing, Info or VBRI header if there is one, else the size by the bit
rate of the first frame, as every player without a full scan estimates it.
"""

from dataclasses import dataclass
from typing import Final

from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Technical
from musefs.pipeline.tag.apev2 import read_trailing_tags
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.id3_frames import find_tag
from musefs.pipeline.tag.id3_text import read_id3
from musefs.pipeline.tag.limits import MAX_SYNC_SEARCH_BYTES
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

_FRAMES_TO_BELIEVE: Final = 3
"""Frames in a row that make a stream of what has no Xing header; a chance hit has one."""

_MAX_LEADING_TAGS: Final = 64
_ENCODERS_WITH_DELAY: Final = (b"LAME", b"Lavf", b"Lavc", b"L3.99")


@dataclass(frozen=True, slots=True)
class MpegFrame:
    """The header of one frame."""

    version: int
    layer: int
    bitrate: int
    sample_rate: int
    channels: int
    samples: int
    length: int


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
    offset = read_leading_id3(window, tags)
    read_trailing_tags(window, tags)
    return stream_facts(window, offset)


def read_leading_id3(window: Window, tags: Collected) -> int:
    """Add what ID3v2 tags at the start say, the first before the others; return their end."""
    end = 0
    for number in range(_MAX_LEADING_TAGS):
        tag = find_tag(window, end)
        if tag is None:
            break
        if number:
            tags.seal()
        read_id3(window, tag, tags)
        end = tag.end
    return end


def stream_facts(window: Window, start: int) -> Technical:
    """Return the facts of the stream whose first frame is at or soon after `start`."""
    offset, frame = find_first_frame(window, start)
    if frame.layer == 3:
        side_info = (
            (32 if frame.channels == 2 else 17)
            if frame.version == 1
            else (17 if frame.channels == 2 else 9)
        )
        head = window.read_at(offset, 192)
        facts = _xing(frame, head[4 + side_info :]) or _vbri(frame, head[36:])
        if facts is not None:
            return facts
    duration = 8 * (window.size - offset) / frame.bitrate
    return _facts(frame, duration, frame.bitrate)


def find_first_frame(window: Window, start: int) -> tuple[int, MpegFrame]:
    """Find the first frame that others follow, or raise MediaFormatError."""
    at = start
    while at < start + MAX_SYNC_SEARCH_BYTES:
        data = window.read_at(at, 4096)
        if len(data) < 4:
            break
        found = data.find(b"\xff")
        while 0 <= found <= len(data) - 4:
            frame = parse_frame(data[found : found + 4])
            if frame is not None and _is_followed(window, at + found, frame):
                return at + found, frame
            found = data.find(b"\xff", found + 1)
        at += max(1, len(data) - 3)
    raise MediaFormatError("no MPEG audio frame")


def _is_followed(window: Window, offset: int, frame: MpegFrame) -> bool:
    if frame.layer == 3:
        head = window.read_at(offset, 44)
        if b"Xing" in head or b"Info" in head or b"VBRI" in head:
            return True
    for _ in range(_FRAMES_TO_BELIEVE - 1):
        offset += frame.length
        if offset >= window.size - 4:
            return True  # a short file may end within its frames
        following = parse_frame(window.read_at(offset, 4))
        if following is None or following.sample_rate != frame.sample_rate:
            return False
        frame = following
    return True


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
