"""Vorbis comments, as FLAC, Ogg Vorbis, Opus, Speex and FLAC in Ogg carry them.

Of a whole comment the walker has the entries, which `add_entries` reads; `read_comments` follows
damaged ones as far as they go. Pictures inside comments are stepped over, not read: whoever calls
gives a reader of the comment body, which may lie scattered over Ogg pages.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final

from musefs.index.errors import MediaFormatError
from musefs.index.media.vorbis_comment import CommentStructure
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.limits import MAX_ITEMS_WALKED, MAX_KEY_CHARACTERS, MAX_VALUE_BYTES
from musefs.pipeline.tag.naming import vorbis_key
from musefs.pipeline.tag.text import from_utf8

READ_AHEAD_BYTES: Final = 4096
"""Comments read at once: the comments of most files together."""

_LONGEST_ENTRY: Final = MAX_KEY_CHARACTERS + 1 + MAX_VALUE_BYTES
_LENGTH: Final = Struct("<I")
_PICTURE_NAMES: Final = (b"METADATA_BLOCK_PICTURE", b"COVERART", b"COVERARTMIME")
PICTURE_KEYS: Final = frozenset(name.decode("ascii").lower() for name in _PICTURE_NAMES)
"""Comments that hold a picture; the walker finds them."""

_LONGEST_PICTURE_NAME: Final = 23

Fetch = Callable[[int, int], bytes]


class _Body:
    """A comment body of `length` bytes, of which a stretch is in memory."""

    __slots__ = ("_data", "_end", "_fetch", "_first", "_length")

    def __init__(self, fetch: Fetch, length: int) -> None:
        self._fetch = fetch
        self._length = length
        self._data = fetch(0, min(length, READ_AHEAD_BYTES))
        self._first, self._end = 0, len(self._data)

    def at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, or raise when the body is shorter."""
        end = offset + length
        if end > self._length:
            raise MediaFormatError("a comment is longer than the comment block")
        if offset < self._first or end > self._end:
            ahead = min(max(length, READ_AHEAD_BYTES), self._length - offset)
            self._data = self._fetch(offset, ahead)
            self._first, self._end = offset, offset + len(self._data)
            if end > self._end:
                raise MediaFormatError("the comment block is truncated")
        start = offset - self._first
        return self._data[start : start + length]


def add_entries(comment: CommentStructure, tags: Collected) -> None:
    """Add the entries that a walker found."""
    entries = comment.entries
    if len(entries) > MAX_ITEMS_WALKED:
        tags.drop(f"{len(entries)} comments, of which {MAX_ITEMS_WALKED} were read")
        entries = entries[:MAX_ITEMS_WALKED]
    pairs: list[tuple[str, str]] = []
    for offset, length, start in entries:
        entry = start
        if len(start) < length:
            if _is_left_out(start, length, tags):
                continue
            entry = comment.window.read(offset, length)
        name, equals, value = entry.partition(b"=")
        key = vorbis_key(name)
        if key is None or not equals:
            _leave_out(name, value, tags)
        elif key not in PICTURE_KEYS:
            pairs.append((key, from_utf8(value, tags)))
    tags.add_all(pairs)


def read_comments(fetch: Fetch, length: int, tags: Collected) -> None:
    """Add the comments of a body of `length` bytes; what cannot be followed is noted."""
    try:
        _walk(fetch, length, tags)
    except MediaFormatError as error:
        tags.drop(error.message)


def _walk(fetch: Fetch, length: int, tags: Collected) -> None:
    body = _Body(fetch, length)
    (vendor_length,) = _LENGTH.unpack(body.at(0, 4))
    offset = 4 + vendor_length
    (count,) = _LENGTH.unpack(body.at(offset, 4))
    offset += 4
    for number in range(count):
        if number >= MAX_ITEMS_WALKED:
            tags.drop(f"{count} comments, of which {number} were read")
            return
        (size,) = _LENGTH.unpack(body.at(offset, 4))
        offset += 4
        if size > READ_AHEAD_BYTES and _is_left_out(
            body.at(offset, _LONGEST_PICTURE_NAME), size, tags
        ):
            offset += size
            if offset > length:
                raise MediaFormatError(f"comment {number} is longer than the comment block")
            continue
        name, equals, value = body.at(offset, size).partition(b"=")
        offset += size
        key = vorbis_key(name)
        if key is None or not equals:
            _leave_out(name, value, tags)
        elif key not in PICTURE_KEYS:
            tags.add(key, from_utf8(value, tags))


def _is_left_out(start: bytes, size: int, tags: Collected) -> bool:
    name, equals, _ = start[:_LONGEST_PICTURE_NAME].partition(b"=")
    if equals and name.upper() in _PICTURE_NAMES:
        return True
    if size <= _LONGEST_ENTRY:
        return False
    tags.drop(f"{name.decode('ascii', 'replace')}: comment of {size} bytes")
    return True


def _leave_out(name: bytes, value: bytes, tags: Collected) -> None:
    if name or value:
        tags.drop(f"comment without a name, or with a forbidden one: {name[:40]!r}")
