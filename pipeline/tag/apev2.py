"""APEv2 tags, at the end of a file (before ID3v1 and Lyrics3v2, if there are any) or at its start.

Binary items, which are pictures, are stepped over.
"""

from struct import Struct
from typing import Final

from musefs.index.counters import Counter
from musefs.index.media.facts import Picture, Span
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.id3_text import read_id3v1
from musefs.pipeline.tag.limits import MAX_ITEMS_WALKED, MAX_VALUE_BYTES
from musefs.pipeline.tag.naming import ape_key
from musefs.pipeline.tag.text import from_utf8
from musefs.pipeline.tag.window import Window

_MARK: Final = b"APETAGEX"
_FOOTER: Final = Struct("<8sIIII8s")
_ITEM: Final = Struct("<II")
_IS_HEADER: Final = 1 << 29
_LONGEST_NAME: Final = 256
_ID3V1_BYTES: Final = 128
_LYRICS_FOOTER_BYTES: Final = 15
_TAIL_BYTES: Final = _FOOTER.size + _ID3V1_BYTES
_BINARY: Final = 1
_LONGEST_FILE_NAME: Final = 512
_IMAGE_STARTS: Final = ((b"\x89PNG", "image/png"), (b"GIF8", "image/gif"), (b"BM", "image/bmp"))
_FRONT, _BACK = 3, 4


def read_trailing_tags(window: Window, tags: Collected) -> None:
    """Fill in what APEv2 and then ID3v1 at the end of the file say and nothing before them did."""
    tail = window.read_at(max(0, window.size - _TAIL_BYTES), _TAIL_BYTES)
    id3v1 = tail[-_ID3V1_BYTES:] if tail[-_ID3V1_BYTES:-125] == b"TAG" else b""
    end = window.size - len(id3v1)
    foot = tail[: len(tail) - len(id3v1)]
    if foot[-_FOOTER.size :].startswith(_MARK) or foot.endswith(b"LYRICS200"):
        end = _before_lyrics(window, end)
        tags.seal()
        _read_ending_at(window, end, tags)
    if len(id3v1) == _ID3V1_BYTES:
        tags.seal()
        read_id3v1(id3v1, tags)


def read_ape_file_tags(window: Window, tags: Collected) -> None:
    """Read the tag of a format whose own tag APEv2 is; at the start it is older than ours."""
    read_trailing_tags(window, tags)
    head = window.read_at(0, _FOOTER.size)
    if not tags.pairs and head.startswith(_MARK):
        _, _, size, count, _, _ = _FOOTER.unpack(head)
        _read_items(window, _FOOTER.size, _FOOTER.size + size, count, tags)


def _before_lyrics(window: Window, end: int) -> int:
    footer = window.read_at(max(0, end - _LYRICS_FOOTER_BYTES), _LYRICS_FOOTER_BYTES)
    if footer.endswith(b"LYRICS200") and footer[:6].isdigit():
        return end - int(footer[:6]) - _LYRICS_FOOTER_BYTES
    return end


def _read_ending_at(window: Window, end: int, tags: Collected) -> None:
    footer = window.read_at(end - _FOOTER.size, _FOOTER.size)
    if len(footer) < _FOOTER.size or not footer.startswith(_MARK):
        return
    _, _, size, count, flags, _ = _FOOTER.unpack(footer)
    if flags & _IS_HEADER or not _FOOTER.size <= size <= end:
        tags.drop(f"APEv2 tag of {size} bytes")
        return
    _read_items(window, end - size, end - _FOOTER.size, count, tags)


def _read_items(window: Window, offset: int, end: int, count: int, tags: Collected) -> None:
    for _ in range(min(count, MAX_ITEMS_WALKED)):
        head = window.read_at(offset, min(_ITEM.size + _LONGEST_NAME, end - offset))
        if len(head) < _ITEM.size:
            return  # some taggers count wrongly; the end of the tag is what counts
        size, flags = _ITEM.unpack_from(head)
        name_end = head.find(b"\0", _ITEM.size)
        if name_end < 0:
            tags.drop("APEv2 item without the end of its name")
            return
        name = head[_ITEM.size : name_end]
        start = offset + name_end + 1
        offset = start + size
        if offset > end:
            tags.drop(f"APEv2 item {name[:40]!r} is longer than the tag")
            return
        if (flags >> 1) & 3 != _BINARY:
            _add(window, name, start, size, tags)
        elif name.lower().startswith(b"cover art"):
            _add_picture(window, name, start, size, tags)


def _add(window: Window, name: bytes, start: int, size: int, tags: Collected) -> None:
    key = ape_key(name)
    if key is None:
        tags.drop(f"APEv2 item with a forbidden name: {name[:40]!r}")
    elif size > MAX_VALUE_BYTES:
        tags.drop(f"{key}: value of {size} bytes")
    else:
        for value in from_utf8(window.read_at(start, size), tags).split("\0"):
            tags.add(key, value)


def _add_picture(window: Window, name: bytes, start: int, size: int, tags: Collected) -> None:
    """Add a cover by reference: a file name and a NUL stand before the image."""
    head = window.read_at(start, min(size, _LONGEST_FILE_NAME))
    end = head.find(b"\0") + 1
    if not end or end >= size:
        tags.note(Counter.PICTURES_DROPPED, f"APEv2 item {name[:40]!r} holds no image")
        return
    image = head[end : end + 8]
    mime = next((mime for mark, mime in _IMAGE_STARTS if image.startswith(mark)), "image/jpeg")
    kind = _BACK if b"back" in name.lower() else _FRONT
    span = Span(start + end, size - end)
    tags.pictures.append(Picture(span.length, (span,), kind, mime))
