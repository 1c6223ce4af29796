"""musefs-scan: volume to published index, with every stage in its place.

Nothing is published unless all of it succeeded; whatever interrupts the scan leaves the former
index as it was and no thread behind.
"""

import gc
import json
import os
import platform
import threading
import time
import uuid
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from musefs.index.command.output import Output, write_stats
from musefs.index.command.progress import Progress, progress_for
from musefs.index.counters import Counter, Tally, fresh_tally
from musefs.index.errors import ExitCode, OtherVolumeError
from musefs.index.schema.column import Table
from musefs.index.schema.enums import VolumeKind
from musefs.index.schema.volume_tables import (
    SCAN_CHUNKS,
    SCAN_COUNTERS,
    SCAN_PHASES,
    SCANS,
    VOLUMES,
)
from musefs.index.write import IndexWriter
from musefs.pipeline.census import DAMAGE, Census
from musefs.pipeline.phases import ChunkTimes, Phase, PhaseClock
from musefs.pipeline.plan import ScanPlan
from musefs.pipeline.read.layout import read_layout
from musefs.pipeline.records import RecordOptions, prepare_parser, scan_records
from musefs.pipeline.same_volume import identity_of, in_words, is_same_volume
from musefs.pipeline.summary import ScanReport, report_fields, write_report
from musefs.pipeline.volume.opening import DirectorySource, VolumeSource, open_source
from musefs.pipeline.volume_row import directory_row, ntfs_row
from musefs.pipeline.walk.walker import Walk, WalkOptions

if TYPE_CHECKING:
    from musefs.pipeline.tag.sources import BytesSource
    from musefs.pipeline.tag.stage import TagProgress

MAX_WORKERS = 8
"""More parse threads than this only wait for the writer; each has buffers of its own."""

_TOLD = ("candidates", "unchanged", "read", "new", "moved", "missing", "pruned", "failed")
"""What of the tag stage's report the summary repeats."""


@dataclass(slots=True)
class ScanRun:
    """One scan while it runs; what every stage needs of the others."""

    plan: ScanPlan
    writer: IndexWriter
    progress: Progress
    clock: PhaseClock
    census: Census
    cancelled: threading.Event
    scan_id: str
    started_at: datetime
    records: int = 0
    bytes_read: int = 0
    chunks: list[ChunkTimes] = field(default_factory=list[ChunkTimes])
    tracks: dict[str, int] = field(default_factory=dict[str, int])
    same_volume: bool = True
    """The former index is of this volume, or there is none."""

    def describe(self, row: pa.RecordBatch) -> None:
        """Append the row about the volume, unless the index is of another one."""
        before = self.writer.previous.volume if self.writer.previous else None
        now = identity_of(row)
        self.same_volume = before is None or is_same_volume(before, now)
        if before is not None and not self.same_volume and not self.plan.other_volume:
            raise OtherVolumeError(
                f"is an index of {in_words(before)}; this is {in_words(now)}", path=self.plan.out
            )
        self.append(VOLUMES, row)

    def append(self, table: Table, batch: pa.RecordBatch) -> None:
        """Count a batch and hand it to the writer; waits while the writer's queue is full."""
        self.census.count(table, batch)
        self.writer.append(table, batch)


def run(plan: ScanPlan) -> ExitCode:
    """Scan, publish and report; the exit code says whether all of it could be read."""
    with fresh_tally() as tally:
        report = scan(plan, tally)
    output = Output(plan.common)
    if not plan.common.quiet or output.machine:
        write_report(report, output)
    if plan.common.stats is not None:
        write_stats(plan.common.stats, report_fields(report))
    damaged = any(counter in DAMAGE for counter in report.counts)
    return ExitCode.PARTIAL if damaged else ExitCode.OK


def scan(plan: ScanPlan, tally: Tally, progress: Progress | None = None) -> ScanReport:
    """Scan `plan.source` into `plan.out` and return what there is to say about it."""
    clock = PhaseClock()
    with ExitStack() as stack:
        gc.freeze()  # a hundred thousand objects of our imports that no collection needs to visit
        stack.callback(gc.unfreeze)  # or DuckDB's binding reports them as leaked at the end
        # Arrow's own pools keep what was freed: 22 MiB at two million records, and no faster
        pa.set_memory_pool(pa.system_memory_pool())
        source = open_source(plan.source, plan.partition)
        if isinstance(source, VolumeSource):
            stack.enter_context(source.volume)
        kind = source.kind if isinstance(source, VolumeSource) else VolumeKind.DIRECTORY
        writer = stack.enter_context(IndexWriter(plan.out, tool_version=version("musefs")))
        shown = progress or stack.enter_context(progress_for(plan.common))
        skip = Census().skip_records_below if isinstance(source, VolumeSource) else 0
        state = ScanRun(
            plan, writer, shown, clock, Census(skip), threading.Event(), uuid.uuid4().hex,
            _now(),
        )  # fmt: skip
        try:
            _scan_source(source, state)
            return _publish(state, kind, tally)
        except BaseException:
            state.cancelled.set()
            raise


def _scan_source(source: VolumeSource | DirectorySource, state: ScanRun) -> None:
    if isinstance(source, DirectorySource):
        _scan_directory(source, state)
    else:
        _scan_volume(source, state)


