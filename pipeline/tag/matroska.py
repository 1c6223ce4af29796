"""Matroska and WebM: tags, segment title, the audio track, and attached pictures by reference.

mutagen does not read this format, so what a tag means is decided here: target levels tell an
album's tags (50) from a track's (30), and a file with a picture track is a film.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import unpack
from typing import Final

from musefs.index.counters import Counter
from musefs.index.edit.vocabulary import normalise
from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Picture, Span, Technical
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.limits import (
    MAX_ITEMS_WALKED,
    MAX_NESTING,
    MAX_PICTURES,
    MAX_VALUE_BYTES,
)
from musefs.pipeline.tag.mp4 import VideoError
from musefs.pipeline.tag.text import from_utf8
from musefs.pipeline.tag.window import Window

_SEGMENT: Final = 0x18538067
_SEEK_HEAD: Final = 0x114D9B74
_SEEK: Final = 0x4DBB
_SEEK_ID: Final = 0x53AB
_SEEK_PLACE: Final = 0x53AC
_INFO: Final = 0x1549A966
_TRACKS: Final = 0x1654AE6B
_TAGS: Final = 0x1254C367
_CLUSTER: Final = 0x1F43B675
_SCALE: Final = 0x2AD7B1
_DURATION: Final = 0x4489
_TITLE: Final = 0x7BA9
_TRACK: Final = 0xAE
_TRACK_TYPE: Final = 0x83
_CODEC: Final = 0x86
_AUDIO: Final = 0xE1
_RATE: Final = 0xB5
_CHANNELS: Final = 0x9F
_BITS: Final = 0x6264
_TAG: Final = 0x7373
_TARGETS: Final = 0x63C0
_LEVEL: Final = 0x68CA
_SIMPLE: Final = 0x67C8
_ATTACHMENTS: Final = 0x1941A469
_FILE: Final = 0x61A7
_FILE_DESCRIPTION: Final = 0x467E
_FILE_NAME: Final = 0x466E
_FILE_TYPE: Final = 0x4660
_FILE_DATA: Final = 0x465C
_NAME: Final = 0x45A3
_TEXT: Final = 0x4487

_ALBUM_LEVEL: Final = 50
_ALBUM_NAMES: Final = {
    "TITLE": "album", "ARTIST": "albumartist", "TOTAL_PARTS": "totaltracks",
    "DATE_RELEASED": "date", "PART_NUMBER": "discnumber",
}  # fmt: skip
_TRACK_NAMES: Final = {
    "PART_NUMBER": "tracknumber", "DATE_RELEASED": "date", "DATE_RECORDED": "date",
    "TOTAL_PARTS": "totaltracks", "CATALOG_NUMBER": "catalognumber", "LABEL_CODE": "labelcode",
}  # fmt: skip
_LOSSLESS: Final = frozenset({"flac", "alac", "pcm", "pcm_float", "tta1", "wavpack"})
_WANTED: Final = (_INFO, _TRACKS, _TAGS, _ATTACHMENTS)
_COVER_NAMES: Final = ("cover", "small_cover")
"""How the file of a front cover is named, as the format's specification says."""

_LONGEST_NAME: Final = 1024
_FRONT: Final = 3
_OTHER: Final = 0


@dataclass(slots=True)
class _Found:
    scale: int = 1_000_000
    duration: float | None = None
    title: str = ""
    codec: str | None = None
    rate: int | None = None
    bits: int | None = None
    channels: int | None = None
    audio: bool = False
    done: set[int] = field(default_factory=set[int])


