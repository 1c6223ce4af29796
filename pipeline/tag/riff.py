"""WAV, RF64 and AIFF: ID3 and INFO chunks, and what the format chunk says.

Chunks are stepped over by their sizes; a data chunk of unknown length (streamed recordings) takes
all that follows.
"""

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final, NamedTuple

from musefs.index.errors import MediaFormatError
from musefs.index.media import aiff as aiff_walker
from musefs.index.media import riff as wave_walker
from musefs.index.media.facts import Anatomy, Technical
from musefs.index.media.id3 import Id3Parts
from musefs.index.media.reading import ReadAt
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.id3_text import add_frames, read_id3
from musefs.pipeline.tag.limits import MAX_ITEMS_WALKED, MAX_VALUE_BYTES
from musefs.pipeline.tag.naming import riff_key
from musefs.pipeline.tag.text import from_latin1
from musefs.pipeline.tag.window import Window

_UNKNOWN_SIZE: Final = 0xFFFFFFFF
_FORMAT: Final = Struct("<HHIIHH")
_EXTENSIBLE: Final = 0xFFFE
_WAVE_CODECS: Final = {
    1: "pcm", 2: "adpcm", 3: "pcm_float", 6: "alaw", 7: "mulaw", 0x11: "adpcm", 0x50: "mp2",
    0x55: "mp3", 0xFF: "aac", 0x161: "wma",
}  # fmt: skip
_AIFF_TEXTS: Final = {b"NAME": "title", b"AUTH": "artist", b"(c) ": "copyright", b"ANNO": "comment"}
_AIFC_CODECS: Final = {
    b"NONE": "pcm", b"sowt": "pcm", b"twos": "pcm", b"fl32": "pcm_float", b"FL32": "pcm_float",
    b"fl64": "pcm_float", b"FL64": "pcm_float", b"alaw": "alaw", b"ALAW": "alaw",
    b"ulaw": "mulaw", b"ULAW": "mulaw", b"ima4": "adpcm",
}  # fmt: skip


Walk = Callable[[ReadAt, int, Id3Parts], Anatomy]


class Chunk(NamedTuple):
    """One chunk: its id and where its payload lies."""

    id: bytes
    offset: int
    length: int


def _chunks(window: Window, start: int, end: int, *, big: bool, wide: int = 0) -> Iterator[Chunk]:
    """Yield chunks; `wide` is the length of an RF64 data chunk, which its own header cannot say."""
    order: Final = "big" if big else "little"
    offset = start
    for _ in range(MAX_ITEMS_WALKED):
        head = window.read_at(offset, 8) if offset + 8 <= end else b""
        if len(head) < 8:
            return
        length = int.from_bytes(head[4:], order)
        if length == _UNKNOWN_SIZE and head[:4] == b"data":
            length = wide or end - offset - 8
        yield Chunk(head[:4], offset + 8, min(length, end - offset - 8))
        offset += 8 + length + (length & 1)


def read_wav(window: Window, tags: Collected) -> Technical:
    """Add what ID3 says, then INFO; return the facts of the format and data chunks."""
    wide = 0
    found: dict[bytes, Chunk] = {}
    infos: list[Chunk] = []
    for chunk in _chunks(window, 12, min(36, window.size), big=False):
        if chunk.id == b"ds64":
            wide = int.from_bytes(window.read_at(chunk.offset + 8, 8), "little")
        break
    for chunk in _chunks(window, 12, window.size, big=False, wide=wide):
        if chunk.id == b"LIST" and window.read_at(chunk.offset, 4) == b"INFO":
            infos.append(chunk)
        else:
            found.setdefault(chunk.id, chunk)
    walk = wave_walker.read_anatomy
    _read_id3_chunk(window, walk, found.get(b"id3 ") or found.get(b"ID3 "), tags)
    for info in infos:
        _read_info(window, info, tags)
    return _wave_facts(window, found)


