"""MP4 audio: what ilst says, and the facts of the first sound track. Covers are stepped over."""

from typing import Final

from musefs.index.errors import MediaFormatError
from musefs.index.media import mp4 as walker
from musefs.index.media.facts import Technical
from musefs.index.media.mp4 import Mp4Parts
from musefs.index.media.mp4_atoms import Atom, AtomReader
from musefs.index.media.mp4_tags import Item, is_text
from musefs.index.media.mp4_tags import read_items as walk_items
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.id3_text import genre_name
from musefs.pipeline.tag.limits import MAX_ITEMS_WALKED, MAX_VALUE_BYTES
from musefs.pipeline.tag.naming import mp4_freeform_key, mp4_key
from musefs.pipeline.tag.text import from_utf8, from_utf16
from musefs.pipeline.tag.window import Window

_UTF16: Final = 2
_INTEGER: Final = 21
_INTEGER_TYPES: Final = (0, _INTEGER)
_PAIRS: Final = (b"trkn", b"disk")
_FLAGS: Final = (b"cpil", b"pgap", b"pcst")
_NUMBERS: Final = (b"tmpo", b"tvsn", b"tves", b"stik", b"hdvd", b"rtng", b"shwm", b"\xa9mvi", b"\xa9mvc")  # fmt: skip  # noqa: E501
_LONGEST_ATOM: Final = 4 * MAX_VALUE_BYTES

_CODECS: Final = {
    b"mp4a": "aac", b"alac": "alac", b"ac-3": "ac3", b"ec-3": "eac3", b"Opus": "opus",
    b"fLaC": "flac", b".mp3": "mp3", b"dtsc": "dts", b"samr": "amr", b"drms": "aac",
}  # fmt: skip
_OBJECT_TYPES: Final = {0x69: "mp3", 0x6B: "mp3", 0xA9: "dts", 0xAD: "opus", 0xDD: "vorbis"}


class VideoError(MediaFormatError):
    """The file has moving pictures: it is a film, not a track."""


def read_mp4(window: Window, tags: Collected) -> Technical:
    """Add what the iTunes list says and return the facts of the first sound track."""
    parts = Mp4Parts()
    try:
        tags.anatomy = walker.read_anatomy(window.read_at, window.size, parts)
    except MediaFormatError as error:
        tags.refusal = error.message
        parts = _parts(AtomReader(window.read_at), window.size)
    read_items(window, parts.items, tags)
    return _sound_facts(parts.reader or AtomReader(window.read_at), parts.tracks, window.size)


def _parts(reader: AtomReader, size: int) -> Mp4Parts:
    """Find tracks and tags of a file that the walker refuses, such as a fragmented one."""
    moov = next((atom for atom in reader.atoms(0, size) if atom.name == b"moov"), None)
    if moov is None:
        raise MediaFormatError("no moov atom")
    tracks = [atom for atom in reader.children(moov) if atom.name == b"trak"]
    items = reader.child(moov, b"udta", b"meta", b"ilst")
    found = walk_items(reader, items) if items else ()
    parts = Mp4Parts()
    parts.items, parts.tracks, parts.reader = list(found), tracks, reader
    return parts


def _sound_facts(reader: AtomReader, tracks: list[Atom], size: int) -> Technical:
    sound: Atom | None = None
    for track in tracks:
        media = reader.child(track, b"mdia")
        handler = reader.child(media, b"hdlr")
        kind = reader.read_at(handler.payload + 8, 4) if handler else b""
        if kind == b"vide" and not _is_still(reader, media):
            raise VideoError("it has moving pictures")
        if kind == b"soun" and sound is None:
            sound = media
    if sound is None:
        raise MediaFormatError("no sound track")
    return _track_facts(reader, sound, size)


def _is_still(reader: AtomReader, media: Atom | None) -> bool:
    """Say whether a picture track is the chapter images of an audio book."""
    entry = reader.child(media, b"minf", b"stbl", b"stsd")
    return entry is not None and reader.read_at(entry.payload + 12, 4) in (b"jpeg", b"png ")


