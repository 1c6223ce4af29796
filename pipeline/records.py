"""The scan of one NTFS volume or saved $MFT: layout, read, parse, resolve, as one function.

Gives every batch to `append` in the order of the sequential scan. What is done with the batches,
what a tag stage does and when the index is published is `musefs.pipeline.scan`.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from musefs.index.schema.volume_tables import DIRECTORIES
from musefs.pipeline.ntfs.entry import EntryFacts
from musefs.pipeline.ntfs.extensions import packed_extension, packed_table
from musefs.pipeline.parse.stream import Append, OnChunk, RecordStream, StreamOutcome
from musefs.pipeline.parse.sub_range import (
    EXTENSIONS,
    ParseSettings,
    SubRangeParser,
    compile_parser,
    needs_compiling,
)
from musefs.pipeline.phases import ChunkTimes, Phase, PhaseClock
from musefs.pipeline.read.chunks import CHUNK_BYTES, SUB_RANGE_BYTES, plan_chunks
from musefs.pipeline.read.layout import MftLayout, read_exactly
from musefs.pipeline.read.reader import ChunkReader, StartThread, start_io_thread
from musefs.pipeline.read.run_map import HOLE
from musefs.pipeline.resolve.deferred import DeferredRecords
from musefs.pipeline.resolve.entry_rows import batches_of, folders_of, parents_of, table_rows
from musefs.pipeline.resolve.extension_cache import EXTENSION_CACHE_CAP, ExtensionCache
from musefs.pipeline.resolve.paths import resolve_paths
from musefs.pipeline.volume.seam import Volume

DEFERRED_BLOCK = 1024
"""Deferred entries turned into one batch: bounds memory, and few enough batches for the writer."""


Block = list[tuple[int, EntryFacts]]

_PLACES = {packed: place for place, (packed, _) in enumerate(packed_table())}


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """How records are scanned; all but `deleted` change speed and memory only."""

    deleted: bool = False
    workers: int = 0
    """0 is one for each CPU."""
    chunk_bytes: int = CHUNK_BYTES
    sub_range_bytes: int = SUB_RANGE_BYTES
    extension_cap: int = EXTENSION_CACHE_CAP
    start_thread: StartThread = start_io_thread
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class RecordTotals:
    """What the scan of the records found."""

    records: int
    bytes: int
    entries: int
    deferred: int
    extensions: int
    folders: int
    formats: dict[str, tuple[int, int]]
    """Files and bytes by readable extension."""
    disk_reads_after_stream: int
    chunks: list[ChunkTimes]


class RecordReader:
    """Reads single records again, counting how often; opened with the volume, used rarely."""

    def __init__(self, volume: Volume, layout: MftLayout) -> None:
        """Reads nothing yet."""
        self._volume = volume
        self._layout = layout
        self.reads = 0

    def read(self, number: int) -> bytearray | None:
        """Return the raw record, or None if a part of it cannot be had."""
        size = self._layout.record_bytes
        record = bytearray()
        for piece in self._layout.run_map.pieces(number * size, size):
            if piece.physical == HOLE:
                return None
            self.reads += 1
            record += read_exactly(self._volume, piece.physical, piece.length)
        return record if len(record) == size else None


def prepare_parser(layout: MftLayout, clock: PhaseClock, tell: Callable[[str], None]) -> None:
    """Compile the parser on the first scan of a version, before anything waits for it."""
    if needs_compiling():
        tell("compiling the record parser, once for this version (about ten seconds)")
        with clock.timed(Phase.COMPILE):
            compile_parser(ParseSettings(layout.record_bytes, 0, 0, layout.geometry))


def scan_records(
    volume: Volume,
    layout: MftLayout,
    append: Append,
    options: RecordOptions,
    clock: PhaseClock,
    on_chunk: OnChunk = lambda _records, _bytes: None,
) -> RecordTotals:
    """Scan all records; on an error every thread has ended and the error is raised."""
    plan = plan_chunks(layout, options.chunk_bytes)
    parser = SubRangeParser(_settings(volume, layout, options), clock)
    cache = ExtensionCache(options.extension_cap)
    stream = RecordStream(parser, append, cache.keep, on_chunk)
    with ChunkReader(
        volume, plan, clock, start_thread=options.start_thread, cancelled=options.cancelled
    ) as reader:
        outcome = stream.run(reader, options.workers or os.cpu_count() or 1)
    extensions = len(cache)
    again = RecordReader(volume, layout)
    started = time.perf_counter()
    _resolve_deferred(outcome, DeferredRecords(cache, layout.geometry, again.read), append)
    directories = resolve_paths(outcome.folders, outcome.parents, layout.records)
    append(DIRECTORIES, directories)
    clock.add(Phase.RESOLVE, started, items=len(outcome.deferred) + directories.num_rows)
    return _totals(outcome, extensions, directories.num_rows, again.reads)


def _settings(volume: Volume, layout: MftLayout, options: RecordOptions) -> ParseSettings:
    return ParseSettings(
        record_bytes=layout.record_bytes,
        sub_range_bytes=options.sub_range_bytes,
        records=layout.records,
        geometry=layout.geometry,
        deleted=options.deleted,
        keep_torn=volume.is_live,
    )


def _resolve_deferred(outcome: StreamOutcome, records: DeferredRecords, append: Append) -> None:
    block: Block = []
    for resolved in records.resolve(outcome.deferred):
        block.append(resolved)
        if len(block) == DEFERRED_BLOCK:
            _append_block(block, outcome, append)
            block = []
    if block:
        _append_block(block, outcome, append)


def _append_block(block: Block, outcome: StreamOutcome, append: Append) -> None:
    for table, batch in batches_of(table_rows(block)):
        append(table, batch)
    outcome.folders.append(folders_of(block))
    outcome.parents.append(parents_of(block))
    for _, entry in block:
        packed = (packed_extension(link.name.utf16) for link in entry.links)
        place = next((_PLACES[number] for number in packed if number in _PLACES), None)
        if place is not None and entry.header.in_use and entry.size is not None:
            outcome.formats[2 * place] += 1
            outcome.formats[2 * place + 1] += entry.size


def _totals(outcome: StreamOutcome, extensions: int, folders: int, reads: int) -> RecordTotals:
    files, sizes = outcome.formats[0::2].tolist(), outcome.formats[1::2].tolist()
    formats = {
        text: (count, size)
        for text, count, size in zip(EXTENSIONS, files, sizes, strict=True)
        if count
    }
    return RecordTotals(
        records=outcome.records,
        bytes=outcome.bytes,
        entries=outcome.entries,
        deferred=len(outcome.deferred),
        extensions=extensions,
        folders=folders,
        formats=formats,
        disk_reads_after_stream=reads,
        chunks=outcome.chunks,
    )
