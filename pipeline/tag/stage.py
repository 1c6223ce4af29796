"""The tag stage: every audio file of a scan becomes a track, and only what changed is read.

It compares the candidates with the tracks of the published index, reads new and changed files in
worker processes in the order of the disk, and appends the tracks of all, and tags, blocks, art
and problems of what was read. What a user edited, and what was not read, is carried over by
musefs.index.edit.merge.
"""

import gc
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

import polars as pl
import pyarrow as pa

from musefs.index.counters import Counter, degrade
from musefs.index.errors import CancelledError
from musefs.index.schema.column import Table
from musefs.index.schema.library_tables import BLOCKS, PROBLEMS, SCANNED_ART, SCANNED_TAGS, TRACKS
from musefs.pipeline.tag import batches
from musefs.pipeline.tag.disk import rotates
from musefs.pipeline.tag.learned import Learned
from musefs.pipeline.tag.pool import MAX_WORKERS, WorkerPool
from musefs.pipeline.tag.rescan import Comparison, Moves, as_they_were, compare
from musefs.pipeline.tag.sources import BytesSource, Job, MountedSource
from musefs.pipeline.tag.tracks import TrackRows
from musefs.pipeline.tag.worker import WorkerSetup

CHUNK_FILES: Final = 64
"""Files that a worker reads at once: some 10 ms of work, so that the last chunk keeps no one
waiting."""

SWEPT_CHUNK_FILES: Final = 512
"""On a rotating disk: the more files one sweep serves the shorter its seeks; 14 MiB of memory."""

BATCH_FILES: Final = 4096
"""Files whose rows are appended together: far more than an insert costs, little memory."""

BATCH_TRACKS: Final = 65_536
"""Tracks that are appended together without being read: some 20 MiB."""

Emit = Callable[[Table, pa.RecordBatch], object]
Progress = Callable[["TagProgress"], None]


class OldLibrary(Protocol):
    """What the published index knows; see `musefs.pipeline.tag.tracks.Library`."""

    @property
    def tracks(self) -> pl.DataFrame:
        """Rows of its tracks table."""
        ...

    @property
    def high_water(self) -> int:
        """The highest track id ever given."""
        ...


@dataclass(frozen=True, slots=True)
class TagOptions:
    """How the stage works."""

    workers: int = 0
    """Processes; 0 lets the stage choose: one for each core, one alone on a rotating disk."""
    force: bool = False
    """Read files whose stamp did not change as well."""
    full_hash: bool = False
    """Hash all of the audio, not only samples."""
    read: bool = True
    """Whether files are opened at all; without, tracks are kept as they were."""
    prune: bool = False
    """Drop tracks whose file is gone, with the edits that were made to them."""
    same_volume: bool = True
    """Record numbers mean the same files as before; else only paths and audio tell."""
    sweep: bool | None = None
    """Read in sweeps over the disk; None: where it rotates."""


@dataclass(frozen=True, slots=True)
class TagProgress:
    """How far the stage is."""

    done: int
    total: int
    bytes_read: int


@dataclass(slots=True)
class TagReport:
    """What the stage did, in files."""

    candidates: int = 0
    unchanged: int = 0
    read: int = 0
    new: int = 0
    moved: int = 0
    missing: int = 0
    pruned: int = 0
    failed: int = 0
    left_out: int = 0
    """Films under an extension that music shares."""
    problems: int = 0
    """Files with a row in problems."""
    bytes_read: int = 0
    high_water: int = 0
    """The highest track id given so far: what `meta.track_high_water` becomes."""
    restarts: int = 0
    """Worker processes that died and were replaced."""
    by_format: dict[str, int] = field(default_factory=dict[str, int])