def _scan_volume(source: VolumeSource, state: ScanRun) -> None:
    volume, plan = source.volume, state.plan
    with state.clock.timed(Phase.LAYOUT):
        layout = read_layout(volume)
        state.describe(ntfs_row(volume, layout, plan.root))
    prepare_parser(layout, state.clock, state.progress.say)
    options = RecordOptions(
        deleted=plan.deleted, workers=plan.workers or _workers(), cancelled=state.cancelled
    )
    with state.progress.step("records", "records", layout.records) as step:

        def advance(records: int, length: int) -> None:
            step.advance(records, bytes_done=length)

        totals = scan_records(volume, layout, state.append, options, state.clock, advance)
    state.census.formats = totals.formats
    state.records, state.bytes_read = totals.records, totals.bytes
    state.chunks = totals.chunks
    if _wants_tracks(state):
        from musefs.pipeline.tagging import volume_bytes

        _tag(state, volume_bytes(volume, layout, plan.root))


def _workers() -> int:
    return min(MAX_WORKERS, os.cpu_count() or 1)


def _scan_directory(source: DirectorySource, state: ScanRun) -> None:
    plan = state.plan
    walk = Walk(source.path, WalkOptions(follow_symlinks=plan.follow_symlinks), state.cancelled)
    state.describe(directory_row(source.path))
    with state.progress.step("walk", "files") as step:
        started = time.perf_counter()
        for table, batch in walk.batches():
            state.append(table, batch)
            if table.name == "entries":
                step.advance(batch.num_rows)
                state.records += batch.num_rows
        state.clock.add(Phase.READ, started, items=state.records)
    state.census.formats = walk.totals.formats
    if _wants_tracks(state):
        from musefs.pipeline.tag.sources import MountedSource

        _tag(state, MountedSource(source.path))


def _wants_tracks(state: ScanRun) -> bool:
    """Without tags and without a former index there are no tracks: polars is not even loaded."""
    return state.plan.tags or state.writer.previous is not None


def _tag(state: ScanRun, source: "BytesSource | None") -> None:
    from musefs.pipeline.tagging import TagWork, tag_files

    with state.progress.step("tag", "files") as step, state.clock.timed(Phase.TAG) as done:
        seen = [0, 0]

        def advance(now: "TagProgress") -> None:
            step.expect(now.total)
            step.advance(now.done - seen[0], bytes_done=now.bytes_read - seen[1])
            seen[:] = now.done, now.bytes_read

        report = tag_files(
            TagWork(
                state.plan, state.writer, source, state.append, advance, state.cancelled.is_set,
                state.same_volume,
            )
        )  # fmt: skip
        done.items, done.bytes = report.read, report.bytes_read
    state.tracks = {name: count for name, count in asdict(report).items() if name in _TOLD}


def _publish(state: ScanRun, kind: VolumeKind, tally: Tally) -> ScanReport:
    """Write the rows about the scan itself, publish, and sum up."""
    clock, writer = state.clock, state.writer
    writer.flush()
    statistics = writer.statistics()
    now = time.perf_counter()
    clock.note(Phase.WRITE, now, statistics.busy_seconds, statistics.rows_written)
    counts = dict(tally.snapshot())
    _append_scan_rows(state, counts)
    with clock.timed(Phase.PUBLISH):
        published = writer.publish(state.scan_id)
    return ScanReport(
        scan_id=state.scan_id,
        source=state.plan.source,
        kind=kind.value,
        index=Path(state.plan.out),
        generation=published.generation,
        records=state.records,
        bytes_read=state.bytes_read,
        seconds=clock.elapsed_seconds,
        peak_rss_bytes=peak_rss_bytes(),
        census=state.census,
        counts=dict(tally.snapshot()),
        phases=clock.report(),
        tracks=state.tracks,
    )


def _append_scan_rows(state: ScanRun, counts: dict[Counter, int]) -> None:
    one = state.scan_id
    scan_row = {
        "scan_id": one,
        "generation": (state.writer.previous.generation if state.writer.previous else 0) + 1,
        "tool_version": version("musefs"),
        "host": platform.node(),
        "started_at": state.started_at,
        "finished_at": _now(),
        "options": _options(state.plan),
        "records": state.records,
        "bytes_read": state.bytes_read,
        "peak_rss_bytes": peak_rss_bytes(),
    }
    counters = [{"scan_id": one, "counter": c.value, "value": n} for c, n in counts.items()]
    phases = [
        {
            "scan_id": one,
            **{f.name: getattr(row, f.name) for f in fields(row)},
            "phase": row.phase.value,
        }
        for row in state.clock.report()
    ]
    told = (
        (SCANS, [scan_row]),
        (SCAN_COUNTERS, counters),
        (SCAN_PHASES, phases),
        (SCAN_CHUNKS, _chunk_rows(state)),
    )
    for table, rows in told:
        if rows:
            state.writer.append(table, pa.RecordBatch.from_pylist(rows, schema=table.arrow_schema))


def _chunk_rows(state: ScanRun) -> list[dict[str, Any]]:
    since_start = state.clock.nanoseconds
    return [
        {
            "scan_id": state.scan_id,
            "chunk": times.chunk,
            "first_record": times.first_record,
            "records": times.records,
            "bytes": times.bytes,
            "read_started_ns": since_start(times.read.started),
            "read_ended_ns": since_start(times.read.ended),
            "parse_started_ns": since_start(times.parse.started),
            "parse_ended_ns": since_start(times.parse.ended),
        }
        for times in state.chunks
    ]


def _options(plan: ScanPlan) -> str:
    """Return the options that are not at their default as JSON."""
    default = ScanPlan(source="", out=Path())
    told: dict[str, Any] = {
        field.name: getattr(plan, field.name)
        for field in fields(plan)
        if field.name not in {"source", "out", "common"}
        and getattr(plan, field.name) != getattr(default, field.name)
    }
    return json.dumps(told, default=str)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def peak_rss_bytes() -> int | None:
    """Return the peak memory of this process; None where the system does not say.

    Not from getrusage: its peak includes what the parent had when it started this process.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return None if line is None else int(line.split()[1]) * 1024
