"""Formats with APEv2 or ID3 around their own streams: APE, WavPack, Musepack, TTA; DSF and DFF.

They are served as they are, so only tags and the facts of their headers are read.
"""

from struct import Struct
from typing import Final

from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Technical
from musefs.pipeline.tag.apev2 import read_ape_file_tags, read_trailing_tags
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.id3_text import read_id3
from musefs.pipeline.tag.limits import MAX_ITEMS_WALKED
from musefs.pipeline.tag.window import Window


def _facts(
    window: Window, codec: str, samples: int, rate: int, channels: int, bits: int | None
) -> Technical:
    if not rate:
        raise MediaFormatError("its header has a sample rate of zero")
    duration = samples / rate if samples > 0 else None
    bitrate = int(window.size * 8 / duration) if duration else None
    return Technical(codec, duration, bitrate, rate, bits or None, channels or None)


def _head(window: Window, offset: int, length: int, mark: bytes) -> bytes:
    data = window.read_at(offset, length)
    if len(data) < length or not data.startswith(mark):
        raise MediaFormatError(f"no whole header {mark.decode('latin-1').strip()}")
    return data


_APE_NEW: Final = Struct("<IIIHHI")
_APE_OLD: Final = Struct("<HHHHIIIII")


def read_ape(window: Window, tags: Collected) -> Technical:
    """Read Monkey's Audio."""
    start = read_id3(window, 0, tags)
    tags.seal()
    read_ape_file_tags(window, tags)
    head = _head(window, start, 76, b"MAC ")
    version = int.from_bytes(head[4:6], "little")
    if version >= 3980:
        per_frame, last, frames, bits, channels, rate = _APE_NEW.unpack_from(head, 56)
    else:
        level, _, channels, _, rate, _, _, frames, last = _APE_OLD.unpack_from(head, 6)
        bits = 8 if head[8] & 1 else 24 if head[8] & 8 else 16
        old = version < 3900 and not (version >= 3800 and level == 4000)
        per_frame = 9216 if old else 73728 * (4 if version >= 3950 else 1)
    samples = (frames - 1) * per_frame + last if frames else 0
    return _facts(window, "ape", samples, rate, channels, bits)


_WAVPACK_RATES: Final = (
    6000, 8000, 9600, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000,
    88_200, 96_000, 192_000,
)  # fmt: skip
_WAVPACK_MONO: Final = 4
_WAVPACK_LAST_BLOCK: Final = 1 << 12
_WAVPACK_DSD: Final = 1 << 31


def read_wavpack(window: Window, tags: Collected) -> Technical:
    """Read WavPack; the channels of all blocks up to the last of the first frame count."""
    read_ape_file_tags(window, tags)
    head = _head(window, 0, 32, b"wvpk")
    flags = int.from_bytes(head[24:28], "little")
    samples = int.from_bytes(head[12:16], "little")
    samples = -1 if samples == 0xFFFFFFFF else samples | head[11] << 32
    rate, bits, channels = _wavpack_rate(window, flags), (1 + (flags & 3)) * 8, 0
    offset = 0
    for _ in range(64):
        channels += 1 if flags & _WAVPACK_MONO else 2
        offset += 8 + int.from_bytes(head[4:8], "little")
        if flags & _WAVPACK_LAST_BLOCK:
            break
        head = window.read_at(offset, 32)
        if len(head) < 32 or not head.startswith(b"wvpk"):
            break
        flags = int.from_bytes(head[24:28], "little")
    if flags & _WAVPACK_DSD:
        return _facts(window, "dsd", samples, rate, channels, 1)
    return _facts(window, "wavpack", samples, rate, channels, bits)


def _wavpack_rate(window: Window, flags: int) -> int:
    index = flags >> 23 & 15
    if index < len(_WAVPACK_RATES):
        return _WAVPACK_RATES[index]
    data = window.read_at(32, 512)  # an unusual rate stands in a sub-block of its own
    at = 0
    while at + 4 <= len(data):
        kind, words = data[at], data[at + 1]
        used = 2
        if kind & 0x80:
            words, used = int.from_bytes(data[at + 1 : at + 4], "little"), 4
        if kind & 0x3F == 0x27:
            return int.from_bytes(data[at + used : at + used + 3], "little")
        at += used + words * 2
    raise MediaFormatError("its sample rate is not told")