def _elements(window: Window, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    offset = start
    for _ in range(MAX_ITEMS_WALKED):
        head = window.read_at(offset, min(12, end - offset))
        if len(head) < 2 or not head[0]:
            return
        id_bytes = 9 - head[0].bit_length()
        if id_bytes > 4 or id_bytes >= len(head):
            return
        first = head[id_bytes]
        size_bytes = 9 - first.bit_length()
        if not first or id_bytes + size_bytes > len(head):
            return
        size = int.from_bytes(head[id_bytes : id_bytes + size_bytes])
        size -= 1 << 7 * size_bytes
        place = offset + id_bytes + size_bytes
        if size == (1 << 7 * size_bytes) - 1:
            size = end - place  # not known: to the end
        if place + size > end:
            size = end - place
        yield int.from_bytes(head[:id_bytes]), place, place + size
        offset = place + size


def read_matroska(window: Window, tags: Collected) -> Technical:
    """Add what the tags say and return the facts of the first audio track."""
    segment = next((e for e in _elements(window, 0, window.size) if e[0] == _SEGMENT), None)
    if segment is None:
        raise MediaFormatError("no Matroska segment")
    found = _Found()
    _, start, end = segment
    later: dict[int, int] = {}
    for kind, place, stop in _elements(window, start, end):
        if kind == _CLUSTER:
            break
        if kind == _SEEK_HEAD:
            later.update(_seek(window, start, place, stop))
        elif kind in _WANTED:
            _read_part(window, kind, place, stop, found, tags)
    for kind, place in later.items():
        if kind not in found.done and kind in _WANTED:
            element = next(_elements(window, place, end), None)
            if element is not None and element[0] == kind:
                _read_part(window, kind, element[1], element[2], found, tags)
    if found.title and not any(key == "title" for key, _ in tags.pairs):
        tags.add("title", found.title)
    return _facts(window, found)


def _seek(window: Window, segment: int, start: int, end: int) -> dict[int, int]:
    places: dict[int, int] = {}
    for kind, place, stop in _elements(window, start, end):
        if kind != _SEEK:
            continue
        values = {
            inner: _number(window, at, to) for inner, at, to in _elements(window, place, stop)
        }
        if _SEEK_ID in values and _SEEK_PLACE in values:
            places.setdefault(values[_SEEK_ID], segment + values[_SEEK_PLACE])
    return places


def _read_part(
    window: Window, kind: int, start: int, end: int, found: _Found, tags: Collected
) -> None:
    found.done.add(kind)
    if kind == _INFO:
        _read_info(window, start, end, found, tags)
    elif kind == _TRACKS:
        for inner, place, stop in _elements(window, start, end):
            if inner == _TRACK:
                _read_track(window, place, stop, found)
    elif kind == _ATTACHMENTS:
        for inner, place, stop in _elements(window, start, end):
            if inner == _FILE:
                _read_attachment(window, place, stop, tags)
    else:
        for inner, place, stop in _elements(window, start, end):
            if inner == _TAG:
                _read_tag(window, place, stop, tags)


def _read_attachment(window: Window, start: int, end: int, tags: Collected) -> None:
    """Add an attached picture by reference; other attachments are no art."""
    parts = {kind: (place, stop) for kind, place, stop in _elements(window, start, end)}
    mime = _short_text(window, parts.get(_FILE_TYPE))
    if not mime.startswith("image/") or len(tags.pictures) >= MAX_PICTURES:
        return
    place, stop = parts.get(_FILE_DATA, (0, 0))
    if stop <= place:
        tags.note(Counter.PICTURES_DROPPED, "an attached picture is empty")
        return
    name = _short_text(window, parts.get(_FILE_NAME)).lower()
    kind = _FRONT if name.startswith(_COVER_NAMES) else _OTHER
    description = _short_text(window, parts.get(_FILE_DESCRIPTION))
    span = Span(place, stop - place)
    tags.pictures.append(Picture(span.length, (span,), kind, mime, description))


def _short_text(window: Window, place: tuple[int, int] | None) -> str:
    if place is None or place[1] - place[0] > _LONGEST_NAME:
        return ""
    data = window.read_at(place[0], place[1] - place[0])
    return data.rstrip(b"\0").decode("utf-8", "replace")


def _read_info(window: Window, start: int, end: int, found: _Found, tags: Collected) -> None:
    for kind, place, stop in _elements(window, start, end):
        if kind == _SCALE:
            found.scale = _number(window, place, stop) or found.scale
        elif kind == _DURATION:
            found.duration = _float(window, place, stop)
        elif kind == _TITLE and stop - place <= MAX_VALUE_BYTES:
            found.title = from_utf8(window.read_at(place, stop - place).rstrip(b"\0"), tags)


def _read_track(window: Window, start: int, end: int, found: _Found) -> None:
    parts = {kind: (place, stop) for kind, place, stop in _elements(window, start, end)}
    kind = _number(window, *parts[_TRACK_TYPE]) if _TRACK_TYPE in parts else 0
    if kind == 1:
        raise VideoError("it has moving pictures")
    if kind != 2 or found.audio:
        return
    found.audio = True
    if _CODEC in parts:
        place, stop = parts[_CODEC]
        found.codec = _codec(window.read_at(place, min(stop - place, 64)).decode("latin-1"))
    if _AUDIO in parts:
        for inner, place, stop in _elements(window, *parts[_AUDIO]):
            if inner == _RATE:
                found.rate = int(_float(window, place, stop) or 0) or None
            elif inner == _CHANNELS:
                found.channels = _number(window, place, stop)
            elif inner == _BITS:
                found.bits = _number(window, place, stop)


def _codec(name: str) -> str:
    """Return our word for A_OPUS, A_MPEG/L3, A_PCM/INT/LIT and their kind."""
    plain = name.rstrip("\0").removeprefix("A_").lower()
    known = {
        "mpeg/l3": "mp3",
        "mpeg/l2": "mp2",
        "pcm/float/ieee": "pcm_float",
        "wavpack4": "wavpack",
    }
    return known.get(plain, plain.split("/", 1)[0])


def _read_tag(window: Window, start: int, end: int, tags: Collected) -> None:
    level = 0  # no level told: ffmpeg and most taggers mean the file itself
    simple: list[tuple[int, int]] = []
    for kind, place, stop in _elements(window, start, end):
        if kind == _TARGETS:
            for inner, at, to in _elements(window, place, stop):
                level = _number(window, at, to) if inner == _LEVEL else level
        elif kind == _SIMPLE:
            simple.append((place, stop))
    for place, stop in simple:
        _read_simple(window, place, stop, level, tags, 0)


def _read_simple(
    window: Window, start: int, end: int, level: int, tags: Collected, depth: int
) -> None:
    name, text = "", ""
    for kind, place, stop in _elements(window, start, end):
        if kind == _NAME and stop - place <= 256:
            name = from_utf8(window.read_at(place, stop - place).rstrip(b"\0"), tags)
        elif kind == _TEXT:
            if stop - place > MAX_VALUE_BYTES:
                tags.drop(f"{name[:40]}: value of {stop - place} bytes")
                return
            text = from_utf8(window.read_at(place, stop - place).rstrip(b"\0"), tags)
        elif kind == _SIMPLE and depth < MAX_NESTING:
            _read_simple(window, place, stop, level, tags, depth + 1)
    if name and name != "DURATION":
        names = _ALBUM_NAMES if level == _ALBUM_LEVEL else _TRACK_NAMES
        upper = name.upper()
        tags.add(names.get(upper) or _TRACK_NAMES.get(upper) or normalise(name), text)


def _number(window: Window, start: int, end: int) -> int:
    return int.from_bytes(window.read_at(start, min(end - start, 8)))


def _float(window: Window, start: int, end: int) -> float | None:
    data = window.read_at(start, min(end - start, 8))
    if len(data) not in (4, 8):
        return None
    (value,) = unpack(">f" if len(data) == 4 else ">d", data)
    return float(value) if 0 <= value < 1e15 else None


def _facts(window: Window, found: _Found) -> Technical:
    if not found.audio:
        raise MediaFormatError("no audio track")
    duration = found.duration * found.scale / 1e9 if found.duration else None
    bitrate = int(window.size * 8 / duration) if duration else None
    bits = found.bits if found.codec in _LOSSLESS else None
    return Technical(found.codec, duration, bitrate, found.rate, bits, found.channels or 1)
