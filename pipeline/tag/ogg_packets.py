"""The first packets of an Ogg stream by their places, and the granule of its last page.

A packet may be a picture of many megabytes in base64. Its pages are followed without their
payload; where pages of one size follow each other, a long way is taken in one step, and the page
that is met there proves by its place and number what lay between.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final

from musefs.index.errors import MediaFormatError
from musefs.pipeline.tag.limits import MAX_ITEMS_WALKED, MAX_LAST_PAGE_SEARCH_BYTES
from musefs.pipeline.tag.window import Window

_HEAD: Final = Struct("<4sBBqIIIB")
_MARK: Final = b"OggS\0"
_FULL_HEAD: Final = _HEAD.size + 255
_FIRST_OF_STREAM: Final = 2
_FEWEST_LACES: Final = 8
"""A page of 2 KiB: below it stepping over pages saves nothing."""

_LONGEST_STEP: Final = 1024
"""Pages stepped over at once; a wrong guess costs one small read."""


@dataclass(frozen=True, slots=True)
class _Page:
    payload: int
    granule: int
    serial: int
    sequence: int
    lacing: bytes
    flags: int

    @property
    def end(self) -> int:
        return self.payload + sum(self.lacing)


class Packet:
    """One packet as stretches of the file."""

    __slots__ = ("_window", "length", "stretches")

    def __init__(self, window: Window) -> None:
        self._window = window
        self.stretches: list[tuple[int, int, int]] = []
        """(first byte in the packet, offset in the file, length)."""
        self.length = 0

    def grow(self, offset: int, length: int) -> None:
        """Append a stretch of the file."""
        if length:
            self.stretches.append((self.length, offset, length))
            self.length += length

    def fetch(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` of the packet."""
        pieces: list[bytes] = []
        for first, place, size in self.stretches:
            if first + size <= offset:
                continue
            if first >= offset + length:
                break
            begin = max(offset - first, 0)
            end = min(offset + length - first, size)
            pieces.append(self._window.read_at(place + begin, end - begin))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _page_at(window: Window, offset: int) -> _Page | None:
    head = window.read_at(offset, _FULL_HEAD)
    if len(head) < _HEAD.size or not head.startswith(_MARK):
        return None
    _, _, flags, granule, serial, sequence, _, count = _HEAD.unpack_from(head)
    lacing = head[_HEAD.size : _HEAD.size + count]
    if len(lacing) < count:
        return None
    return _Page(offset + _HEAD.size + count, granule, serial, sequence, lacing, flags)


def first_packets(window: Window, start: int, count: int) -> list[Packet]:
    """Return the first `count` packets of the stream that begins at `start`; fewer at the end."""
    done: list[Packet] = []
    packet = Packet(window)
    for page in _pages(window, start):
        place, run = page.payload, 0
        for lace in page.lacing:
            run += lace
            if lace < 255:
                packet.grow(place, run)
                done.append(packet)
                if len(done) == count:
                    return done
                packet, place, run = Packet(window), place + run, 0
        packet.grow(place, run)
    return done


def _pages(window: Window, start: int) -> Iterator[_Page]:
    offset, serial, step = start, None, 1
    for _ in range(MAX_ITEMS_WALKED):
        page = _page_at(window, offset)
        if page is None:
            return
        serial = page.serial if serial is None else serial
        if page.serial != serial:
            offset = page.end
            continue
        yield page
        if page.lacing.count(255) < max(len(page.lacing), _FEWEST_LACES):
            offset, step = page.end, 1
            continue
        skipped = _alike_after(window, page, page.end - offset, step)
        yield from skipped
        step = min(step * 2, _LONGEST_STEP) if skipped else 1
        offset = page.end + len(skipped) * (page.end - offset)


def _alike_after(window: Window, page: _Page, length: int, count: int) -> list[_Page]:
    """Return the next `count` pages if they are sure to be like this one, which is all payload.

    The page that should come behind them must be there and have the number that it should have.
    """
    behind = _page_at(window, page.end + count * length)
    if behind is None or behind.serial != page.serial:
        return []
    if behind.sequence != page.sequence + count + 1:
        return []
    return [
        _Page(
            page.payload + n * length, -1, page.serial, page.sequence + n, page.lacing, page.flags
        )
        for n in range(1, count + 1)
    ]


def last_granule(window: Window, serial: int) -> int | None:
    """Return the granule position of the stream's last page; None if none is found."""
    end, step, rest = window.size, 4096, b""
    while end > 0 and window.size - end < MAX_LAST_PAGE_SEARCH_BYTES:
        start = max(0, end - step)
        data = window.read_at(start, end - start) + rest
        found = _last_granule_in(data, serial)
        if found is not None:
            return found
        rest = data[: _HEAD.size]
        end, step = start, step * 2
    return None


def _last_granule_in(data: bytes, serial: int) -> int | None:
    at = data.rfind(_MARK)
    while at >= 0:
        if len(data) - at >= _HEAD.size:
            _, _, _, granule, number, _, _, _ = _HEAD.unpack_from(data, at)
            if number == serial and granule >= 0:
                return int(granule)
        at = data.rfind(_MARK, 0, at)
    return None


def first_page(window: Window, start: int) -> tuple[int, bytes]:
    """Return the serial number and the first packet of the stream that begins at `start`."""
    page = _page_at(window, start)
    if page is None or not page.flags & _FIRST_OF_STREAM:
        raise MediaFormatError("no Ogg page at the start")
    return page.serial, window.read_at(page.payload, sum(page.lacing))
