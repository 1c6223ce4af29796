"""Ogg pages as segments: header packets cut into fresh pages, audio pages with new numbers.

Neither is made before it is read. A fresh page needs only the bytes it carries, so a large picture
costs nothing until its own pages are read. An audio page keeps its payload: its number and, by
`checksum_change`, its checksum are all that differ.
"""

import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Span
from musefs.index.media.ogg_crc import CHECKSUM_OFFSET, checksum, checksum_change, page_checksum
from musefs.index.media.ogg_page import (
    CAPTURE,
    CONTINUED,
    FIRST,
    FIXED_HEADER_BYTES,
    LARGEST_BODY_BYTES,
    LARGEST_HEADER_BYTES,
    NO_PACKET_ENDS,
    write_header,
)
from musefs.mount.formats.layout import Layout, read_layout
from musefs.mount.formats.reading import ReadContext, read_exactly
from musefs.mount.formats.segments import RangeOfOriginal

LACING_PER_PAGE = 255
_LARGEST_PAGE_BYTES = LARGEST_HEADER_BYTES + LARGEST_BODY_BYTES
_NUMBERS = struct.Struct("<IIIB")
"""Serial, sequence, checksum and number of lacing values, from byte 14 of a page."""
_PLACE = struct.Struct("<II")
"""Serial and sequence."""
_SERIAL_OFFSET = 14
_PLACE_END = _SERIAL_OFFSET + _PLACE.size
_VERSION_START = CAPTURE + b"\0"
_SEQUENCE_MASK = 0xFFFF_FFFF


