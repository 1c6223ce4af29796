"""ID3v2: what of a tag is carried over: pictures by reference, and every frame that is no text.

Text frames, comments, lyrics and the MusicBrainz identifier are tags and written anew; so is the
first rating, whose frame is kept in one form (see `_popularity`) for the owner it names. Frames
about the places of bytes in the file (SEEK, ASPI) would lie in the served one and are dropped.
Frames of v2.2 and v2.3 become v2.4; only chapters and links need other bytes for that.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from musefs.index.counters import Counter, degrade
from musefs.index.media.facts import Block, BlockKind, Encoding, Picture, Span
from musefs.index.media.foreign_tags import LEADING_TAGS_LIMIT
from musefs.index.media.id3_chapter import chapter_in_24
from musefs.index.media.id3_tag import (
    ENCODED_LIMIT_BYTES,
    StoredFrame,
    Texts,
    frame_content,
    frames_of,
    read_tag,
)
from musefs.index.media.reading import ReadAt

MUSICBRAINZ_OWNER = b"http://musicbrainz.org"
"""The UFID frame of this owner is the tag musicbrainz_trackid."""

RATING_KEY = "rating"
"""Key of the block that keeps the first POPM frame."""

BLOCKS_LIMIT = 4096
"""Carried frames, and pictures, of one file."""

_HEAD_BYTES = 512
"""Read of a picture: enough for media type and description of nearly all of them."""
_LARGEST_HEAD_BYTES = 16 << 10
_SMALL_FRAME_BYTES = 64 << 10
"""Frames whose bytes must be looked at are small; a larger one is not what it claims to be."""

_TEXT = frozenset({"COMM", "USLT", "IPLS"})
_PLACES = frozenset({"SEEK", "ASPI"})
_IMAGE_TYPES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "-->": "-->"}
_LAST_PICTURE_TYPE = 20
_NOTHING: frozenset[str] = frozenset()


class Id3Parts:
    """What is carried over from the tags of one file."""

    __slots__ = ("blocks", "has_popularity", "pictures", "tags", "texts")

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.pictures: list[Picture] = []
        self.has_popularity = False
        self.tags = 0
        """ID3v2 tags that were walked."""
        self.texts: Texts = []
        """Frames that are read as tags, for who reads tags."""


def read_tags(read_at: ReadAt, offset: int, parts: Id3Parts, limit: int | None = None) -> int:
    """Add what the tags that follow each other at `offset` hold; return where they end.

    Of a second tag only frames count whose kind the tags before it did not have. Frames that reach
    beyond `limit`, the end of a chunk or file, are cut off and dropped.
    """
    for _ in range(LEADING_TAGS_LIMIT):
        tag = read_tag(read_at, offset, limit)
        if tag is None:
            break
        parts.tags += 1
        known = {block.key for block in parts.blocks} if parts.blocks else _NOTHING
        had_pictures = bool(parts.pictures)
        for frame in frames_of(read_at, tag, parts.tags, parts.texts):
            if frame.frame_id in known or (frame.frame_id == "APIC" and had_pictures):
                continue
            _add(read_at, frame, parts)
        offset = tag.end
    return offset


def _add(read_at: ReadAt, frame: StoredFrame, parts: Id3Parts) -> None:
    if frame.encrypted is not None:
        _keep(parts, _encrypted(read_at, frame, frame.encrypted))
    elif frame.frame_id[:1] == "T":
        parts.texts.append((parts.tags, frame.frame_id, frame))
    elif frame.frame_id == "APIC":
        picture = _picture(read_at, frame)
        if picture is not None and len(parts.pictures) < BLOCKS_LIMIT:
            parts.pictures.append(picture)
        else:
            degrade(Counter.PICTURES_DROPPED, "ID3 picture at byte %d", frame.stored.offset)
    elif frame.frame_id == "POPM" and not parts.has_popularity:
        parts.has_popularity = True
        parts.texts.append((parts.tags, frame.frame_id, frame))
        _keep(parts, _popularity(read_at, frame))
    elif _is_tag(read_at, frame):
        parts.texts.append((parts.tags, frame.frame_id, frame))
    else:
        _keep(parts, _carried(read_at, frame))


def _keep(parts: Id3Parts, blocks: Iterator[Block]) -> None:
    for block in blocks:
        if len(parts.blocks) < BLOCKS_LIMIT:
            parts.blocks.append(block)
        else:
            degrade(Counter.TAG_BLOCKS_DROPPED, "more than %d ID3 frames", BLOCKS_LIMIT)


def _is_tag(read_at: ReadAt, frame: StoredFrame) -> bool:
    """Tell whether the frame is read as a tag, and so written anew."""
    name = frame.frame_id
    if name in _TEXT:
        return True
    if name == "UFID" and frame.length <= _SMALL_FRAME_BYTES:
        owner, _, identifier = frame_content(read_at, frame).partition(b"\0")
        return owner == MUSICBRAINZ_OWNER and identifier.isascii()
    return False


def _carried(read_at: ReadAt, frame: StoredFrame) -> Iterator[Block]:
    name = frame.frame_id
    if name in _PLACES:
        degrade(Counter.TAG_BLOCKS_DROPPED, "ID3 frame %s describes another file", name)
    elif name in ("CHAP", "CTOC"):
        yield from _chapter(read_at, frame)
    elif frame.encoding is not Encoding.RAW and frame.length > ENCODED_LIMIT_BYTES:
        degrade(Counter.TAG_BLOCKS_DROPPED, "ID3 frame %s of %d bytes", name, frame.length)
    else:
        yield _by_reference(frame)


def _by_reference(frame: StoredFrame) -> Block:
    spans = (frame.stored,)
    return Block(BlockKind.ID3_FRAME, frame.frame_id, frame.length, spans, frame.encoding)


def _made(frame: StoredFrame, body: bytes) -> Block:
    return Block(BlockKind.ID3_FRAME, frame.frame_id, len(body), body=body)


def _encrypted(read_at: ReadAt, frame: StoredFrame, head: bytes) -> Iterator[Block]:
    """Keep a frame that nobody here can read; its key carries the flags, as in `GEOB:04`."""
    if frame.length > _SMALL_FRAME_BYTES:
        degrade(Counter.TAG_BLOCKS_DROPPED, "encrypted frame of %d bytes", frame.length)
        return
    body = head[1:] + read_at(frame.stored.offset, frame.stored.length)
    key = f"{frame.frame_id}:{head[0]:02x}"
    yield Block(BlockKind.ID3_FRAME, key, len(body), body=body)


def _popularity(read_at: ReadAt, frame: StoredFrame) -> Iterator[Block]:
    """Keep the first rating as owner, NUL, rating byte and a counter of four bytes.

    Synthesis puts the rating and counter of the tags in their places, so the length stays.
    """
    content = frame_content(read_at, frame, _SMALL_FRAME_BYTES)
    owner, separator, rest = content.partition(b"\0")
    if not separator or not rest or len(content) > _SMALL_FRAME_BYTES:
        degrade(Counter.TAG_BLOCKS_DROPPED, "ID3 frame POPM of %d bytes", frame.length)
        return
    count = min(int.from_bytes(rest[1:9], "big"), 0xFFFF_FFFF)
    body = owner + b"\0" + rest[:1] + count.to_bytes(4, "big")
    yield Block(BlockKind.ID3_FRAME, RATING_KEY, len(body), body=body)


def _chapter(read_at: ReadAt, frame: StoredFrame) -> Iterator[Block]:
    if frame.length > _SMALL_FRAME_BYTES:
        if frame.version == 4 and frame.encoding is Encoding.RAW:
            yield _by_reference(frame)  # with pictures inside
        else:
            degrade(Counter.TAG_BLOCKS_DROPPED, "ID3 %s of %d bytes", frame.frame_id, frame.length)
        return
    content = frame_content(read_at, frame)
    body = chapter_in_24(frame.frame_id, content, frame.version)
    if body is None:
        degrade(Counter.TAG_BLOCKS_DROPPED, "ID3 frame %s is malformed", frame.frame_id)
    elif body == content:
        yield _by_reference(frame)
    else:
        yield _made(frame, body)


def _picture(read_at: ReadAt, frame: StoredFrame) -> Picture | None:
    """Return a picture by reference; only the bytes before the image are looked at."""
    parse = _head_22 if frame.version == 2 else _head_24
    head = frame_content(read_at, frame, _HEAD_BYTES)
    found = parse(head)
    if found is None and len(head) < frame.length:
        found = parse(frame_content(read_at, frame, _LARGEST_HEAD_BYTES))
    if found is None or found.length >= frame.length:
        return None
    length = frame.length - found.length
    span, skip = frame.stored, found.length
    if frame.encoding is Encoding.RAW:
        span, skip = Span(span.offset + skip, length), 0
    kind = found.picture_type if found.picture_type <= _LAST_PICTURE_TYPE else 0
    return Picture(
        length, (span,), kind, found.mime, found.description, encoding=frame.encoding, skip=skip
    )


class _PictureHead(NamedTuple):
    length: int
    mime: str
    picture_type: int
    description: str


def _head_24(head: bytes) -> _PictureHead | None:
    end = head.find(b"\0", 1)
    if end < 0 or len(head) < end + 2 or head[0] > 3:
        return None
    mime = head[1:end].decode("latin-1")
    return _described(head, end + 1, _IMAGE_TYPES.get(mime.lower(), mime))


def _head_22(head: bytes) -> _PictureHead | None:
    if len(head) < 6 or head[0] > 3:
        return None
    kind = head[1:4].decode("latin-1").lower()
    return _described(head, 4, _IMAGE_TYPES.get(kind, f"image/{kind}"))


def _described(head: bytes, offset: int, mime: str) -> _PictureHead | None:
    found = split_text(head[0], head, offset + 1)
    if found is None:
        return None
    return _PictureHead(found[1], mime, head[offset], found[0])


def split_text(encoding: int, data: bytes, offset: int) -> tuple[str, int] | None:
    """Return the NUL-ended text at `offset` and where it ends; None if it has no end."""
    if encoding in (0, 3):
        end = data.find(b"\0", offset)
        width = 1
    else:
        end = data.find(b"\0\0", offset)
        while end >= 0 and (end - offset) % 2:
            end = data.find(b"\0\0", end + 1)
        width = 2
    if end < 0:
        return None
    decode: Callable[[bytes], str] = _DECODERS[encoding]
    return decode(data[offset:end]), end + width


def _utf16(data: bytes) -> str:
    if data[:2] == b"\xfe\xff":
        return data[2:].decode("utf-16-be", "replace")
    return data.removeprefix(b"\xff\xfe").decode("utf-16-le", "replace")


_DECODERS: tuple[Callable[[bytes], str], ...] = (
    lambda data: data.decode("latin-1"),
    _utf16,
    lambda data: data.decode("utf-16-be", "replace"),
    lambda data: data.decode("utf-8", "replace"),
)
