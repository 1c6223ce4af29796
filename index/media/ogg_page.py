"""Ogg pages: the header of one, and packets as ranges of the file across page borders."""

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Span
from musefs.index.media.reading import ReadAt, read_exact

CAPTURE = b"OggS"
CONTINUED, FIRST, LAST = 1, 2, 4
"""Flags: the page begins inside a packet; first page of its stream; last page of its stream."""
FIXED_HEADER_BYTES = 27
LARGEST_HEADER_BYTES = FIXED_HEADER_BYTES + 255
LARGEST_BODY_BYTES = 255 * 255
NO_PACKET_ENDS = 0xFFFF_FFFF_FFFF_FFFF
"""The granule position of a page on which no packet ends."""

HEADER_PAGES_LIMIT = 16384
"""A comment of one gigabyte; no header is longer."""

_HEADER = struct.Struct("<4sBBQIIIB")


class OggPage(NamedTuple):
    """The header of one page and where it lies."""

    offset: int
    flags: int
    serial: int
    sequence: int
    lacing: bytes
    body_offset: int
    end: int


def parse_page(data: bytes, offset: int = 0) -> OggPage | None:
    """Return the page whose header `data` begins with; None if it is none or cut off."""
    if len(data) < FIXED_HEADER_BYTES:
        return None
    capture, version, flags, _, serial, sequence, _, count = _HEADER.unpack_from(data)
    lacing = data[FIXED_HEADER_BYTES : FIXED_HEADER_BYTES + count]
    if capture != CAPTURE or version != 0 or flags > 7 or len(lacing) < count:
        return None
    body_offset = offset + FIXED_HEADER_BYTES + count
    return OggPage(offset, flags, serial, sequence, lacing, body_offset, body_offset + sum(lacing))


def granule_of(header: bytes) -> int | None:
    """Return the granule position in a page's header; None where no packet ends on the page."""
    granule = int.from_bytes(header[6:14], "little")
    return None if granule == NO_PACKET_ENDS else granule


def write_header(
    flags: int, granule: int, serial: int, sequence: int, checksum: int, lacing: bytes
) -> bytes:
    """Return the header of a page."""
    return (
        _HEADER.pack(CAPTURE, 0, flags, granule, serial, sequence, checksum, len(lacing)) + lacing
    )


def walk_header_pages(read_at: ReadAt, offset: int) -> Iterator[OggPage]:
    """Walk pages of one stream from its first one on; the caller stops.

    Raises MediaFormatError where a page of another stream stands between them.
    """
    first = _page_at(read_at, offset)
    if not first.flags & FIRST:
        raise MediaFormatError(f"the Ogg page at byte {offset} does not begin a stream")
    page, walked = first, 0
    while walked < HEADER_PAGES_LIMIT:
        yield page
        walked += 1
        for page in _alike_after(read_at, page):  # noqa: B020 - the last of them is the page now
            yield page
            walked += 1
        page = _page_at(read_at, page.end, len(page.lacing))
        if page.serial != first.serial or page.flags & FIRST:
            raise MediaFormatError("several streams are multiplexed in one Ogg file")
    raise MediaFormatError(f"more than {HEADER_PAGES_LIMIT} pages of headers")


def _page_at(read_at: ReadAt, offset: int, expected_lacing: int = 255) -> OggPage:
    """Read the header at `offset`; pages of a stream mostly have as much lacing as the last."""
    data = read_at(offset, FIXED_HEADER_BYTES + expected_lacing)
    page = parse_page(data, offset)
    if page is None and expected_lacing < 255:
        page = parse_page(read_at(offset, LARGEST_HEADER_BYTES), offset)
    if page is None:
        raise MediaFormatError(f"no Ogg page at byte {offset}")
    return page


