"""The tag list of MP4: pictures by reference, and items that are no text.

What is text (and so read as a tag, and written anew) is decided by the type of an item's first
value, as the readers of tags decide it: UTF-8, UTF-16, integers, and a few items whose type
taggers leave out. Everything else is carried over value by value.
"""

import re
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import NamedTuple

from musefs.index.counters import Counter, degrade
from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Block, BlockKind, Picture, Span
from musefs.index.media.mp4_atoms import Atom, AtomReader

DATA_HEAD_BYTES = 16
"""Size, `data`, type and locale."""

_IMPLICIT, _UTF8, _UTF16, _INTEGER = 0, 1, 2, 21
_TEXT_TYPES = (_UTF8, _UTF16, _INTEGER)
_TEXT_WITHOUT_TYPE = frozenset({
    b"trkn", b"disk", b"gnre", b"cpil", b"pgap", b"pcst", b"tmpo", b"tvsn", b"tves", b"stik",
    b"hdvd", b"rtng", b"shwm", b"aART", b"cprt", b"desc", b"ldes", b"sonm", b"soar", b"soal",
    b"soaa", b"soco", b"tvsh", b"sosn", b"catg", b"egid", b"keyw", b"purl", b"rate",
})  # fmt: skip
"""Items that are numbers or text even where their values have no type; so is all with a `©`."""
_MIMES = {_IMPLICIT: "image/jpeg", 12: "image/gif", 13: "image/jpeg", 14: "image/png",
          27: "image/bmp"}  # fmt: skip
_CONTROL = re.compile(rb"[\0-\x08]")
_HEAD = Struct(">I4s")
_ONE_TEXT = b"data\0\0\0\x01"
_NAME_LIMIT_BYTES = 1024
_LOOKED_AT_BYTES = 1 << 20
"""An untyped freeform value is text or not by its bytes; a longer one is not text."""


class Item(NamedTuple):
    """One item of the tag list."""

    name: bytes
    label: bytes
    """Name inside of a freeform item whose text is known."""
    text: bytes | None
    """The content of an item of one short text in UTF-8, as nearly all are; None for others."""
    payload: int
    end: int


def read_items(reader: AtomReader, tag_list: Atom) -> Iterator[Item]:
    """Return the items, with the text of those that are no more than one text."""
    for (name, _, payload, end), data in reader.contents(tag_list):
        if data is None or name == b"covr":
            yield Item(name, b"", None, payload, end)
            continue
        at, label = 0, b""
        if name == b"----":
            at, label = _label(data)
        if data[at + 4 : at + 12] == _ONE_TEXT and int.from_bytes(data[at : at + 4]) == (
            len(data) - at
        ):
            yield Item(name, label, data[at + 16 :], payload, end)
        else:
            yield Item(name, b"", None, payload, end)


def _label(data: bytes) -> tuple[int, bytes]:
    """Return where the value of a freeform item begins, and its name."""
    if len(data) < 24:
        return 0, b""
    mean_size, mean = _HEAD.unpack_from(data)
    if mean != b"mean" or not 12 <= mean_size <= min(_NAME_LIMIT_BYTES, len(data) - 12):
        return 0, b""
    name_size, name = _HEAD.unpack_from(data, mean_size)
    if name != b"name" or not 12 <= name_size <= min(_NAME_LIMIT_BYTES, len(data) - mean_size):
        return 0, b""
    end = mean_size + name_size
    return end, data[mean_size + 12 : end]


def read_pictures(reader: AtomReader, items: Iterable[Item]) -> Iterator[Picture]:
    """Return the covers by reference."""
    for item in items:
        if item.name != b"covr":
            continue
        for value, kind in _values(reader, item.payload, item.end):
            mime = _MIMES.get(kind)
            if mime is None or value.length == 0:
                degrade(Counter.PICTURES_DROPPED, "cover of type %d is no picture", kind)
            else:
                if kind == _IMPLICIT and reader.read_at(value.offset, 4) == b"\x89PNG":
                    mime = "image/png"
                yield Picture(value.length, (value,), mime=mime)


def read_tag_blocks(reader: AtomReader, items: Iterable[Item]) -> Iterator[Block]:
    """Return the items that are no text; their length is that of all their values."""
    for item in items:
        if item.text is not None or item.name == b"covr":
            continue
        block = _freeform(reader, item) if item.name == b"----" else _plain(reader, item)
        if block is not None:
            yield block


def _plain(reader: AtomReader, item: Item) -> Block | None:
    head = reader.read_at(item.payload, 12)
    is_text_name = item.name in _TEXT_WITHOUT_TYPE or item.name[:1] == b"\xa9"
    if head[4:8] == b"data":
        kind = int.from_bytes(head[9:12])
        is_whole = 16 <= int.from_bytes(head[:4]) <= item.end - item.payload
        if kind in _TEXT_TYPES or (kind == _IMPLICIT and is_text_name and is_whole):
            return None  # text, by the type of its first value
    first = next(_values(reader, item.payload, item.end), None)
    if first is None or first[1] in _TEXT_TYPES:
        return None
    if first[1] == _IMPLICIT and is_text_name:
        return None
    return _block(item.name.decode("latin-1"), item.payload, item.end)


def _freeform(reader: AtomReader, item: Item) -> Block | None:
    """Return a binary freeform item under the key `----:mean:name`."""
    begin = item.payload
    names: list[str] = []
    for expected in (b"mean", b"name"):
        head = reader.read_at(begin, 12)
        size = int.from_bytes(head[:4], "big")
        if head[4:8] != expected or not 12 <= size <= min(_NAME_LIMIT_BYTES, item.end - begin):
            degrade(Counter.TAG_BLOCKS_DROPPED, "a freeform item without mean and name")
            return None
        names.append(reader.read_at(begin + 12, size - 12).decode("utf-8", "replace"))
        begin += size
    first = next(_values(reader, begin, item.end), None)
    if first is None or first[1] in _TEXT_TYPES:
        return None
    if first[1] == _IMPLICIT and _is_text(reader, first[0]):
        return None
    return _block(f"----:{names[0]}:{names[1]}", begin, item.end)


def _block(key: str, begin: int, end: int) -> Block:
    return Block(BlockKind.MP4_TAG, key, end - begin, (Span(begin, end - begin),))


def _values(reader: AtomReader, begin: int, end: int) -> Iterator[tuple[Span, int]]:
    """Yield place and type of each value of an item."""
    try:
        for atom in reader.atoms(begin, end):
            head = reader.read_at(atom.payload, 8)
            if atom.name == b"data" and atom.end - atom.payload >= 8:
                value = Span(atom.payload + 8, atom.end - atom.payload - 8)
                yield value, int.from_bytes(head[1:4], "big")
    except MediaFormatError as error:
        degrade(Counter.TAG_BLOCKS_DROPPED, "%s", error.message)


def _is_text(reader: AtomReader, value: Span) -> bool:
    if value.length > _LOOKED_AT_BYTES:
        return False
    return is_text(reader.read_at(value.offset, value.length))


def is_text(content: bytes) -> bool:
    """Say whether a value of no declared type is text; what is not is carried over as it is."""
    if _CONTROL.search(content):
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