def lacing_of(packet_lengths: Sequence[int]) -> bytes:
    """Return the lacing values of packets that share pages."""
    return b"".join(b"\xff" * (length // 255) + bytes((length % 255,)) for length in packet_lengths)


@dataclass(frozen=True, slots=True, eq=False)
class PacketPages:
    """Packets in pages of their own, from page number `first_sequence` on."""

    payload: Layout
    """The packets, one behind the other."""
    lacing: bytes
    serial: int
    first_sequence: int
    starts: tuple[int, ...]
    """Where each page begins in the segment."""
    length: int

    @property
    def originals(self) -> tuple[Span, ...]:
        """Ranges that the packets are made of."""
        return self.payload.originals

    @property
    def uses_art(self) -> bool:
        """Whether a packet holds a picture that a user added."""
        return self.payload.uses_art

    @property
    def held_bytes(self) -> int:
        """What the packets keep, and the lacing."""
        return self.payload.generated_bytes + len(self.lacing)

    @property
    def is_light(self) -> bool:
        """As light as the packets."""
        return self.payload.is_light

    @property
    def page_count(self) -> int:
        """Number of pages."""
        return len(self.starts)

    def read(self, offset: int, length: int, context: ReadContext) -> bytes:
        """Make the pages that the range touches; each is kept while it may be asked for again."""
        index = bisect_right(self.starts, offset) - 1
        skip = offset - self.starts[index]
        pages: list[bytes] = []
        missing = skip + length
        while missing > 0:
            page = self._page(index, context)
            pages.append(page)
            missing -= len(page)
            index += 1
        data = pages[0] if len(pages) == 1 else b"".join(pages)
        return data[skip : skip + length]

    def _page(self, index: int, context: ReadContext) -> bytes:
        return context.decoded.get((self, index), lambda: self._make_page(index, context))

    def _make_page(self, index: int, context: ReadContext) -> bytes:
        begin = index * LACING_PER_PAGE
        lacing = self.lacing[begin : begin + LACING_PER_PAGE]
        flags = CONTINUED if begin and self.lacing[begin - 1] == 255 else 0
        if self.first_sequence + index == 0:
            flags |= FIRST
        granule = 0 if min(lacing) < 255 else NO_PACKET_ENDS
        payload_offset = self.starts[index] - index * LARGEST_HEADER_BYTES
        payload = read_layout(self.payload, payload_offset, sum(lacing), context)
        sequence = self.first_sequence + index
        unsigned = write_header(flags, granule, self.serial, sequence, 0, lacing) + payload
        total = checksum(unsigned)
        return write_header(flags, granule, self.serial, sequence, total, lacing) + payload


def packet_pages(
    packets: Sequence[int], payload: Layout, serial: int, first_sequence: int
) -> PacketPages:
    """Return the pages of packets of these lengths, whose bytes `payload` has in order."""
    lacing = lacing_of(packets)
    if sum(packets) != payload.size:
        raise MediaFormatError("an Ogg header's packets and their bytes differ in length")
    starts = [0]
    for begin in range(0, len(lacing), LACING_PER_PAGE):
        values = lacing[begin : begin + LACING_PER_PAGE]
        starts.append(starts[-1] + FIXED_HEADER_BYTES + len(values) + sum(values))
    return PacketPages(payload, lacing, serial, first_sequence, tuple(starts[:-1]), starts[-1])


@dataclass(frozen=True, slots=True, eq=False)
class RenumberedPages(RangeOfOriginal):
    """The audio pages of the original, each page number moved by `delta`.

    A page is what begins with `OggS` and is followed by the next page of our stream, or else has
    a checksum that holds. Everything else (damage, a cut last page, a foreign stream) is served as
    it is; so what a byte is does not depend on where reading began.
    """

    offset: int
    length: int
    serial: int
    delta: int

    def read(self, offset: int, length: int, context: ReadContext) -> bytes:
        """Read the pages that the range touches and give them their new numbers."""
        start = self._page_start(offset, context)
        stop = offset + length
        read_end = min(self.length, stop + LARGEST_HEADER_BYTES)
        data = read_exactly(context.original, self.offset + start, read_end - start)
        patched = bytearray(data)
        reached = self._renumber(data, patched, start, stop, context)
        if reached >= 0:
            context.pages.remember(self.offset, stop, reached)
        return bytes(memoryview(patched)[offset - start : stop - start])

    def _renumber(
        self, data: bytes, patched: bytearray, start: int, stop: int, context: ReadContext
    ) -> int:
        """Patch pages in place; return where the page at `stop` begins, -1 if none is there."""
        position, page_begin = 0, -1
        limit = stop - start
        while position < limit:
            end = _page_end(data, position)
            if end >= 0 and self._is_page(data, position, end, start, context):
                self._patch(data, patched, position, end - position)
                page_begin, position = position, end
                continue
            page_begin = -1
            position = data.find(CAPTURE, position + 1)
            if position < 0:
                return -1
        if page_begin < 0:
            return -1
        return start + (position if position == limit else page_begin)

    def _patch(self, data: bytes, patched: bytearray, position: int, length: int) -> None:
        at = position + _SERIAL_OFFSET
        serial, old, signed, count = _NUMBERS.unpack_from(data, at)
        if serial == self.serial:
            new = (old + self.delta) & _SEQUENCE_MASK
            change = checksum_change(old ^ new, length)
            _NUMBERS.pack_into(patched, at, serial, new, signed ^ change, count)

    def _is_page(self, data: bytes, begin: int, end: int, start: int, context: ReadContext) -> bool:
        """Tell whether the page-like range of `data` is a page: see the class.

        `data` begins at `start` of the region and may end before the page that follows.
        """
        serial, sequence = _PLACE.unpack_from(data, begin + _SERIAL_OFFSET)
        if serial == self.serial:
            if _follows(data, end, serial, sequence):
                return True
            if end + _PLACE_END > len(data):
                ahead = context.original.read_at(self.offset + start + end, _PLACE_END)
                if start + end < self.length and _follows(ahead, 0, serial, sequence):
                    return True
        if start + end > self.length:
            return False
        page = read_exactly(context.original, self.offset + start + begin, end - begin)
        return page_checksum(page) == int.from_bytes(
            page[CHECKSUM_OFFSET : CHECKSUM_OFFSET + 4], "little"
        )

    def _page_start(self, offset: int, context: ReadContext) -> int:
        """Return where the page that holds `offset` begins, or `offset` where no page holds it."""
        if offset == 0:
            return 0
        known = context.pages.page_at(self.offset, offset)
        if known is not None:
            return known
        begin = max(0, offset - _LARGEST_PAGE_BYTES)
        end = min(self.length, offset + LARGEST_HEADER_BYTES)
        data = read_exactly(context.original, self.offset + begin, end - begin)
        at = data.rfind(CAPTURE, 0, offset - begin + len(CAPTURE))
        while at >= 0:
            page_end = _page_end(data, at)
            if page_end >= 0 and self._is_page(data, at, page_end, begin, context):
                return begin + at if begin + page_end > offset else offset
            at = data.rfind(CAPTURE, 0, at)
        return offset


def _follows(data: bytes, position: int, serial: int, sequence: int) -> bool:
    """Tell whether the page behind page `sequence` of a stream begins at `position`."""
    if not data.startswith(_VERSION_START, position) or len(data) < position + _PLACE_END:
        return False
    expected = (serial, (sequence + 1) & _SEQUENCE_MASK)
    return _PLACE.unpack_from(data, position + _SERIAL_OFFSET) == expected


def _page_end(data: bytes, position: int) -> int:
    """Return where the page that begins at `position` would end, -1 if none begins there."""
    body = position + FIXED_HEADER_BYTES
    if not data.startswith(_VERSION_START, position) or len(data) < body:
        return -1
    body += data[body - 1]
    if len(data) < body or data[position + 5] > 7:
        return -1
    return body + sum(data[position + FIXED_HEADER_BYTES : body])