def _alike_after(read_at: ReadAt, page: OggPage) -> Iterator[OggPage]:
    """Yield the pages behind `page` that are all payload as it is, in ever longer leaps.

    A large picture is a row of pages of one size, whose headers are not read.
    """
    step = 1
    while page.lacing.count(255) == len(page.lacing) >= _FEWEST_LACES:
        if _is_alike_until(read_at, page, step):
            for _ in range(step):
                page = _next_alike(page)
                yield page
            step = min(step * 2, _LONGEST_LEAP_PAGES)
        elif step > 1:
            step //= 2  # the row ends before; what is left is shorter with every miss
        else:
            return


def _is_alike_until(read_at: ReadAt, page: OggPage, count: int) -> bool:
    """Tell whether the next `count` pages are like this one, by the page that is met behind them.

    If a page stands where they would end and has the number that it then must have, they are.
    """
    size = page.end - page.offset
    behind = read_at(page.end + count * size, FIXED_HEADER_BYTES)
    if len(behind) < FIXED_HEADER_BYTES:
        return False
    capture, version, flags, _, serial, sequence, _, _ = _HEADER.unpack_from(behind)
    follows = (serial, sequence) == (page.serial, page.sequence + count + 1)
    return capture == CAPTURE and version == 0 and bool(flags & CONTINUED) and follows


def _next_alike(page: OggPage) -> OggPage:
    size = page.end - page.offset
    return OggPage(
        page.end,
        CONTINUED,
        page.serial,
        page.sequence + 1,
        page.lacing,
        page.body_offset + size,
        page.end + size,
    )


_FEWEST_LACES = 8
"""A page of 2 KiB: stepping over smaller ones saves nothing."""

_LONGEST_LEAP_PAGES = 1024
"""Pages stepped over at once: four megabytes of pages of the usual size."""


class Packet:
    """One packet as ranges of the file."""

    __slots__ = ("_starts", "length", "spans")

    def __init__(self, spans: Iterable[Span]) -> None:
        self.spans = tuple(span for span in spans if span.length)
        ends = tuple(accumulate(span.length for span in self.spans))
        self.length = ends[-1] if ends else 0
        self._starts = (0, *ends)

    def part(self, begin: int, length: int) -> tuple[Span, ...]:
        """Return the ranges of a part of the packet."""
        if begin + length > self.length:
            raise MediaFormatError("a length inside an Ogg packet exceeds the packet")
        spans: list[Span] = []
        index = bisect_right(self._starts, begin) - 1
        while length > 0:
            span, skip = self.spans[index], begin - self._starts[index]
            take = min(span.length - skip, length)
            spans.append(span if take == span.length else Span(span.offset + skip, take))
            begin += take
            length -= take
            index += 1
        return tuple(spans)

    def read(self, read_at: ReadAt, begin: int, length: int) -> bytes:
        """Read a part of the packet; less at its end."""
        length = max(0, min(length, self.length - begin))
        parts = [
            read_exact(read_at, span.offset, span.length, "an Ogg packet")
            for span in self.part(begin, length)
        ]
        return b"".join(parts)


class PacketCollector:
    """Makes packets of pages that are added in order."""

    def __init__(self) -> None:
        self.packets: list[Packet] = []
        self._spans: list[Span] = []

    @property
    def is_between_packets(self) -> bool:
        """Whether all that was added belongs to whole packets."""
        return not self._spans

    def add(self, page: OggPage) -> None:
        """Add the next page of the stream."""
        if bool(page.flags & CONTINUED) == self.is_between_packets:
            raise MediaFormatError(f"the Ogg page at byte {page.offset} does not continue the last")
        offset = page.body_offset
        length = 0
        if page.lacing and min(page.lacing) == 255:
            self._spans.append(Span(offset, page.end - offset))
            return
        for value in page.lacing:
            length += value
            if value < 255:
                self._spans.append(Span(offset, length))
                self.packets.append(Packet(self._spans))
                self._spans.clear()
                offset += length
                length = 0
        if length:
            self._spans.append(Span(offset, length))