def _read_id3_chunk(window: Window, walk: Walk, chunk: Chunk | None, tags: Collected) -> None:
    """Add what ID3 says, as the walker met it, which is asked once and remembered."""
    parts = Id3Parts()
    try:
        tags.anatomy = walk(window.read_at, window.size, parts)
    except MediaFormatError:
        if chunk is not None:  # the walker will say what is wrong; the tags may be well
            read_id3(window, chunk.offset, tags)
    else:
        add_frames(window, parts, tags)
    tags.seal()


def _read_info(window: Window, info: Chunk, tags: Collected) -> None:
    for item in _chunks(window, info.offset + 4, info.offset + info.length, big=False):
        key = riff_key(item.id)
        if key is None:
            continue
        if item.length > MAX_VALUE_BYTES:
            tags.drop(f"{key}: value of {item.length} bytes")
            continue
        data = window.read_at(item.offset, item.length).rstrip(b"\0")
        tags.add(key, from_latin1(data, tags).rstrip())


def _wave_facts(window: Window, found: dict[bytes, Chunk]) -> Technical:
    format_, data = found.get(b"fmt "), found.get(b"data")
    if format_ is None or format_.length < _FORMAT.size:
        raise MediaFormatError("no format chunk")
    head = window.read_at(format_.offset, min(format_.length, 40))
    code, channels, rate, byte_rate, _, bits = _FORMAT.unpack_from(head)
    if code == _EXTENSIBLE and len(head) >= 26:
        code = int.from_bytes(head[24:26], "little")
    length = data.length if data else 0
    codec = _WAVE_CODECS.get(code, f"wave_{code:04x}")
    return Technical(
        codec=codec,
        duration_seconds=length / byte_rate if byte_rate else None,
        bitrate=byte_rate * 8 or None,
        sample_rate=rate or None,
        bits_per_sample=bits or None,
        channels=channels or None,
    )


def read_aiff(window: Window, tags: Collected) -> Technical:
    """Add what ID3 says, then the text chunks; return the facts of the common chunk."""
    found: dict[bytes, Chunk] = {}
    texts: list[Chunk] = []
    for chunk in _chunks(window, 12, window.size, big=True):
        if chunk.id in _AIFF_TEXTS:
            texts.append(chunk)
        else:
            found.setdefault(chunk.id, chunk)
    walk = aiff_walker.read_anatomy
    _read_id3_chunk(window, walk, found.get(b"ID3 ") or found.get(b"id3 "), tags)
    for text in texts:
        key = _AIFF_TEXTS[text.id]
        if text.length > MAX_VALUE_BYTES:
            tags.drop(f"{key}: value of {text.length} bytes")
        else:
            data = window.read_at(text.offset, text.length).rstrip(b"\0")
            tags.add(key, from_latin1(data, tags).rstrip())
    return _aiff_facts(window, found.get(b"COMM"))


def _aiff_facts(window: Window, common: Chunk | None) -> Technical:
    if common is None or common.length < 18:
        raise MediaFormatError("no common chunk")
    data = window.read_at(common.offset, min(common.length, 22))
    channels = int.from_bytes(data[:2])
    frames = int.from_bytes(data[2:6])
    bits = int.from_bytes(data[6:8])
    rate = _extended(data[8:18])
    codec = _AIFC_CODECS.get(data[18:22], data[18:22].decode("latin-1").strip().lower() or "pcm")
    return Technical(
        codec=codec,
        duration_seconds=frames / rate if rate else None,
        bitrate=rate * bits * channels or None,
        sample_rate=rate or None,
        bits_per_sample=bits or None,
        channels=channels or None,
    )


def _extended(data: bytes) -> int:
    """Return the whole part of an 80-bit float, as far as sample rates go."""
    exponent = (int.from_bytes(data[:2]) & 0x7FFF) - 16383
    mantissa = int.from_bytes(data[2:10])
    return mantissa >> 63 - exponent if 0 <= exponent <= 31 else 0