_MUSEPACK_RATES: Final = (44_100, 48_000, 37_800, 32_000)


def read_musepack(window: Window, tags: Collected) -> Technical:
    """Read Musepack of stream versions 7 and 8."""
    start = read_id3(window, 0, tags)
    tags.seal()
    read_ape_file_tags(window, tags)
    head = window.read_at(start, 32)
    if head.startswith(b"MPCK"):
        return _musepack_8(window, start + 4)
    if not head.startswith(b"MP+") or len(head) < 32 or head[3] & 15 != 7:
        raise MediaFormatError("no Musepack header of version 7 or 8")
    frames = int.from_bytes(head[4:8], "little")
    rate = _MUSEPACK_RATES[head[10] & 3]
    samples = frames * 1152 - 576
    return _facts(window, "musepack", samples, rate, 2, None)


def _musepack_8(window: Window, offset: int) -> Technical:
    for _ in range(32):
        head = window.read_at(offset, 32)
        size, used = _variable(head, 2)
        if head[:2] == b"SH":
            samples, used = _variable(head, used + 5)
            silence, used = _variable(head, used)
            if used + 2 > len(head):
                break
            rate = _MUSEPACK_RATES[head[used] >> 5 & 3]
            channels = (head[used + 1] >> 4) + 1
            return _facts(window, "musepack", samples - silence, rate, channels, None)
        if size < 3 or head[:2] in (b"SE", b"AP"):
            break
        offset += size
    raise MediaFormatError("no Musepack stream header")


def _variable(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte and where it ends."""
    number = 0
    while at < len(data):
        byte, at = data[at], at + 1
        number = number << 7 | byte & 127
        if byte < 128:
            break
    return number, at


def read_tta(window: Window, tags: Collected) -> Technical:
    """Read True Audio."""
    start = read_id3(window, 0, tags)
    read_trailing_tags(window, tags)
    head = _head(window, start, 22, b"TTA1")
    channels, bits = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    rate, samples = int.from_bytes(head[10:14], "little"), int.from_bytes(head[14:18], "little")
    return _facts(window, "tta", samples, rate, channels, bits)


def read_dsf(window: Window, tags: Collected) -> Technical:
    """Read DSF: its header says where the ID3 tag is."""
    head = _head(window, 0, 80, b"DSD ")
    if head[28:32] != b"fmt ":
        raise MediaFormatError("no DSF format chunk")
    place = int.from_bytes(head[20:28], "little")
    if place:
        read_id3(window, place, tags)
    channels, rate, bits = (int.from_bytes(head[n : n + 4], "little") for n in (52, 56, 60))
    samples = int.from_bytes(head[64:72], "little")
    return _facts(window, "dsd", samples, rate, channels, bits)


def read_dff(window: Window, tags: Collected) -> Technical:
    """Read DFF: chunks with sizes of eight bytes, an ID3 chunk by custom."""
    _head(window, 0, 16, b"FRM8")
    rate = channels = samples = 0
    codec = "dsd"
    for name, offset, length in _wide_chunks(window, 16, window.size):
        if name == b"PROP":
            for inner, place, _ in _wide_chunks(window, offset + 4, offset + length):
                if inner == b"FS  ":
                    rate = int.from_bytes(window.read_at(place, 4))
                elif inner == b"CHNL":
                    channels = int.from_bytes(window.read_at(place, 2))
                elif inner == b"CMPR" and window.read_at(place, 4) == b"DST ":
                    codec = "dst"
        elif name == b"DSD " and channels:
            samples = length * 8 // channels
        elif name == b"DST ":
            frames = window.read_at(offset + 12, 6)
            per_second = int.from_bytes(frames[4:6])
            samples = int.from_bytes(frames[:4]) * rate // per_second if per_second else 0
        elif name == b"ID3 ":
            read_id3(window, offset, tags)
    return _facts(window, codec, samples, rate, channels, 1)


def _wide_chunks(window: Window, start: int, end: int) -> list[tuple[bytes, int, int]]:
    chunks: list[tuple[bytes, int, int]] = []
    offset = start
    while offset + 12 <= end and len(chunks) < MAX_ITEMS_WALKED:
        head = window.read_at(offset, 12)
        if len(head) < 12:
            break
        length = int.from_bytes(head[4:])
        chunks.append((head[:4], offset + 12, min(length, end - offset - 12)))
        offset += 12 + length + (length & 1)
    return chunks
