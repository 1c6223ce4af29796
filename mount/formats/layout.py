"""The layout of a served file: ordered segments, their offsets, and reading any part of it.

Building one does no I/O, so its size is known before the original is opened; `sizes` gives the
same number from columns alone. Reading validates what it gets, never what it was built from:
that was done once, here, when the layout was made.
"""

import os
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from musefs.index.errors import BackingChangedError, MediaFormatError
from musefs.index.media.facts import Span
from musefs.mount.formats.reading import ReadContext
from musefs.mount.formats.segments import Generated, OriginalRange, Segment

LARGEST_FILE_BYTES = (1 << 63) - 1
"""Offsets in the kernel's interface are signed 64-bit."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What a served file consists of; immutable, pinned by every handle that opened it."""

    segments: tuple[Segment, ...]
    starts: tuple[int, ...]
    """Where each segment begins in the served file."""
    size: int
    is_plain: bool
    """The served file is the original, byte for byte."""
    uses_art: bool
    """Reading needs pictures from the index; without it a read never touches the index."""
    generated_bytes: int
    """Bytes kept in memory, for cache budgets."""

    @property
    def originals(self) -> tuple[Span, ...]:
        """Ranges of the original that reading the whole file reads."""
        return tuple(span for segment in self.segments for span in segment.originals)

    @property
    def is_light(self) -> bool:
        """Whether all of it is: see `Segment.is_light`."""
        return all(segment.is_light for segment in self.segments)


class Piece(NamedTuple):
    """A part of a read: `length` bytes at `offset` of `segment`, for `destination` on."""

    destination: int
    segment: Segment
    offset: int
    length: int


def make_layout(segments: Iterable[Segment], original_size: int) -> Layout:
    """Join neighbours, drop what is empty, validate against the original's size.

    Raises MediaFormatError for a range outside of the original or a size no file can have.
    """
    joined = _joined(segments)
    total = held_bytes = 0
    uses_art = False
    starts: list[int] = []
    for segment in joined:
        starts.append(total)
        length = segment.length
        if type(segment) is OriginalRange:  # what nearly all are, checked without a detour
            _check_range(segment.offset, length, original_size)
        elif type(segment) is Generated:
            held_bytes += length
        else:
            _check_segment(segment, original_size)
            held_bytes += segment.held_bytes
            uses_art = uses_art or segment.uses_art
        total += length
    if total > LARGEST_FILE_BYTES:
        raise MediaFormatError(f"the served file would have {total} bytes")
    return Layout(
        segments=tuple(joined),
        starts=tuple(starts),
        size=total,
        is_plain=_is_plain(joined, original_size),
        uses_art=uses_art,
        generated_bytes=held_bytes,
    )


def plain_layout(original_size: int) -> Layout:
    """Return the layout that serves the original as it is."""
    return make_layout((OriginalRange(0, original_size),), original_size)


def plan_read(layout: Layout, offset: int, length: int) -> list[Piece]:
    """Return the pieces that make up a read, cut at the end of the file.

    A piece whose segment is an OriginalRange lies in the original from
    `piece.segment.offset + piece.offset` and may be read straight into the caller's buffer.
    """
    end = min(offset + length, layout.size)
    pieces: list[Piece] = []
    if offset < 0 or offset >= end:
        return pieces
    begin = offset
    index = bisect_right(layout.starts, offset) - 1
    while offset < end:
        segment = layout.segments[index]
        within = offset - layout.starts[index]
        take = min(segment.length - within, end - offset)
        pieces.append(Piece(offset - begin, segment, within, take))
        offset += take
        index += 1
    return pieces


def read_layout(layout: Layout, offset: int, length: int, context: ReadContext) -> bytes:
    """Return the bytes of a served file; fewer than `length` only at its end."""
    pieces = plan_read(layout, offset, length)
    if len(pieces) == 1:
        _, segment, within, take = pieces[0]
        return segment.read(within, take, context)
    return b"".join(p.segment.read(p.offset, p.length, context) for p in pieces)


def read_into(layout: Layout, offset: int, buffer: memoryview, context: ReadContext) -> int:
    """Fill `buffer` from `offset` on and return how much; ranges go straight into it."""
    filled = 0
    for destination, segment, within, take in plan_read(layout, offset, len(buffer)):
        target = buffer[destination : destination + take]
        descriptor = context.original.descriptor
        if type(segment) is OriginalRange and descriptor is not None:
            _read_fully(descriptor, target, segment.offset + within)
        else:
            target[:] = segment.read(within, take, context)
        filled += take
    return filled


def _read_fully(descriptor: int, target: memoryview, offset: int) -> None:
    while target:
        count = os.preadv(descriptor, [target], offset)
        if count == 0:
            raise BackingChangedError(f"the original ends at byte {offset}")
        target = target[count:]
        offset += count


def _joined(segments: Iterable[Segment]) -> list[Segment]:
    joined: list[Segment] = []
    run: list[bytes] = []
    for segment in segments:
        if type(segment) is Generated:
            run.append(segment.data)
            continue
        if segment.length == 0:
            continue
        _flush(run, joined)
        last = joined[-1] if joined else None
        if (
            type(segment) is OriginalRange
            and type(last) is OriginalRange
            and last.offset + last.length == segment.offset
        ):
            joined[-1] = OriginalRange(last.offset, last.length + segment.length)
        else:
            joined.append(segment)
    _flush(run, joined)
    return joined


def _flush(run: list[bytes], joined: list[Segment]) -> None:
    data = b"".join(run)
    run.clear()
    if data:
        joined.append(Generated(data))


def _check_segment(segment: Segment, original_size: int) -> None:
    if segment.length <= 0:
        raise MediaFormatError(f"a segment of {segment.length} bytes")
    for span in segment.originals:
        _check_range(span.offset, span.length, original_size)


def _check_range(offset: int, length: int, original_size: int) -> None:
    if offset < 0 or length < 0 or offset + length > original_size:
        raise MediaFormatError(
            f"bytes {offset}+{length} lie outside of the original, which has {original_size}"
        )


def _is_plain(segments: list[Segment], original_size: int) -> bool:
    if not segments:
        return original_size == 0
    return len(segments) == 1 and segments[0] == OriginalRange(0, original_size)
