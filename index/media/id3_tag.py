"""ID3v2 tags: where the frames of one tag lie and how their bytes are stored.

Versions 2.2, 2.3 and 2.4; extended headers, unsynchronisation of a whole tag or of one frame,
compression, encryption, group bytes, and the plain sizes of iTunes' early 2.4. Frames are stepped
over by their sizes: content is read only where its decoded length is not known otherwise.
"""

import zlib
from bisect import bisect_left
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from musefs.index.counters import Counter, degrade
from musefs.index.media.facts import Encoding, Span
from musefs.index.media.foreign_tags import id3v2_length
from musefs.index.media.id3_names import FRAME_IDS, ID3_22, TEXT_IDS
from musefs.index.media.reading import ReadAt

FRAMES_LIMIT = 16_384
"""Frames looked at in one tag; four times the rows that one track may have of a kind."""

ENCODED_LIMIT_BYTES = 16 << 20
"""Largest tag or frame that is read to undo its encoding; pictures end at the same size."""

_READ_AHEAD_BYTES = 2048
"""Of a tag, while its frames are small: two dozen of them."""

_LONGEST_HANDED_BYTES = 1024
"""A text frame up to this length is handed on by its content, which was read with its header."""

DECODED_LIMIT_BYTES = 32 << 20
"""Bytes that the frames of one tag may decode to, all together: thousands of small frames that
each unpack to the largest size would take minutes. Two pictures of the largest size fit.
"""

_TAG_HEADER_BYTES = 10
_UNSYNC, _EXTENDED, _FOOTER = 0x80, 0x40, 0x10
_COMPRESSED_22 = 0x40
_FRAME_HEAD = Struct(">4sIBB")


class Id3Tag(NamedTuple):
    """One tag and the range of its frames."""

    version: int
    flags: int
    frames_begin: int
    frames_end: int
    end: int


class StoredFrame(NamedTuple):
    """One frame, named as in v2.4, and where its content lies."""

    frame_id: str
    version: int
    stored: Span
    """Content in the original, without group byte and length indicator."""
    length: int
    """Decoded length."""
    encoding: Encoding
    encrypted: bytes | None = None
    """Of an encrypted frame: its flags and what precedes the content, in v2.4 form."""


Texts = list[tuple[int, str, bytes | StoredFrame]]
"""Number of the tag, frame id and content of frames that are read as tags; where it lies for
those that are large or encoded."""


def read_tag(read_at: ReadAt, offset: int, limit: int | None = None) -> Id3Tag | None:
    """Return the tag that begins at `offset`, if one of a known version does.

    Its frames end at `limit` where the tag claims to be longer.
    """
    header = read_at(offset, _TAG_HEADER_BYTES)
    length = id3v2_length(header)
    if length == 0 or header[:3] != b"ID3" or header[3] not in (2, 3, 4):
        return None
    version, flags = header[3], header[5]
    begin = offset + _TAG_HEADER_BYTES
    end = offset + length
    frames_end = end - (_TAG_HEADER_BYTES if flags & _FOOTER else 0)
    if limit is not None:
        frames_end = max(begin, min(frames_end, limit))
    if version == 2 and flags & _COMPRESSED_22:
        begin = frames_end  # a scheme that was never defined: its frames cannot be found
    return Id3Tag(version, flags, begin, frames_end, end)


def frames_of(
    read_at: ReadAt, tag: Id3Tag, number: int = 0, texts: Texts | None = None
) -> Iterator[StoredFrame]:
    """Walk the frames in order; what cannot be decoded is counted and left out.

    Small plain text frames, which are most of a tag, go into `texts` with `number`, if it is
    given, and are not yielded.
    """
    length = tag.frames_end - tag.frames_begin
    if tag.flags & _UNSYNC and tag.version < 4:
        if length > ENCODED_LIMIT_BYTES:
            degrade(Counter.TAG_BLOCKS_DROPPED, "an unsynchronised tag of %d bytes", length)
            return iter(())
        body: _Body = _UnsyncBody(read_at(tag.frames_begin, length), tag.frames_begin)
    else:
        body = _Body(read_at, tag.frames_begin, length)
    return _walk_22(body) if tag.version == 2 else _walk_23(body, tag, number, texts)


def synchsafe(data: bytes) -> int:
    """Return the number in four bytes of seven bits."""
    return (data[0] & 127) << 21 | (data[1] & 127) << 14 | (data[2] & 127) << 7 | data[3] & 127


def to_synchsafe(number: int) -> bytes:
    """Return a number below 2**28 in four bytes of seven bits."""
    return bytes((number >> 21, number >> 14 & 127, number >> 7 & 127, number & 127))


class _Body:
    """The frames of a tag as a sequence of bytes that knows where they lie in the original."""

    is_plain = True
    """Whether the bytes are those of the original one to one."""
    budget_bytes = DECODED_LIMIT_BYTES
    """What the frames to come may still decode to."""

    def __init__(self, read_at: ReadAt, base: int, length: int) -> None:
        self._read_at = read_at
        self.base = base
        self.length = length

    def read(self, offset: int, length: int) -> bytes:
        return self._read_at(self.base + offset, max(0, min(length, self.length - offset)))

    def locate(self, offset: int, length: int) -> tuple[Span, bool]:
        """Return the place in the original, and whether bytes were stuffed in between."""
        return Span(self.base + offset, length), False


