"""Whether an Ogg file is one stream to its end, told without reading it.

The last page of a chained file mostly has another serial number than the first. Where the streams
share one (files of one encoder that were strung together), the numbers of the pages start anew:
there are fewer of them than the bytes between two pages need, in one half of the file more
clearly than in the other, until a number is met that is no higher than an earlier one.
"""

from musefs.index.errors import MediaFormatError
from musefs.index.media.ogg_page import (
    CAPTURE,
    FIRST,
    LARGEST_BODY_BYTES,
    LARGEST_HEADER_BYTES,
    OggPage,
    granule_of,
    parse_page,
)
from musefs.index.media.reading import ReadAt

_LARGEST_PAGE_BYTES = LARGEST_HEADER_BYTES + LARGEST_BODY_BYTES
_TAILS_BYTES = (4096, 8192, 20480)
"""Where the last page is looked for: of Vorbis, of Opus (a second of audio), of most streams."""

_FEW_PAGES = 8
"""So short a file of large pages is walked instead of reading the largest page's length."""

_WALKED_BYTES = 32 << 10
"""A stretch between two pages that is walked page by page: eight pages of the usual size."""

_USUAL_PAGE_BYTES = 8192
"""Pages up to this size are even enough, and near enough, to look at one in the middle."""

_UNEVEN = 1.25
"""Bytes a page number in one half over those in the other; pages of one stream differ by less."""

_SUSPICIOUS = 1.6
"""Bytes a page number over those of one page; large pages follow the music's loudness."""

_PROBES = 8
"""Halvings of a file: a stream of one part in 250 is met."""


def check_one_stream(read_at: ReadAt, serial: int, begin: int, end: int) -> int | None:
    """Return the granule position of the page that ends the audio; None where none is found.

    Raises MediaFormatError for a file of several streams one after the other. A file that was cut
    off has no page at its end; that is no reason to refuse it.
    """
    last = _last_page(read_at, begin, end)
    if last is None:
        return None
    if last.serial != serial:
        raise MediaFormatError("several streams are chained in one Ogg file")
    first = _page_at(read_at, begin)
    if first is not None and first.serial == serial and _starts_anew(read_at, first, last):
        raise MediaFormatError("several streams of one serial number are chained in one Ogg file")
    return granule_of(read_at(last.offset, LARGEST_HEADER_BYTES))


def _page_at(read_at: ReadAt, offset: int) -> OggPage | None:
    return parse_page(read_at(offset, LARGEST_HEADER_BYTES), offset)


def _last_page(read_at: ReadAt, begin: int, end: int) -> OggPage | None:
    tail, tail_begin = b"", end
    for length in _TAILS_BYTES:
        new_begin = max(begin, end - length)
        tail = read_at(new_begin, tail_begin - new_begin) + tail
        tail_begin = new_begin
        page = _page_ending(tail, tail_begin, end)
        if page is not None or tail_begin == begin:
            return page
    page = _walked_to(read_at, begin, end)
    if page is None:
        tail_begin = max(begin, end - _LARGEST_PAGE_BYTES)
        page = _page_ending(read_at(tail_begin, end - tail_begin), tail_begin, end)
    return page


def _page_ending(tail: bytes, tail_begin: int, end: int) -> OggPage | None:
    at = tail.rfind(CAPTURE)
    while at >= 0:
        page = parse_page(tail[at : at + LARGEST_HEADER_BYTES], tail_begin + at)
        if page is not None and page.end == end:
            return page
        at = tail.rfind(CAPTURE, 0, at)
    return None


def _walked_to(read_at: ReadAt, offset: int, end: int) -> OggPage | None:
    for _ in range(_FEW_PAGES):
        page = _page_at(read_at, offset)
        if page is None or page.end > end:
            return None
        if page.end == end:
            return page
        offset = page.end
    return None


def _starts_anew(read_at: ReadAt, first: OggPage, last: OggPage) -> bool:
    """Tell whether page numbers start anew between two pages of one serial number."""
    span, pages = last.offset - first.offset, last.sequence - first.sequence
    if (span > 0 and last.flags & FIRST) or span > pages * _LARGEST_PAGE_BYTES:
        return True
    average = span // max(pages, 1)
    if average > max(_USUAL_PAGE_BYTES, _SUSPICIOUS * (first.end - first.offset)):
        reach = min(2 * average, _LARGEST_PAGE_BYTES)
    elif average > _USUAL_PAGE_BYTES:
        return False
    else:
        reach = max(average * 5 // 4, first.end - first.offset) + LARGEST_HEADER_BYTES
    return _restarts(read_at, first, last, reach)


def _restarts(read_at: ReadAt, low: OggPage, high: OggPage, reach: int) -> bool:
    """Look for a page number out of order, where the numbers are too few for the bytes."""
    for _ in range(_PROBES):
        if high.offset - low.end <= _WALKED_BYTES:
            return _walk_restarts(read_at, low, high)
        middle = _page_behind(read_at, (low.end + high.offset) // 2, reach, low.serial)
        if middle is None or not low.offset < middle.offset < high.offset:
            return False
        if middle.flags & FIRST or not low.sequence < middle.sequence < high.sequence:
            return True
        before = (middle.offset - low.offset) / (middle.sequence - low.sequence)
        after = (high.offset - middle.offset) / (high.sequence - middle.sequence)
        much = _SUSPICIOUS * (middle.end - middle.offset)
        if before > min(_UNEVEN * after, much):
            high = middle
        elif after > min(_UNEVEN * before, much):
            low = middle
        else:
            return False
    return False


def _page_behind(read_at: ReadAt, offset: int, reach: int, serial: int) -> OggPage | None:
    data = read_at(offset, reach)
    at = data.find(CAPTURE)
    while at >= 0:
        page = parse_page(data[at : at + LARGEST_HEADER_BYTES], offset + at)
        if page is not None and page.serial == serial:
            return page
        at = data.find(CAPTURE, at + 1)
    return None


def _walk_restarts(read_at: ReadAt, low: OggPage, high: OggPage) -> bool:
    page: OggPage | None = low
    while page is not None and page.end < high.offset:
        known = page.sequence
        page = _page_at(read_at, page.end)
        if page is not None and (page.flags & FIRST or page.sequence <= known):
            return True
    return False
