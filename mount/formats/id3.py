"""A fresh ID3v2.4 tag, for MP3 files and for the ID3 chunks of WAV and AIFF.

Order: text frames in the order of keys, lists of people, the rating, the MusicBrainz identifier,
carried frames, pictures. Text is UTF-8; frames have no flags; there is no extended header, no
unsynchronisation and no padding (ADR 0021). A tag is written even if it is empty.
"""

import re
from collections.abc import Iterable

from musefs.index.counters import Counter, degrade
from musefs.index.media.facts import Block, BlockKind
from musefs.index.media.id3 import RATING_KEY
from musefs.mount.formats.id3_keys import (
    COUNT_VALUE,
    IDENTIFIER,
    LARGEST_COUNT,
    LARGEST_RATING,
    MUSICBRAINZ,
    MUSICIAN,
    OWNER,
    PAIRS,
    PEOPLE,
    PLAYS,
    PODCAST,
    RATING,
    RATING_VALUE,
    SPECIAL,
    SUPERSEDING,
    UTF8,
    Form,
    clean,
    frame_plan,
)
from musefs.mount.formats.segments import Generated, Segment
from musefs.mount.formats.source import ServedPicture, TrackSource, block_segments

LARGEST_TAG_BYTES = 0x0FFF_FFFF
"""Sizes have 28 bits."""

_is_identifier = re.compile(IDENTIFIER[:-1] + r"\Z").match
_is_rating = re.compile(RATING_VALUE[:-1] + r"\Z").match
_is_count = re.compile(COUNT_VALUE[:-1] + r"\Z").match
_is_musician = re.compile(MUSICIAN[:-1] + r"\Z").match
_SMALL = tuple(bytes((0, 0, 0, size, 0, 0)) for size in range(128))
_PARTNERS = frozenset((*PAIRS, *PAIRS.values()))

_Values = tuple[str, ...]


def tag_segments(source: TrackSource) -> list[Segment] | None:
    """Return the segments of a whole tag; None if it would be larger than a tag can be."""
    frames: list[Segment] = []
    generated = _generated_frames(source)
    if generated:
        frames.append(Generated(b"".join(generated)))
    for block in carried_blocks(source):
        frames.append(Generated(_block_header(block)))
        frames += block_segments(block)
    for served in source.pictures:
        frames += _picture_frame(served, source)
    size = sum(segment.length for segment in frames)
    if size > LARGEST_TAG_BYTES:
        return None
    return [Generated(b"ID3\x04\x00\x00" + _size(size)), *frames]


def segments_length(segments: Iterable[Segment]) -> int:
    """Return the sum of the lengths of segments."""
    return sum(segment.length for segment in segments)


def carried_blocks(source: TrackSource) -> list[Block]:
    """Return the frames that are carried over beside those made of tags."""
    blocks = source.blocks_of(BlockKind.ID3_FRAME)
    if not blocks:
        return []
    given_way = {SUPERSEDING[key] for key, _ in source.tags if key in SUPERSEDING}
    return [b for b in blocks if b.key not in given_way and not is_popularity(b)]


def is_popularity(block: Block) -> bool:
    """Tell whether a block is the first rating, which is served with the values of the tags."""
    return block.key == RATING_KEY


def _generated_frames(source: TrackSource) -> list[bytes]:
    frames: list[bytes] = []
    special: dict[str, _Values] = {}
    people: dict[bytes, list[bytes]] = {}
    partners: dict[str, _Values] | None = None
    for key, values in source.tags:
        if key in _PARTNERS:
            if partners is None:
                partners = {name: found for name, found in source.tags if name in _PARTNERS}
            values = _paired(key, values, partners)
            if not values:
                continue
        elif key in PEOPLE:
            values = _take_people(people, key, values, source)
            if not values:
                continue
        if key in SPECIAL and _fits_special(key, values):
            special[key] = values
        else:
            _add_text(frames, key, values, source)
    frames += [_frame(name, UTF8 + b"".join(pairs)) for name, pairs in people.items() if pairs]
    if special or source.blocks:
        frames += _special_frames(special, source)
    return frames


def _add_text(frames: list[bytes], key: str, values: _Values, source: TrackSource) -> None:
    plan = frame_plan(key)
    joined = _joined(key, values, source)
    if plan.form is Form.EACH:
        frames += [
            _frame(plan.frame_id, plan.head + (clean(value).encode() or b"\0")) for value in values
        ]
        return
    if plan.form is Form.WHOLE:
        joined = clean("\n".join(values))
    elif not values[-1]:
        joined += "\0"  # an empty text at the end would be taken for the end of the last one
    frames.append(_frame(plan.frame_id, plan.head + joined.encode()))