class _UnsyncBody(_Body):
    """The same for a tag in which a zero is stuffed behind each 0xFF."""

    is_plain = False

    def __init__(self, stored: bytes, base: int) -> None:
        self.base = base
        self._data = stored.replace(b"\xff\x00", b"\xff")
        self.length = len(self._data)
        self._stuffed: list[int] = []  # positions, in the decoded bytes, behind which a zero was
        found = stored.find(b"\xff\x00")
        while found >= 0:
            self._stuffed.append(found - len(self._stuffed))
            found = stored.find(b"\xff\x00", found + 2)

    def read(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]

    def locate(self, offset: int, length: int) -> tuple[Span, bool]:
        before = bisect_left(self._stuffed, offset)
        until = bisect_left(self._stuffed, offset + length)
        begin = self.base + offset + before
        return Span(begin, length + until - before), until > before


def _walk_22(body: _Body) -> Iterator[StoredFrame]:
    offset = 0
    for _ in range(FRAMES_LIMIT):
        header = body.read(offset, 6)
        if len(header) < 6 or header[0] == 0:
            return
        size = int.from_bytes(header[3:6], "big")
        offset += 6
        if offset + size > body.length:
            degrade(Counter.TAG_BLOCKS_DROPPED, "ID3 frame %r is cut off", header[:3])
            return
        name = ID3_22.get(header[:3])
        if name is None:
            degrade(Counter.TAG_BLOCKS_DROPPED, "ID3v2.2 frame %r is unknown", header[:3])
        elif size:
            span, stuffed = body.locate(offset, size)
            yield StoredFrame(name, 2, span, size, Encoding.UNSYNC if stuffed else Encoding.RAW)
        offset += size


def _walk_23(body: _Body, tag: Id3Tag, number: int, texts: Texts | None) -> Iterator[StoredFrame]:
    """Walk frames of v2.3 and v2.4; flat, as every frame of every MP3 passes here (ADR 0040)."""
    offset = _extended_header_bytes(body, tag)
    is_plain = body.is_plain and (tag.version == 3 or not tag.flags & _UNSYNC)
    ahead, first = b"", 0  # a stretch of the tag in memory: small frames stand close together
    for _ in range(FRAMES_LIMIT):
        at = offset - first
        if at + 10 > len(ahead):
            ahead, first, at = body.read(offset, _READ_AHEAD_BYTES), offset, 0
            if len(ahead) < 10:
                return
        name, size, _, flags = _FRAME_HEAD.unpack_from(ahead, at)
        if name[0] == 0:
            return
        if size > 127 and tag.version == 4:
            size = _frame_size(body, tag, offset, ahead[at : at + 10])
        offset += 10
        if is_plain and not flags and name in FRAME_IDS and offset + size <= body.length:
            if texts is not None and name in TEXT_IDS and size <= _LONGEST_HANDED_BYTES:
                if at + 10 + size > len(ahead):
                    ahead, first, at = body.read(offset, _READ_AHEAD_BYTES), offset, -10
                if size:
                    content = ahead[at + 10 : at + 10 + size]
                    texts.append((number, FRAME_IDS[name], content))
            elif size:
                span = Span(body.base + offset, size)
                yield StoredFrame(FRAME_IDS[name], tag.version, span, size, Encoding.RAW)
        else:
            frame = _unusual(body, tag, name, flags, offset, size)
            if frame is None:
                return
            if frame.frame_id:
                yield frame
        offset += size


def _unusual(
    body: _Body, tag: Id3Tag, name: bytes, flags: int, offset: int, size: int
) -> StoredFrame | None:
    """Return an encoded or unknown frame, one without a name if it is left out; None at the end."""
    if offset + size > body.length or not _is_name(name):
        degrade(Counter.TAG_BLOCKS_DROPPED, "ID3 frame %r is cut off or no frame", name)
        return None
    frame_id = ID3_22.get(name[:3]) if name[3] in b"\x00 " else name.decode("ascii")
    if not size or not frame_id:
        return _LEFT_OUT
    frame = _frame(body, tag, frame_id, flags, offset, size)
    if frame is None:
        degrade(Counter.TAG_BLOCKS_DROPPED, "ID3 frame %s cannot be decoded", frame_id)
        return _LEFT_OUT
    return frame


_LEFT_OUT = StoredFrame("", 0, Span(0, 0), 0, Encoding.RAW)


def _extended_header_bytes(body: _Body, tag: Id3Tag) -> int:
    data = body.read(0, 4)
    if not tag.flags & _EXTENDED or len(data) < 4 or (data.isalnum() and data.isupper()):
        return 0  # some taggers set the flag and write frames at once
    if tag.version == 4:
        return max(synchsafe(data), 6)
    return 4 + int.from_bytes(data, "big")


