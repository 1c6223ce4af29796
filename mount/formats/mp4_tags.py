"""The tag list of MP4: text, numbers, freeform items, carried items and covers."""

from collections.abc import Iterable

from musefs.index.counters import Counter, degrade
from musefs.index.media.facts import Block, BlockKind
from musefs.mount.formats.mp4_keys import (
    TOTALS,
    AtomPlan,
    Kind,
    atom_plan,
    freeform_head,
    integer_value,
    number_value,
    pair_value,
)
from musefs.mount.formats.segments import Generated, Segment
from musefs.mount.formats.source import ServedPicture, TrackSource, block_segments

LARGEST_ATOM_BYTES = 0xFFFF_FFFF
DATA_HEAD_BYTES = 16
ATOM_HEAD_BYTES = 8

_TEXT_HEAD = b"data" + bytes((0, 0, 0, 1)) + bytes(4)
_INTEGER_HEAD = b"data" + bytes((0, 0, 0, 21)) + bytes(4)
_PAIR_HEAD = b"data" + bytes(8)
_PICTURE_TYPES = {"image/gif": 12, "image/png": 14, "image/bmp": 27}
_JPEG = 13

_NUMBER_OF = {total: number for number, total in TOTALS.items()}

_Values = tuple[str, ...]


def tag_list(source: TrackSource) -> list[Segment]:
    """Return the content of the ilst atom."""
    items = b"".join(_items(source))
    segments: list[Segment] = [Generated(items)] if items else []
    for block in source.blocks_of(BlockKind.MP4_TAG):
        segments += _carried(block)
    segments += _covers(source)
    return segments


def atom(name: bytes, content: bytes) -> bytes:
    """Return an atom."""
    return (len(content) + ATOM_HEAD_BYTES).to_bytes(4, "big") + name + content


def _items(source: TrackSource) -> Iterable[bytes]:
    known: dict[str, _Values] | None = None
    for key, values in source.tags:
        plan = atom_plan(key)
        rest = values
        if plan.kind is Kind.TEXT:
            yield atom(plan.atom, _texts(values))
            continue
        if plan.kind is Kind.PAIR:
            known = known if known is not None else dict(source.tags)
            pair = _pair(key, values, known)
            if pair is not None:
                numbers = b"".join(number.to_bytes(2, "big") for number in pair)
                content = (b"\0\0" + numbers).ljust(plan.width, b"\0")
                yield atom(plan.atom, _data(_PAIR_HEAD, content))
                rest = values[1:]
        elif plan.kind is Kind.INTEGER:
            content_or_none = integer_value(values[0], plan.width)
            if content_or_none is not None:
                yield atom(plan.atom, _data(_INTEGER_HEAD, content_or_none))
                rest = values[1:]
        elif (number := _NUMBER_OF.get(key)) is not None:
            known = known if known is not None else dict(source.tags)
            if shared_total(known.get(number, ()), values) is not None:
                rest = ()
        if rest:
            yield atom(b"----", plan.freeform + _texts(rest))


def _pair(key: str, values: _Values, known: dict[str, _Values]) -> tuple[int, int] | None:
    total = shared_total(values, known.get(TOTALS.get(key, ""), ()))
    pair = pair_value(values[0])
    return (pair[0], total) if pair is not None and total is not None else pair


def shared_total(numbers: _Values, totals: _Values) -> int | None:
    """Return the total that stands in the atom of its number; None if it stands alone."""
    if not numbers or len(totals) != 1 or number_value(numbers[0]) is None:
        return None
    return number_value(totals[0])


def _texts(values: _Values) -> bytes:
    if len(values) == 1:
        return _data(_TEXT_HEAD, values[0].encode())
    return b"".join([_data(_TEXT_HEAD, value.encode()) for value in values])


def _data(head: bytes, content: bytes) -> bytes:
    return (len(content) + DATA_HEAD_BYTES).to_bytes(4, "big") + head + content


def carried_head(block: Block) -> bytes:
    """Return what stands before the values of a carried item."""
    name, plan = block.key.encode("latin-1", "replace"), None
    if block.key.startswith("----:"):
        _, mean, name_text = block.key.split(":", 2)
        name, plan = b"----", freeform_head(mean.encode(), name_text.encode())
    head = plan or b""
    length = block.length + len(head) + ATOM_HEAD_BYTES
    return length.to_bytes(4, "big") + name[:4] + head


def _carried(block: Block) -> list[Segment]:
    return [Generated(carried_head(block)), *block_segments(block)]


def _covers(source: TrackSource) -> list[Segment]:
    covers: list[Segment] = []
    for served in source.pictures:
        length = served.picture.length
        if 0 < length <= LARGEST_ATOM_BYTES - DATA_HEAD_BYTES:
            covers += [Generated(_cover_head(served)), *served.segments()]
        else:
            words = "%s: a picture of %d bytes does not fit into an atom"
            degrade(Counter.PICTURES_DROPPED, words, source.path, length)
    if not covers:
        return []
    size = sum(segment.length for segment in covers) + ATOM_HEAD_BYTES
    if size > LARGEST_ATOM_BYTES:
        return covers  # the whole file is refused then, by its size
    return [Generated(size.to_bytes(4, "big") + b"covr"), *covers]


def _cover_head(served: ServedPicture) -> bytes:
    kind = _PICTURE_TYPES.get(served.picture.mime, _JPEG)
    length = served.picture.length + DATA_HEAD_BYTES
    return length.to_bytes(4, "big") + b"data" + kind.to_bytes(4, "big") + bytes(4)


def usual_cost(plan: AtomPlan) -> tuple[int, int]:
    """Return the bytes of an item without values, and of each value besides its text."""
    head = 0 if plan.kind is Kind.TEXT else len(plan.freeform)
    return ATOM_HEAD_BYTES + head, DATA_HEAD_BYTES
