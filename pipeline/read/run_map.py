"""Where each byte of the logical $MFT lies on the volume."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from musefs.pipeline.ntfs.runs import Run

HOLE = -1
"""Physical offset of bytes that are nowhere: they read as zeros."""


@dataclass(frozen=True, slots=True)
class MapSpan:
    """Successive bytes of the logical file; `physical` is HOLE where nothing can be read."""

    logical: int
    physical: int
    length: int


@dataclass(frozen=True, slots=True)
class RunMap:
    """Spans in logical order from 0, without gaps."""

    spans: tuple[MapSpan, ...]

    @property
    def length(self) -> int:
        """Logical bytes that the map covers."""
        return self.spans[-1].logical + self.spans[-1].length if self.spans else 0

    def pieces(self, logical: int, length: int) -> Iterator[MapSpan]:
        """Yield the parts that hold `length` bytes from `logical`, cut to fit."""
        end = min(logical + length, self.length)
        index = bisect_right(self.spans, logical, key=lambda span: span.logical) - 1
        while logical < end:
            span = self.spans[index]
            skip = logical - span.logical
            count = min(span.length - skip, end - logical)
            physical = HOLE if span.physical == HOLE else span.physical + skip
            yield MapSpan(logical, physical, count)
            logical += count
            index += 1

    def holes_before(self, end: int) -> Iterator[MapSpan]:
        """Yield what cannot be read of the first `end` bytes."""
        return (span for span in self.pieces(0, end) if span.physical == HOLE)

    def cut_to(self, volume_bytes: int) -> "RunMap":
        """Return the map with everything behind the end of a truncated volume made a hole."""
        spans: list[MapSpan] = []
        for span in self.spans:
            inside = max(0, min(span.length, volume_bytes - span.physical))
            if span.physical == HOLE or inside == span.length:
                spans.append(span)
                continue
            if inside:
                spans.append(MapSpan(span.logical, span.physical, inside))
            spans.append(MapSpan(span.logical + inside, HOLE, span.length - inside))
        return RunMap(tuple(spans))


def map_runs(extents: list[tuple[int, tuple[Run, ...]]], cluster_bytes: int) -> RunMap:
    """Return the map of (lowest VCN, runs) extents; a missing extent leaves a hole."""
    spans: list[MapSpan] = []
    logical = 0
    for lowest_vcn, runs in sorted(extents, key=lambda extent: extent[0]):
        start = lowest_vcn * cluster_bytes
        if start < logical:
            continue  # an overlap: what was known first stays
        if start > logical:
            spans.append(MapSpan(logical, HOLE, start - logical))
        logical = start
        for run in runs:
            length = run.clusters * cluster_bytes
            physical = HOLE if run.lcn is None else run.lcn * cluster_bytes
            spans.append(MapSpan(logical, physical, length))
            logical += length
    return RunMap(tuple(spans))