def _track_facts(reader: AtomReader, media: Atom, size: int) -> Technical:
    header = reader.child(media, b"mdhd")
    table = reader.child(media, b"minf", b"stbl", b"stsd")
    if header is None or table is None:
        raise MediaFormatError("the sound track has no description")
    duration = _duration(reader.read_at(header.payload, 32))
    entry = next(reader.atoms(table.payload + 8, table.end), None)
    if entry is None:
        return Technical(duration_seconds=duration)
    return _entry_facts(reader, entry, duration, size)


def _duration(data: bytes) -> float | None:
    if len(data) < 32:
        data = data.ljust(32, b"\0")
    if data[0] == 1:
        scale, length = int.from_bytes(data[20:24]), int.from_bytes(data[24:32])
        unknown = 2**64 - 1
    else:
        scale, length = int.from_bytes(data[12:16]), int.from_bytes(data[16:20])
        unknown = 2**32 - 1
    return length / scale if scale and length and length != unknown else None


def _entry_facts(reader: AtomReader, entry: Atom, duration: float | None, size: int) -> Technical:
    data = reader.read_at(entry.payload, 28)
    if len(data) < 28:
        raise MediaFormatError("the sound description is truncated")
    channels, bits = int.from_bytes(data[16:18]), int.from_bytes(data[18:20])
    rate = int.from_bytes(data[24:26])
    codec, bitrate = _CODECS.get(entry.name, entry.name.decode("latin-1").strip().lower()), None
    more = entry.payload + 28
    version = int.from_bytes(data[8:10])
    more += {1: 16, 2: 36}.get(version, 0)
    for atom in reader.atoms(more, entry.end):
        if atom.name == b"esds":
            codec, bitrate, rate, channels = _esds(
                reader.read_at(atom.payload, min(atom.end - atom.payload, 128)),
                codec,
                rate,
                channels,
            )
        elif atom.name == b"alac" and atom.end - atom.payload >= 28:
            told = reader.read_at(atom.payload + 4, 24)
            bits, channels = told[5], told[9]
            bitrate, rate = int.from_bytes(told[16:20]) or None, int.from_bytes(told[20:24])
    if not bitrate and duration:
        bitrate = _bitrate_by_size(reader, size, duration)
    lossless = codec in ("alac", "flac") or codec.startswith("pcm")
    return Technical(codec, duration, bitrate, rate or None, bits if lossless else None, channels)


def _bitrate_by_size(reader: AtomReader, size: int, duration: float) -> int | None:
    sound = sum(a.end - a.payload for a in reader.atoms(0, size) if a.name == b"mdat")
    return int(sound * 8 / duration) or None


_AAC_RATES: Final = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
)  # fmt: skip


def _esds(data: bytes, codec: str, rate: int, channels: int) -> tuple[str, int | None, int, int]:
    """Return codec, average bit rate, sample rate and channels of an elementary stream."""
    at, bitrate = 4, None
    while at < len(data):
        tag, at = data[at], at + 1
        size = 0
        while at < len(data):
            byte, at = data[at], at + 1
            size = size << 7 | byte & 127
            if byte < 128:
                break
        if tag == 3:
            at += 3
        elif tag == 4:
            codec = _OBJECT_TYPES.get(data[at] if at < len(data) else 0, codec)
            bitrate = int.from_bytes(data[at + 9 : at + 13]) or None
            at += 13
        elif tag == 5:
            rate, channels = _audio_specific(data[at : at + size], rate, channels)
            break
        else:
            at += size
    return codec, bitrate, rate, channels


def _audio_specific(data: bytes, rate: int, channels: int) -> tuple[int, int]:
    if len(data) < 2 or data[0] >> 3 == 31:
        return rate, channels
    index = (data[0] & 7) << 1 | data[1] >> 7
    layout = data[1] >> 3 & 15
    if index < len(_AAC_RATES) and not rate:
        rate = _AAC_RATES[index]
    if 1 <= layout <= 7:
        channels = 8 if layout == 7 else layout
    return rate, channels


