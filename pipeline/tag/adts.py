"""Bare streams without a container: AAC in ADTS frames and AC-3. ID3 and APEv2 may surround them.

Their frames have no count, so the duration is that of the average of the first frames.
"""

from typing import Final

from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Technical
from musefs.pipeline.tag.apev2 import read_trailing_tags
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.id3_text import read_id3
from musefs.pipeline.tag.limits import MAX_SYNC_SEARCH_BYTES
from musefs.pipeline.tag.window import Window

_AAC_RATES: Final = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000,
    7350,
)  # fmt: skip
_AAC_SAMPLES: Final = 1024
_FRAMES_AVERAGED: Final = 64
"""About 1.5 s of AAC in some 16 KiB: enough for an average, little enough to read."""

_AC3_RATES: Final = (48_000, 44_100, 32_000)
_AC3_BITRATES: Final = (
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
)  # fmt: skip
_AC3_CHANNELS: Final = (2, 1, 2, 3, 3, 4, 4, 5)
_EAC3_BLOCKS: Final = (1, 2, 3, 6)


def read_aac(window: Window, tags: Collected) -> Technical:
    """Read AAC in ADTS frames."""
    start = read_id3(window, 0, tags)
    read_trailing_tags(window, tags)
    offset = find_first_adts(window, start)
    rate, channels, _ = _adts(window.read_at(offset, 7)) or (0, 0, 0)
    frames, at = 0, offset
    while frames < _FRAMES_AVERAGED:
        frame = _adts(window.read_at(at, 7))
        if frame is None:
            break
        at, frames = at + frame[2], frames + 1
    bitrate = int((at - offset) * 8 * rate / (frames * _AAC_SAMPLES))
    duration = (window.size - offset) * 8 / bitrate
    return Technical("aac", duration, bitrate, rate, None, channels or None)


def find_first_adts(window: Window, start: int) -> int:
    """Find the first frame that another follows, or raise MediaFormatError."""
    at = start
    while at < start + MAX_SYNC_SEARCH_BYTES:
        data = window.read_at(at, 4096)
        if len(data) < 7:
            break
        found = data.find(b"\xff")
        while 0 <= found <= len(data) - 7:
            frame = _adts(data[found : found + 7])
            if frame is not None:
                following = window.read_at(at + found + frame[2], 7)
                if not following or _adts(following):
                    return at + found
            found = data.find(b"\xff", found + 1)
        at += max(1, len(data) - 6)
    raise MediaFormatError("no ADTS frame")


def _adts(data: bytes) -> tuple[int, int, int] | None:
    """Return sample rate, channels and length of the frame with this header."""
    if len(data) < 7 or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return None
    index = data[2] >> 2 & 15
    length = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
    if index >= len(_AAC_RATES) or length < 7:
        return None
    layout = (data[2] & 1) << 2 | data[3] >> 6
    return _AAC_RATES[index], 8 if layout == 7 else layout, length


def read_ac3(window: Window, tags: Collected) -> Technical:
    """Read AC-3 and E-AC-3."""
    start = read_id3(window, 0, tags)
    read_trailing_tags(window, tags)
    head = window.read_at(start, 8)
    if len(head) < 8 or head[:2] != b"\x0b\x77":
        raise MediaFormatError("no AC-3 frame")
    if head[5] >> 3 <= 10:
        codec, rate, bitrate, layout, lfe = _ac3(head)
    else:
        codec, rate, bitrate, layout, lfe = _eac3(head)
    duration = (window.size - start) * 8 / bitrate
    return Technical(codec, duration, bitrate, rate, None, _AC3_CHANNELS[layout] + lfe)


def _ac3(head: bytes) -> tuple[str, int, int, int, int]:
    rate_index, size_index = head[4] >> 6, (head[4] & 63) >> 1
    if rate_index == 3 or size_index >= len(_AC3_BITRATES):
        raise MediaFormatError("an AC-3 frame with a reserved rate")
    layout = head[6] >> 5
    skipped = (2 if layout & 1 and layout != 1 else 0) + (2 if layout & 4 else 0)
    skipped += 2 if layout == 2 else 0
    lfe = (head[6] << 8 | head[7]) >> 12 - skipped & 1
    return "ac3", _AC3_RATES[rate_index], _AC3_BITRATES[size_index] * 1000, layout, lfe


def _eac3(head: bytes) -> tuple[str, int, int, int, int]:
    frame_bytes = ((head[2] & 7) << 8 | head[3]) * 2 + 2
    rate_index, blocks_index = head[4] >> 6, head[4] >> 4 & 3
    if rate_index == 3:
        if blocks_index == 3:
            raise MediaFormatError("an E-AC-3 frame with a reserved rate")
        rate, blocks = _AC3_RATES[blocks_index] // 2, 6
    else:
        rate, blocks = _AC3_RATES[rate_index], _EAC3_BLOCKS[blocks_index]
    bitrate = frame_bytes * 8 * rate // (blocks * 256)
    return "eac3", rate, bitrate, head[4] >> 1 & 7, head[4] & 1