def run_tag_stage(
    candidates: pl.DataFrame,
    source: BytesSource,
    emit: Emit,
    *,
    old: OldLibrary,
    generation: int,
    options: TagOptions | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> TagReport:
    """Make tracks of `candidates`, files that may be audio in the order of the disk."""
    options = options or TagOptions()
    comparison = compare(
        candidates,
        old.tracks,
        old.high_water,
        force=options.force,
        need_hash=options.full_hash,
        same_volume=options.same_volume,
    )
    if not options.read:
        comparison = as_they_were(comparison)
    stage = _Stage(comparison, old.tracks, generation, emit)
    todo = comparison.files.filter(~pl.col("unchanged"))
    stage.keep_unchanged()
    if todo.height and options.read:
        _read(stage, todo, source, options, progress, cancelled)
    stage.miss_gone(prune=options.prune)
    return stage.report


def _read(
    stage: "_Stage",
    todo: pl.DataFrame,
    source: BytesSource,
    options: TagOptions,
    progress: Progress | None,
    cancelled: Callable[[], bool],
) -> None:
    place = source.root if isinstance(source, MountedSource) else source.path
    sweep = rotates(place) if options.sweep is None else options.sweep
    workers = options.workers or (1 if sweep else min(os.cpu_count() or 1, MAX_WORKERS))
    setup = WorkerSetup(source, options.full_hash, sweep)
    size = SWEPT_CHUNK_FILES if sweep else CHUNK_FILES
    chunks = _chunks(todo, size, raw=not isinstance(source, MountedSource) or sweep)
    done = 0
    stage.prepare()
    with _without_collections(), WorkerPool(setup, min(workers, -(-todo.height // size))) as pool:
        for learned in pool.read(chunks):
            if cancelled():
                raise CancelledError("the tag stage was stopped")
            done += len(learned.files) + len(learned.left_out)
            stage.add(learned)
            if progress is not None:
                progress(TagProgress(done, todo.height, stage.report.bytes_read))
        stage.flush()
        stage.report.restarts = pool.statistics().restarts


@contextmanager
def _without_collections() -> Generator[None]:
    """Hold the search for cycles back: answers are tuples by the million, and none has cycles.

    It took 7 µs a file, a twentieth of all work; what does have cycles is found at each flush.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _chunks(todo: pl.DataFrame, size: int, *, raw: bool) -> Iterator[list[Job]]:
    """Yield jobs in order; content on the volume travels only to those who read the volume."""
    columns = todo.select(
        "row",
        pl.coalesce("path_bytes", pl.col("path").cast(pl.Binary)),
        "record_number",
        "sequence",
        "size",
        "mtime_ns",
        "ctime_ns",
        "lsn",
        "kind",
        "valid_size",
        "unit_clusters",
        "resident" if raw else pl.lit(None).alias("resident"),
        "run_offsets" if raw else pl.lit(None).alias("run_offsets"),
        "run_lengths" if raw else pl.lit(None).alias("run_lengths"),
    )
    for part in columns.iter_slices(size):
        yield [
            Job._make((*known, None if places is None else list(zip(places, lengths, strict=True))))
            for *known, places, lengths in part.iter_rows()
        ]


class _Stage:
    """Gathers what workers learned and appends it in batches."""

    def __init__(
        self, comparison: Comparison, old: pl.DataFrame, generation: int, emit: Emit
    ) -> None:
        self._files = comparison.files
        self._rows = TrackRows(comparison.files, old, generation)
        self._gone = comparison.gone
        self._moves = Moves(comparison.gone)
        self._emit = emit
        self._pending = Learned()
        self._known: list[bool] = []
        self._paths: list[str] = []
        self._ids: list[int] = []
        self._claimed: set[int] = set()
        self.report = TagReport(
            candidates=comparison.files.height,
            new=comparison.files.height - int(comparison.files["known"].sum()),
            high_water=comparison.next_track_id - 1,
        )

    def prepare(self) -> None:
        """Take out of the columns what each file that is read needs; unchanged ones need none."""
        self._known = self._files["known"].to_list()
        self._paths = self._files["path"].to_list()
        self._ids = self._files["track_id"].to_list()

    def keep_unchanged(self) -> None:
        """Append the tracks whose files are as they were."""
        kept = self._rows.unchanged()
        self.report.unchanged = kept.num_rows
        self._emit_tracks(kept)

    def _emit_tracks(self, rows: pa.RecordBatch) -> None:
        for start in range(0, rows.num_rows, BATCH_TRACKS):
            self._emit(TRACKS, rows.slice(start, BATCH_TRACKS))

    def add(self, learned: Learned) -> None:
        """Take the answer for one chunk."""
        self.report.read += len(learned.files)
        self.report.bytes_read += learned.bytes_read
        self.report.left_out += len(learned.left_out)
        self._pending.extend(learned)
        if len(self._pending.files) >= BATCH_FILES:
            self.flush()
            gc.collect(0)

    def flush(self) -> None:
        """Append what was gathered."""
        learned, self._pending = self._pending, Learned()
        self._rows.leave_out(learned.left_out)
        self._claim_moves(learned)
        self._say(learned)
        ids = pa.array(self._ids, pa.int64())
        files = batches.file_table(learned)
        if learned.files:
            self._emit(TRACKS, self._rows.read(files, ids))
        if learned.tag_rows:
            self._emit(SCANNED_TAGS, batches.tag_batch(learned, ids))
        if learned.blocks:
            self._emit(BLOCKS, batches.block_batch(learned, ids))
        if learned.art:
            self._emit(SCANNED_ART, batches.art_batch(learned, ids))
        if learned.notes:
            entries = batches.column_array(self._files["entry_id"])
            paths = batches.column_array(self._files["path"])
            batch = batches.problem_batch(learned, ids, entries, paths)
            self.report.problems += len({row for row, _, _ in learned.notes})
            self._emit(PROBLEMS, batch)

    def _claim_moves(self, learned: Learned) -> None:
        """Give new files the tracks of gone ones with the same audio."""
        for file in learned.files:
            row, format_, fingerprint, state = file[0], file[1], file[15], file[17]
            self.report.by_format[format_] = self.report.by_format.get(format_, 0) + 1
            self.report.failed += state == "failed"
            if not self._known[row]:
                track = self._moves.claim(fingerprint, self._paths[row])
                if track is not None:
                    self._ids[row] = track
                    self._claimed.add(track)
                    self.report.moved += 1
                    self.report.new -= 1

    def _say(self, learned: Learned) -> None:
        for row, counter, words in learned.notes:
            degrade(Counter(counter), "%s: %s", self._paths[row], words)

    def miss_gone(self, *, prune: bool) -> None:
        """Append the tracks that have no file as missing; drop them where that was asked."""
        gone = self._gone.filter(~pl.col("track_id").is_in(list(self._claimed)))
        gone = pl.concat([gone, self._rows.left_out()])
        if prune:
            self.report.pruned, gone = gone.height, gone.clear()
        self.report.missing = gone.height
        if gone.height:
            self._emit_tracks(self._rows.missing(gone))
