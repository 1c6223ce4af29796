"""The heart of the scan: chunks in, Arrow batches out in chunk order, whatever the worker count.

Workers parse the sub-ranges of a chunk while this thread assembles the chunk before it. Entry ids
are handed out here, in order of chunk and sub-range, so they are those of the sequential scan.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from musefs.index.counters import degrade
from musefs.index.schema.column import Table
from musefs.pipeline.parse.batches import chunk_batches, joined
from musefs.pipeline.parse.columns import Numbers
from musefs.pipeline.parse.compiler_pages import give_back_compiler_pages
from musefs.pipeline.parse.folders import FolderRows, ParentCounts, count_parents, pick_folders
from musefs.pipeline.parse.kernel import DAMAGE_KINDS
from musefs.pipeline.parse.sub_range import EXTENSIONS, SubRange, SubRangeParser
from musefs.pipeline.phases import ChunkTimes, Span
from musefs.pipeline.read.chunks import cut_sub_ranges
from musefs.pipeline.read.reader import ChunkReader, LoadedChunk

PARSE_THREAD_PREFIX = "musefs-parse"

Append = Callable[[Table, pa.RecordBatch], object]
"""Takes a batch for a table; may block until there is room."""


OnChunk = Callable[[int, int], None]
"""Told the records and bytes of each chunk that is done."""


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A whole record set aside; `entry_id` is None for an extension record."""

    record_number: int
    entry_id: int | None
    record: bytes


@dataclass(slots=True)
class StreamOutcome:
    """What is still needed when the last chunk went by."""

    entries: int = 0
    records: int = 0
    bytes: int = 0
    folders: list[FolderRows] = field(default_factory=list[FolderRows])
    parents: list[ParentCounts] = field(default_factory=list[ParentCounts])
    deferred: list[KeptRecord] = field(default_factory=list[KeptRecord])
    chunks: list[ChunkTimes] = field(default_factory=list[ChunkTimes])
    formats: Numbers = field(default_factory=lambda: np.zeros(2 * len(EXTENSIONS), np.int64))


@dataclass(frozen=True, slots=True)
class _Parsing:
    loaded: LoadedChunk
    parts: list[Future[SubRange]]


class RecordStream:
    """Drives one scan's chunks through the workers."""

    def __init__(
        self,
        parser: SubRangeParser,
        append: Append,
        keep_extension: Callable[[KeptRecord], None],
        on_chunk: OnChunk = lambda _records, _bytes: None,
    ) -> None:
        """`append` and `keep_extension` are called on the thread that runs `run`, in order."""
        self._parser = parser
        self._append = append
        self._keep_extension = keep_extension
        self._on_chunk = on_chunk
        self.outcome = StreamOutcome()

    def run(self, reader: ChunkReader, workers: int) -> StreamOutcome:
        """Parse everything that `reader` gives; on an error every thread has ended."""
        with ThreadPoolExecutor(workers, thread_name_prefix=PARSE_THREAD_PREFIX) as pool:
            try:
                for parsing in self._look_ahead(reader, pool):
                    parts = [part.result() for part in parsing.parts]
                    reader.release(parsing.loaded)
                    self._assemble(parsing.loaded, parts)
                    if parsing.loaded.chunk.first_record == 0:
                        give_back_compiler_pages()  # the kernel is loaded by now
                    del parsing, parts  # 10 MiB that the next chunk's parsing need not sit beside
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return self.outcome

    def _look_ahead(self, reader: ChunkReader, pool: ThreadPoolExecutor) -> Iterator[_Parsing]:
        """Submit each chunk before the one before it is assembled, so that workers never wait."""
        before: _Parsing | None = None
        for loaded in reader:
            parsing = self._submit(loaded, pool)
            if before is not None:
                yield before
            before = parsing
        if before is not None:
            yield before

    def _submit(self, loaded: LoadedChunk, pool: ThreadPoolExecutor) -> _Parsing:
        settings = self._parser.settings
        record_bytes = settings.record_bytes
        ranges = cut_sub_ranges(loaded.chunk.length, record_bytes, settings.sub_range_bytes)
        first = loaded.chunk.first_record
        return _Parsing(
            loaded,
            [
                pool.submit(
                    self._parser.parse, loaded.buffer, at, length, first + at // record_bytes
                )
                for at, length in ranges
            ],
        )

    def _assemble(self, loaded: LoadedChunk, parts: list[SubRange]) -> None:
        outcome = self.outcome
        first_entry = outcome.entries
        self._set_aside(parts, first_entry)
        entries, names = joined(parts, "entries"), joined(parts, "names")
        for table, batch in chunk_batches(parts, entries, names, first_entry):
            if table.name == "names":
                outcome.folders.append(pick_folders(entries, names, batch, first_entry))
                outcome.parents.append(count_parents(names))
            self._append(table, batch)
        outcome.entries += sum(part.entry_count for part in parts)
        records = loaded.chunk.length // self._parser.settings.record_bytes
        outcome.records += records
        outcome.bytes += loaded.chunk.length
        outcome.chunks.append(_times_of(loaded, parts, records))
        for part in parts:
            outcome.formats += part.formats
        self._report_damage(loaded, np.sum([part.damage for part in parts], axis=0))
        self._on_chunk(records, loaded.chunk.length)

    def _set_aside(self, parts: list[SubRange], first_entry: int) -> None:
        for part in parts:
            for line, record in zip(part.kept, part.kept_records, strict=True):
                entry = int(line["entry"])
                number = int(line["record_number"])
                if entry < 0:
                    self._keep_extension(KeptRecord(number, None, record.tobytes()))
                else:
                    kept = KeptRecord(number, first_entry + entry, record.tobytes())
                    self.outcome.deferred.append(kept)
            first_entry += part.entry_count

    def _report_damage(self, loaded: LoadedChunk, damage: Numbers) -> None:
        for kind, count in zip(DAMAGE_KINDS, damage.tolist(), strict=False):
            if count:
                words = "%d of %s from record %d on"
                degrade(kind, words, count, kind.value, loaded.chunk.first_record, amount=count)


def _times_of(loaded: LoadedChunk, parts: list[SubRange], records: int) -> ChunkTimes:
    chunk = loaded.chunk
    started = min(part.parsed.started for part in parts)
    ended = max(part.parsed.ended for part in parts)
    return ChunkTimes(
        chunk.index, chunk.first_record, records, chunk.length, loaded.read, Span(started, ended)
    )