def _frame_size(body: _Body, tag: Id3Tag, offset: int, header: bytes) -> int:
    plain = int.from_bytes(header[4:8], "big")
    if tag.version == 3 or plain < 128:
        return plain
    safe = synchsafe(header[4:8])
    if max(header[4:8]) > 127:
        return plain
    if _ends_well(body, offset + 10 + safe) or not _ends_well(body, offset + 10 + plain):
        return safe
    return plain  # iTunes before 7 wrote 2.4 with the sizes of 2.3


def _ends_well(body: _Body, offset: int) -> bool:
    """Tell whether a frame, padding or the end of the tag stands at `offset`."""
    following = body.read(offset, 4)
    if offset >= body.length:
        return offset == body.length
    return following == bytes(len(following)) or _is_name(following)


def _is_name(name: bytes) -> bool:
    word = name[:3] if name[3:] in (b"\x00", b" ") else name
    return word.isalnum() and word.isascii() and word == word.upper()


def _frame(
    body: _Body, tag: Id3Tag, frame_id: str, flags: int, offset: int, size: int
) -> StoredFrame | None:
    if tag.version == 3:
        compressed, encrypted, grouped = flags & 0x80, flags & 0x40, flags & 0x20
        unsync, indicated = 0, compressed
    else:
        compressed, encrypted, grouped = flags & 0x08, flags & 0x04, flags & 0x40
        unsync, indicated = flags & 0x02 or tag.flags & _UNSYNC, flags & 0x01
    prefix = (4 if indicated else 0) + (1 if grouped else 0) + (1 if encrypted else 0)
    if size < prefix:
        return None
    span, stuffed = body.locate(offset + prefix, size - prefix)
    content = StoredFrame(frame_id, tag.version, span, span.length, Encoding.RAW)
    if encrypted:
        head = _encrypted_head(body.read(offset, prefix), tag.version, flags)
        return None if stuffed else _replace(content, encrypted=head)
    if not (compressed or unsync or stuffed):
        return content
    return _decoded(body, content, offset + prefix, size - prefix, bool(compressed), bool(unsync))


def _replace(frame: StoredFrame, *, encrypted: bytes) -> StoredFrame:
    return StoredFrame(
        frame.frame_id, frame.version, frame.stored, frame.length, frame.encoding, encrypted
    )


def _encrypted_head(prefix: bytes, version: int, flags: int) -> bytes:
    """Return the flag byte and the prefix as v2.4 has them: group, method, then length."""
    if version == 4:
        return bytes((flags,)) + prefix
    length, method = b"", prefix
    new_flags = 0x04
    if flags & 0x80:
        length, method = prefix[:4], prefix[4:]
        length = to_synchsafe(min(int.from_bytes(length, "big"), 0x0FFF_FFFF))
        new_flags |= 0x09
    group = method[1:]
    if group:
        new_flags |= 0x40
    return bytes((new_flags,)) + group + method[:1] + length


def _decoded(
    body: _Body, frame: StoredFrame, offset: int, size: int, compressed: bool, unsync: bool
) -> StoredFrame | None:
    """Return the frame with its decoded length, which only decoding can tell."""
    if size > min(ENCODED_LIMIT_BYTES, body.budget_bytes):
        return None
    data = body.read(offset, size)
    stuffed = frame.stored.length > size or (unsync and b"\xff\x00" in data)
    if unsync:
        data = data.replace(b"\xff\x00", b"\xff")
    if compressed:
        limit_bytes = min(ENCODED_LIMIT_BYTES, body.budget_bytes)
        inflated = _inflate(data, limit_bytes)
        body.budget_bytes -= limit_bytes if inflated is None else len(inflated)
        if inflated is None:
            return None
        encoding = Encoding.UNSYNC_ZLIB if stuffed else Encoding.ZLIB
        return StoredFrame(frame.frame_id, frame.version, frame.stored, len(inflated), encoding)
    body.budget_bytes -= size
    encoding = Encoding.UNSYNC if stuffed else Encoding.RAW
    return StoredFrame(frame.frame_id, frame.version, frame.stored, len(data), encoding)


def _inflate(data: bytes, limit_bytes: int = ENCODED_LIMIT_BYTES) -> bytes | None:
    engine = zlib.decompressobj()
    try:
        plain = engine.decompress(data, max(1, limit_bytes))
    except zlib.error:
        return None
    return plain if engine.eof else None


def frame_content(read_at: ReadAt, frame: StoredFrame, limit_bytes: int | None = None) -> bytes:
    """Return the decoded content, or at least `limit_bytes` of it where more is not needed."""
    stored = frame.stored
    if frame.encoding is Encoding.RAW:
        wanted = stored.length if limit_bytes is None else min(limit_bytes, stored.length)
        return read_at(stored.offset, wanted)
    data = read_at(stored.offset, stored.length)
    if frame.encoding in (Encoding.UNSYNC, Encoding.UNSYNC_ZLIB):
        data = data.replace(b"\xff\x00", b"\xff")
    if frame.encoding in (Encoding.ZLIB, Encoding.UNSYNC_ZLIB):
        data = _inflate(data) or b""
    return data
