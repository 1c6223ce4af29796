"""One worker's job: run the kernel over a sub-range and copy what it filled out of its buffers."""

import mmap
import threading
import time
from dataclasses import dataclass

import numpy as np

from musefs.pipeline.ntfs.content import Geometry
from musefs.pipeline.ntfs.extensions import packed_table
from musefs.pipeline.parse.columns import (
    Bytes,
    Columns,
    Count,
    Numbers,
    Rows,
    allocate_columns,
)
from musefs.pipeline.parse.compiled import is_compiled
from musefs.pipeline.parse.kernel import parse_sub_range
from musefs.pipeline.phases import Phase, PhaseClock, Span

EXTENSIONS = tuple(text for _, text in packed_table())
"""The readable extensions in the order in which the kernel counts them."""


@dataclass(frozen=True, slots=True)
class SubRange:
    """What one sub-range of a chunk says; entries are numbered from 0 within it."""

    entries: Rows
    names: Rows
    streams: Rows
    contents: Rows
    text: Bytes
    exact: Bytes
    short: Bytes
    target: Bytes
    stream_text: Bytes
    stream_exact: Bytes
    blob: Bytes
    spans: Numbers
    kept: Rows
    kept_records: Bytes
    """The records set aside, fixed up, one row each."""
    entry_count: int
    formats: Numbers
    damage: Numbers
    parsed: Span
    """When; the chunk's part that is parsed last says when the chunk was."""


@dataclass(slots=True)
class ParseSettings:
    """What every sub-range of one scan shares."""

    record_bytes: int
    sub_range_bytes: int
    records: int
    geometry: Geometry
    deleted: bool = False
    keep_torn: bool = False


def needs_compiling() -> bool:
    """Say whether the first sub-range would wait for the compiler."""
    return not is_compiled(parse_sub_range)


def compile_parser(settings: ParseSettings) -> None:
    """Compile the parser by parsing nothing."""
    size = settings.record_bytes
    nothing = ParseSettings(size, size, 0, settings.geometry)
    SubRangeParser(nothing).parse(bytearray(), 0, 0, 0)


class SubRangeParser:
    """Parses sub-ranges on any number of threads, each with column buffers of its own."""

    def __init__(self, settings: ParseSettings, clock: PhaseClock | None = None) -> None:
        """Nothing is compiled or allocated before the first sub-range."""
        self.settings = settings
        self._clock = clock or PhaseClock()
        self._local = threading.local()
        self._table = np.array([packed for packed, _ in packed_table()], np.int64)
        geometry = settings.geometry
        self._options = np.array(
            [
                settings.deleted,
                settings.keep_torn,
                geometry.cluster_bytes,
                geometry.volume_clusters,
            ],
            np.int64,
        )

    def parse(
        self, buffer: bytearray | mmap.mmap, at: int, length: int, first_record: int
    ) -> SubRange:
        """Parse `length` bytes at `at` of a chunk's buffer; fixes records up in place."""
        started = time.perf_counter()
        record_bytes = self.settings.record_bytes
        raw = np.frombuffer(buffer, np.uint8, length, at)
        records = raw.reshape(-1, record_bytes)
        columns = self._columns()
        parse_sub_range(
            records,
            first_record,
            self._options,
            self._table,
            columns,
        )
        result = _copy_out(columns, records, started)
        span = result.parsed
        self._clock.add_span(
            Phase.PARSE, span.started, span.ended, items=len(records), length=length
        )
        return result

    def _columns(self) -> Columns:
        columns: Columns | None = getattr(self._local, "columns", None)
        if columns is None:
            settings = self.settings
            size = max(settings.record_bytes, settings.sub_range_bytes)
            columns = allocate_columns(size, settings.record_bytes, len(self._table))
            self._local.columns = columns
        return columns


def _copy_out(columns: Columns, records: Bytes, started: float) -> SubRange:
    counts = columns.counts
    kept = columns.kept[: counts[Count.KEPT]].copy()
    return SubRange(
        entries=columns.entries[: counts[Count.ENTRIES]].copy(),
        names=columns.names[: counts[Count.NAMES]].copy(),
        streams=columns.streams[: counts[Count.STREAMS]].copy(),
        contents=columns.contents[: counts[Count.CONTENTS]].copy(),
        text=columns.text[: counts[Count.TEXT]].copy(),
        exact=columns.exact[: counts[Count.EXACT]].copy(),
        short=columns.short[: counts[Count.SHORT]].copy(),
        target=columns.target[: counts[Count.TARGET]].copy(),
        stream_text=columns.stream_text[: counts[Count.STREAM_TEXT]].copy(),
        stream_exact=columns.stream_exact[: counts[Count.STREAM_EXACT]].copy(),
        blob=columns.blob[: counts[Count.BLOB]].copy(),
        spans=columns.spans[: counts[Count.SPANS]].copy(),
        kept=kept,
        kept_records=records[kept["row"]],
        entry_count=int(counts[Count.NEXT_ENTRY]),
        formats=columns.formats.copy(),
        damage=columns.damage.copy(),
        parsed=Span(started, time.perf_counter()),  # evaluated last: the copies are work as well
    )