def _joined(key: str, values: _Values, source: TrackSource) -> str:
    """Put NULs between values; those that were inside of one are counted."""
    joined = "\0".join(values)
    if joined.count("\0") >= len(values):
        amount = joined.count("\0") - len(values) + 1
        words = "%s: a NUL inside %s"
        degrade(Counter.TAG_TEXT_REPAIRED, words, source.path, key, amount=amount)
    return joined


def _take_people(
    people: dict[bytes, list[bytes]], key: str, values: _Values, source: TrackSource
) -> _Values:
    """Add pairs, each text ended by a NUL, to their lists; return the values that are no pair."""
    plan = frame_plan(key)
    if plan.form is Form.PEOPLE:
        _joined(key, values, source)
        pairs = people.setdefault(plan.frame_id, [])
        pairs += [plan.head + clean(value).encode() + b"\0" for value in values]
        return ()
    pairs = people.setdefault(b"TMCL", [])
    rest: list[str] = []
    for value in values:
        musician = _is_musician(value)
        if musician is None:
            rest.append(value)
        else:
            pairs.append(f"{musician[2]}\0{musician[1]}\0".encode())
    return tuple(rest)


def _paired(key: str, values: _Values, partners: dict[str, _Values]) -> _Values:
    """Put a total behind the slash of its number; it then needs no frame of its own."""
    for number, total in PAIRS.items():
        if key not in (number, total):
            continue
        numbers, totals = partners.get(number, ()), partners.get(total, ())
        if len(numbers) == len(totals) == 1 and _is_whole(numbers[0]) and _is_whole(totals[0]):
            return (f"{numbers[0]}/{totals[0]}",) if key == number else ()
    return values


def _is_whole(value: str) -> bool:
    return value != "" and "/" not in value


def _fits_special(key: str, values: _Values) -> bool:
    if len(values) != 1:
        return False
    value = values[0]
    if key == MUSICBRAINZ:
        return _is_identifier(value) is not None
    if key == RATING:
        return _is_rating(value) is not None and int(value) <= LARGEST_RATING
    return _is_count(value) is not None


def _special_frames(special: dict[str, _Values], source: TrackSource) -> list[bytes]:
    frames: list[bytes] = []
    plays = min(int(special[PLAYS][0]), LARGEST_COUNT) if PLAYS in special else 0
    if RATING in special:
        frames.append(_rating_frame(int(special[RATING][0]), plays, source))
    elif PLAYS in special:
        frames.append(_frame(b"PCNT", plays.to_bytes(4, "big")))
    if PODCAST in special:
        flag = min(int(special[PODCAST][0]), LARGEST_COUNT)
        frames.append(_frame(b"PCST", flag.to_bytes(4, "big")))
    if MUSICBRAINZ in special:
        identifier = special[MUSICBRAINZ][0].encode("ascii")
        frames.append(_frame(b"UFID", OWNER + b"\0" + identifier))
    return frames


def _rating_frame(rating: int, plays: int, source: TrackSource) -> bytes:
    kept = next((b.body for b in source.blocks if is_popularity(b) and b.body), None)
    if kept is not None:
        return _frame(b"POPM", kept[:-5] + bytes((rating,)) + plays.to_bytes(4, "big"))
    counter = plays.to_bytes(4, "big") if plays else b""
    return _frame(b"POPM", b"\0" + bytes((rating,)) + counter)


def _picture_frame(served: ServedPicture, source: TrackSource) -> Iterable[Segment]:
    picture = served.picture
    head = b"".join((
        UTF8, clean(picture.mime).encode(), b"\0", bytes((picture.picture_type,)),
        clean(picture.description).encode(), b"\0",
    ))  # fmt: skip
    size = len(head) + picture.length
    if picture.length <= 0 or size > LARGEST_TAG_BYTES:
        degrade(
            Counter.PICTURES_DROPPED,
            "%s: a picture of %d bytes does not fit into an ID3 frame",
            source.path,
            picture.length,
        )
        return ()
    return (Generated(b"APIC" + _size(size) + b"\0\0" + head), *served.segments())


def _block_header(block: Block) -> bytes:
    """Return the header of a carried frame; the key of an encrypted one ends with its flags."""
    frame_id, _, flags = block.key.partition(":")
    return frame_id.encode("ascii") + _size(block.length) + bytes((0, int(flags or "0", 16)))


def _frame(frame_id: bytes, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return frame_id + _SMALL[size] + content
    return frame_id + _size(size) + b"\0\0" + content


def _size(size: int) -> bytes:
    """Return a size in four bytes of seven bits; larger ones are refused with the whole tag."""
    return bytes((size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127))