def read_items(window: Window, items: list[Item], tags: Collected) -> None:
    """Add what the items of an ilst say."""
    for name, label, text, payload, end in items[:MAX_ITEMS_WALKED]:
        if text is not None:
            key = mp4_freeform_key(label) if name == b"----" else _key(name)
            tags.add(key, from_utf8(text, tags))
            continue
        if name == b"covr":
            continue
        if end - payload > _LONGEST_ATOM:
            tags.drop(f"{name.decode('latin-1')}: atom of {end - payload} bytes")
            continue
        data = window.read_at(payload, end - payload)
        if name == b"----":
            _read_freeform(data, tags)
        else:
            _read_item(name, data, tags)


def _values(data: bytes, start: int = 0) -> list[tuple[int, bytes]]:
    """Return type and content of each data atom."""
    found: list[tuple[int, bytes]] = []
    while start + 16 <= len(data):
        size = int.from_bytes(data[start : start + 4])
        if size < 16 or start + size > len(data):
            break
        if data[start + 4 : start + 8] == b"data":
            kind = int.from_bytes(data[start + 9 : start + 12])
            found.append((kind, data[start + 16 : start + size]))
        start += size
    return found


def _read_item(name: bytes, data: bytes, tags: Collected) -> None:
    key = mp4_key(b"\xa9gen" if name == b"gnre" else name)
    for kind, content in _values(data):
        if kind == 1:
            tags.add(key or name.decode("latin-1"), from_utf8(content, tags))
            continue
        text: str | None = None
        if name in _PAIRS:
            text = _pair(content)
        elif name == b"gnre":
            text = genre_name(int.from_bytes(content) - 1) if len(content) == 2 else None
        elif name in _FLAGS:
            text = ("1" if content[0] else "0") if len(content) == 1 else None
        elif name in _NUMBERS or kind == _INTEGER:
            text = _number(content) if kind in _INTEGER_TYPES else None
        elif kind == 0 and (key is not None or name[:1] == b"\xa9"):
            text = from_utf8(content, tags)
        elif kind == _UTF16:
            text = from_utf16(content, tags, "utf-16-be")
        else:
            continue  # no text: the walker carries the atom over
        if text is None:
            tags.drop(f"{name.decode('latin-1')}: malformed value {content[:20]!r}")
        else:
            tags.add(key or name.decode("latin-1"), text)


def _key(name: bytes) -> str:
    return mp4_key(b"\xa9gen" if name == b"gnre" else name) or name.decode("latin-1")


def _pair(content: bytes) -> str | None:
    if len(content) < 6:
        return None
    number, total = int.from_bytes(content[2:4]), int.from_bytes(content[4:6])
    if total:
        return f"{number}/{total}"
    return str(number) if number else ""


def _number(content: bytes) -> str | None:
    if len(content) not in (1, 2, 3, 4, 8):
        return None
    return str(int.from_bytes(content, signed=True))


def _read_freeform(data: bytes, tags: Collected) -> None:
    mean_size = int.from_bytes(data[:4])
    name_size = int.from_bytes(data[mean_size : mean_size + 4])
    if data[4:8] != b"mean" or data[mean_size + 4 : mean_size + 8] != b"name":
        tags.drop("freeform atom without mean and name")
        return
    name = data[mean_size + 12 : mean_size + name_size]
    key = mp4_freeform_key(name)
    for kind, content in _values(data, mean_size + name_size):
        if kind == 1 or (kind == 0 and is_text(content)):
            tags.add(key, from_utf8(content, tags))
        elif kind == _UTF16:
            tags.add(key, from_utf16(content, tags, "utf-16-be"))
        elif kind == _INTEGER and (text := _number(content)) is not None:
            tags.add(key, text)
