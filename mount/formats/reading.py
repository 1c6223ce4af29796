"""What segments read from while they are served: the original, added pictures, decoded bytes.

One `ReadContext` belongs to one open handle and may be shared by threads. Which original is
opened, and whether it is still the one that was scanned, is the mount's business.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from musefs.index.backing.content import Content
from musefs.index.errors import BackingChangedError, ContentError
from musefs.index.media.facts import Span

DECODED_CACHE_BYTES = 64 << 20
"""Default budget for decoded pictures and Ogg headers: a few dozen covers at reading time."""

LARGEST_GAPS_BYTES = 64 << 10
"""Bytes read for nothing to save reads: about what one more read of cached pages costs."""


class ArtProvider(Protocol):
    """Where the bytes of pictures that users added come from."""

    def read_art(self, art_hash: str, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes of the picture, or raise ContentError."""
        ...


class NoArt:
    """The provider of a library without added pictures."""

    def read_art(self, art_hash: str, offset: int, length: int) -> bytes:
        """Refuse: there is no such picture."""
        raise ContentError(f"no stored picture {art_hash} for bytes {offset}+{length}")


class DecodedCache:
    """Bytes that took work to make, newest kept, bounded by their sum; safe to share.

    Keys are segments, compared by identity: a layout is immutable and belongs to one state of one
    original, so what a segment once gave it always gives.
    """

    def __init__(self, limit_bytes: int = DECODED_CACHE_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[object, bytes] = OrderedDict()
        self._held_bytes = 0
        self._hits = 0
        self._misses = 0

    def get(self, key: object, make: Callable[[], bytes]) -> bytes:
        """Return what `key` stands for; made outside the lock, so twice at worst."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                self._hits += 1
                return found
            self._misses += 1
        made = make()
        self._keep(key, made)
        return made

    def _keep(self, key: object, made: bytes) -> None:
        with self._lock:
            if len(made) > self._limit_bytes or key in self._kept:
                return
            self._kept[key] = made
            self._held_bytes += len(made)
            while self._held_bytes > self._limit_bytes:
                _, dropped = self._kept.popitem(last=False)
                self._held_bytes -= len(dropped)

    def statistics(self) -> dict[str, int]:
        """Return hits, misses, entries, bytes held and the limit."""
        with self._lock:
            return {
                "hits": self._hits,
                "misses": self._misses,
                "entries": len(self._kept),
                "bytes": self._held_bytes,
                "limit_bytes": self._limit_bytes,
            }


class PageMemo:
    """Where readers stopped, and which Ogg page lies there, so that the next one need not search.

    Several places, because a kernel reads ahead with more than one request in flight.
    """

    LIMIT = 64

    def __init__(self) -> None:
        self._pages: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._lock = threading.Lock()

    def page_at(self, region: int, offset: int) -> int | None:
        """Return the start of the page known to hold `offset` of the region, if any."""
        return self._pages.get((region, offset))

    def remember(self, region: int, offset: int, page_start: int) -> None:
        """Keep where the page that holds `offset` begins."""
        with self._lock:
            self._pages[region, offset] = page_start
            if len(self._pages) > self.LIMIT:
                self._pages.popitem(last=False)


@dataclass(frozen=True, slots=True)
class ReadContext:
    """All that the bytes of a layout depend on besides the layout."""

    original: Content
    art: ArtProvider = field(default_factory=NoArt)
    decoded: DecodedCache = field(default_factory=DecodedCache)
    pages: PageMemo = field(default_factory=PageMemo)


def read_exactly(original: Content, offset: int, length: int) -> bytes:
    """Read a range that the scan knew to exist; shorter means another file by now."""
    data = original.read_at(offset, length)
    if len(data) != length:
        raise BackingChangedError(
            f"the original ends at byte {offset + len(data)}, expected {offset + length}"
        )
    return data


def read_spans(original: Content, spans: tuple[Span, ...], offset: int, length: int) -> bytes:
    """Read part of the bytes that `spans` are in order.

    Neighbours with little between them, such as a packet's parts between the headers of Ogg pages,
    are fetched together: a read costs more than some bytes too many.
    """
    touched: list[tuple[int, int]] = []
    for begin, span_length in spans:
        if offset < span_length:
            take = min(span_length - offset, length)
            touched.append((begin + offset, take))
            length -= take
            offset = 0
            if length <= 0:
                break
        else:
            offset -= span_length
    if length > 0:
        raise BackingChangedError(f"{length} bytes lie outside of the known ranges")
    if len(touched) == 1:
        return read_exactly(original, *touched[0])
    return _read_together(original, touched)


def _read_together(original: Content, ranges: list[tuple[int, int]]) -> bytes:
    """Read ranges, in one go where they ascend with small gaps."""
    wanted = sum(length for _, length in ranges)
    start = ranges[0][0]
    extent = sum(ranges[-1]) - start
    ascends = all(sum(one) <= following[0] for one, following in pairwise(ranges))
    if not ascends or extent > wanted + LARGEST_GAPS_BYTES:
        return b"".join([read_exactly(original, *one) for one in ranges])
    data = memoryview(read_exactly(original, start, extent))
    return b"".join([data[begin - start : begin - start + length] for begin, length in ranges])
