"""ASF (WMA): the header objects that hold text, and the facts of the audio stream.

Pictures are stepped over, but for the head that says what they are and where they begin.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from musefs.index.counters import Counter
from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Picture, Span, Technical
from musefs.index.media.id3 import split_text
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.limits import MAX_ITEMS_WALKED, MAX_PICTURES, MAX_VALUE_BYTES
from musefs.pipeline.tag.mp4 import VideoError
from musefs.pipeline.tag.naming import asf_key
from musefs.pipeline.tag.text import from_utf16
from musefs.pipeline.tag.window import Window

HEADER: Final = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_FILE: Final = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_STREAM: Final = bytes.fromhex("9107dcb7b7a9cf118ee600c00c205365")
_CONTENT: Final = bytes.fromhex("3326b2758e66cf11a6d900aa0062ce6c")
_EXTENDED: Final = bytes.fromhex("40a4d0d207e3d21197f000a0c95ea850")
_EXTENSION: Final = bytes.fromhex("b503bf5f2ea9cf118ee300c00c205365")
_METADATA: Final = bytes.fromhex("eacbf8c5af5b77488467aa8c44fa4cca")
_LIBRARY: Final = bytes.fromhex("941c23449894d149a1411d134e457054")
_AUDIO: Final = bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b")
_VIDEO: Final = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")

_CONTENT_NAMES: Final = ("Title", "Author", "Copyright", "Description", "Rating")
_UNITS_PER_SECOND: Final = 10_000_000
_MILLISECONDS: Final = 1000
_CODECS: Final = {
    0x161: "wmav2",
    0x160: "wmav1",
    0x162: "wmapro",
    0x163: "wmalossless",
    0x55: "mp3",
}
_PICTURE: Final = "WM/Picture"
_UTF16: Final = 1
_LONGEST_PICTURE_HEAD: Final = 4096
"""Media type and description; a longer description is no description."""

_LAST_PICTURE_TYPE: Final = 20
_TEXT, _BYTES, _BOOLEAN, _DWORD, _QWORD, _WORD = range(6)


class _Item(NamedTuple):
    """One attribute: its name and where its value lies."""

    name: bytes
    kind: int
    offset: int
    length: int


def _objects(window: Window, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    offset = start
    for _ in range(MAX_ITEMS_WALKED):
        head = window.read_at(offset, 24) if offset + 24 <= end else b""
        if len(head) < 24:
            return
        size = int.from_bytes(head[16:24], "little")
        if size < 24 or offset + size > end:
            return
        yield head[:16], offset + 24, offset + size
        offset += size


def read_asf(window: Window, tags: Collected) -> Technical:
    """Add what the header says and return the facts of the first audio stream."""
    size = int.from_bytes(window.read_at(16, 8), "little")
    objects = list(_objects(window, 30, min(size, window.size)))
    for kind, start, end in tuple(objects):
        if kind == _EXTENSION:
            objects.extend(_objects(window, start + 22, end))
    duration: float | None = None
    technical: Technical | None = None
    for kind, start, end in objects:
        if kind == _CONTENT:
            _read_content(window, start, end, tags)
        elif kind == _EXTENDED:
            _read_items(window, _extended_items(window, start, end), tags)
        elif kind in (_METADATA, _LIBRARY):
            _read_items(window, _library_items(window, start, end), tags)
        elif kind == _FILE:
            duration = _duration(window.read_at(start, 64))
        elif kind == _STREAM:
            technical = _stream(window.read_at(start, 72), technical)
    if technical is None:
        raise MediaFormatError("no audio stream")
    return Technical(
        technical.codec, duration, technical.bitrate, technical.sample_rate,
        technical.bits_per_sample, technical.channels,
    )  # fmt: skip


def _duration(data: bytes) -> float | None:
    play = int.from_bytes(data[40:48], "little") / _UNITS_PER_SECOND
    preroll = int.from_bytes(data[56:64], "little") / _MILLISECONDS
    return max(0.0, play - preroll) or None


def _stream(data: bytes, known: Technical | None) -> Technical | None:
    if data[:16] == _VIDEO:
        raise VideoError("it has moving pictures")
    if known is not None or data[:16] != _AUDIO or len(data) < 70:
        return known
    code = int.from_bytes(data[54:56], "little")
    codec = _CODECS.get(code, f"wave_{code:04x}")
    return Technical(
        codec=codec,
        bitrate=int.from_bytes(data[62:66], "little") * 8 or None,
        sample_rate=int.from_bytes(data[58:62], "little") or None,
        bits_per_sample=int.from_bytes(data[68:70], "little") if code == 0x163 else None,
        channels=int.from_bytes(data[56:58], "little") or None,
    )


def _read_content(window: Window, start: int, end: int, tags: Collected) -> None:
    sizes = window.read_at(start, 10)
    offset = start + 10
    for number, name in enumerate(_CONTENT_NAMES):
        length = int.from_bytes(sizes[number * 2 : number * 2 + 2], "little")
        if length and offset + length <= end:
            _add(name, from_utf16(_whole(window.read_at(offset, length)), tags), tags)
        offset += length


def _extended_items(window: Window, start: int, end: int) -> Iterator[_Item]:
    count, offset = int.from_bytes(window.read_at(start, 2), "little"), start + 2
    for _ in range(count):
        name_size = int.from_bytes(window.read_at(offset, 2), "little")
        name = window.read_at(offset + 2, name_size)
        offset += 2 + name_size
        head = window.read_at(offset, 4)
        length = int.from_bytes(head[2:], "little")
        if len(head) < 4 or offset + 4 + length > end:
            return
        yield _Item(name, int.from_bytes(head[:2], "little"), offset + 4, length)
        offset += 4 + length


def _library_items(window: Window, start: int, end: int) -> Iterator[_Item]:
    count, offset = int.from_bytes(window.read_at(start, 2), "little"), start + 2
    for _ in range(count):
        head = window.read_at(offset, 12)
        name_size = int.from_bytes(head[4:6], "little")
        length = int.from_bytes(head[8:12], "little")
        offset += 12
        if len(head) < 12 or offset + name_size + length > end:
            return
        name = window.read_at(offset, name_size)
        yield _Item(name, int.from_bytes(head[6:8], "little"), offset + name_size, length)
        offset += name_size + length


def _whole(data: bytes) -> bytes:
    """Cut an odd byte and the NUL at the end."""
    data = data[: len(data) & ~1]
    return data[:-2] if data.endswith(b"\0\0") else data


def _read_items(window: Window, items: Iterator[_Item], tags: Collected) -> None:
    for item in items:
        name = from_utf16(_whole(item.name), tags)
        if item.kind == _BYTES:
            if name == _PICTURE:
                _add_picture(window, item, tags)
            continue  # other things that are no text
        if item.length > MAX_VALUE_BYTES:
            tags.drop(f"{name[:40]}: value of {item.length} bytes")
            continue
        data = window.read_at(item.offset, item.length)
        if item.kind == _TEXT:
            _add(name, from_utf16(_whole(data), tags), tags)
        elif item.kind == _BOOLEAN:
            _add(name, "1" if any(data) else "0", tags)
        elif item.kind in (_DWORD, _QWORD, _WORD):
            _add(name, str(int.from_bytes(data, "little")), tags)


def _add_picture(window: Window, item: _Item, tags: Collected) -> None:
    """Add a picture by reference: type, length, media type and description stand before it."""
    head = window.read_at(item.offset, min(item.length, _LONGEST_PICTURE_HEAD))
    length = int.from_bytes(head[1:5], "little")
    mime = split_text(_UTF16, head, 5)
    described = split_text(_UTF16, head, mime[1]) if mime else None
    begin = described[1] if described else 0
    if mime is None or described is None or not 0 < length <= item.length - begin:
        tags.note(Counter.PICTURES_DROPPED, "WM/Picture is malformed or cut off")
    elif len(tags.pictures) < MAX_PICTURES:
        span = Span(item.offset + begin, length)
        kind = head[0] if head[0] <= _LAST_PICTURE_TYPE else 0
        tags.pictures.append(Picture(length, (span,), kind, mime[0], described[0]))


def _add(name: str, value: str, tags: Collected) -> None:
    key = asf_key(name.rstrip("\0"))
    if key:
        tags.add(key, value.rstrip("\0"))
