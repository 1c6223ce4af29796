"""musefs-io-probe: how fast the scan's own chunk plan can be read, and in which way.

Reads exactly what a scan reads and parses nothing. Its numbers decide whether the scan should
read in another way; the bar for that is in the decision record on the scan's reading.
"""

import mmap
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from musefs.index.command.output import Json, Output, path_fields, write_stats
from musefs.index.errors import ExitCode, UsageError, VolumeReadError
from musefs.pipeline.plan import ProbeMode, ProbePlan
from musefs.pipeline.read.chunks import ChunkPlan, Piece, plan_chunks
from musefs.pipeline.read.layout import read_layout
from musefs.pipeline.volume.opening import DirectorySource, open_source
from musefs.pipeline.volume.seam import Volume

ALIGNMENT_BYTES = 4096
"""What reads past the page cache must be aligned to on every drive made today."""

ReadAt = Callable[[int, memoryview], int]


@dataclass(frozen=True, slots=True)
class Measurement:
    """The best of several runs of one mode."""

    mode: ProbeMode
    seconds: float
    bytes: int
    runs: int

    @property
    def mib_per_second(self) -> float:
        """Speed in MiB/s."""
        return self.bytes / (1 << 20) / max(self.seconds, 1e-9)


def run(plan: ProbePlan) -> ExitCode:
    """Measure, print, and write --stats."""
    fields, rows = probe(plan)
    output = Output(plan.common)
    output.result({**fields, "modes": rows})
    output.table(rows)
    if plan.common.stats is not None:
        write_stats(plan.common.stats, {**fields, "modes": rows})
    return ExitCode.OK


def probe(plan: ProbePlan) -> tuple[dict[str, Json], list[dict[str, Json]]]:
    """Return what was read, and one row for each mode."""
    source = open_source(plan.source, plan.partition)
    if isinstance(source, DirectorySource):
        raise UsageError("a directory has no records to read", path=plan.source)
    with source.volume as volume:
        chunks = plan_chunks(read_layout(volume), plan.chunk_bytes)
        measured = [
            measure(volume, chunks, mode, plan.runs, plan.queue_depth)
            for mode in _modes(plan.mode, volume)
        ]
    baseline = measured[0].mib_per_second
    rows: list[dict[str, Json]] = [
        {
            "mode": m.mode.value,
            "mib_per_second": round(m.mib_per_second, 1),
            "seconds": round(m.seconds, 4),
            "ratio": round(m.mib_per_second / max(baseline, 1e-9), 3),
            "runs": m.runs,
        }
        for m in measured
    ]
    fields: dict[str, Json] = {
        "command": "musefs-io-probe",
        **path_fields(plan.source, "source"),
        "bytes": chunks.data_bytes,
        "chunks": len(chunks.chunks),
        "pieces": sum(len(chunk.pieces) for chunk in chunks.chunks),
        "chunk_bytes": chunks.chunk_bytes,
        "queue_depth": plan.queue_depth,
    }
    return fields, rows


def measure(
    volume: Volume, plan: ChunkPlan, mode: ProbeMode, runs: int, queue_depth: int
) -> Measurement:
    """Read the whole plan `runs` times in one mode and keep the best."""
    best = float("inf")
    for _ in range(runs):
        with _Way(volume, mode) as read_at:
            started = time.perf_counter()
            _read_plan(read_at, plan, queue_depth if mode is ProbeMode.PARALLEL else 1)
            best = min(best, time.perf_counter() - started)
    return Measurement(mode, best, plan.data_bytes, runs)


def _modes(wanted: ProbeMode, volume: Volume) -> list[ProbeMode]:
    """Return the modes to measure; past the cache only where the system and the source offer it."""
    offered = [ProbeMode.BUFFERED]
    if sys.platform == "linux" and os.path.exists(volume.source):  # noqa: PTH110
        offered += [ProbeMode.SEQUENTIAL, ProbeMode.UNBUFFERED, ProbeMode.PARALLEL]
    if wanted is ProbeMode.ALL:
        return offered
    if wanted not in offered:
        raise UsageError(f"--mode {wanted.value} is not offered for this source here")
    return [wanted]


class _Way:
    """One way to read a volume, as a context: gives a positioned read."""

    def __init__(self, volume: Volume, mode: ProbeMode) -> None:
        self._volume = volume
        self._mode = mode
        self._descriptor = -1

    def __enter__(self) -> ReadAt:
        if sys.platform == "linux" and self._mode is not ProbeMode.BUFFERED:
            past_cache = self._mode in {ProbeMode.UNBUFFERED, ProbeMode.PARALLEL}
            flags = os.O_RDONLY | os.O_CLOEXEC | (os.O_DIRECT if past_cache else 0)
            self._descriptor = os.open(self._volume.source, flags)
            if not past_cache:
                os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            base = self._volume.partition_offset
            return lambda offset, part: os.preadv(self._descriptor, [part], base + offset)
        return self._volume.read_at

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


def _read_plan(read_at: ReadAt, plan: ChunkPlan, threads: int) -> None:
    """Read every piece in order; several at a time only if asked."""
    largest = -(-plan.chunk_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES + 2 * ALIGNMENT_BYTES
    buffers = [mmap.mmap(-1, largest) for _ in range(threads)]
    pieces = [piece for chunk in plan.chunks for piece in chunk.pieces]
    if threads == 1:
        for piece in pieces:
            _read_piece(read_at, piece, buffers[0])
        return

    def lane(start: int) -> None:
        for piece in pieces[start::threads]:
            _read_piece(read_at, piece, buffers[start])

    with ThreadPoolExecutor(threads, thread_name_prefix="musefs-probe") as pool:
        list(pool.map(lane, range(threads)))


def _read_piece(read_at: ReadAt, piece: Piece, buffer: mmap.mmap) -> None:
    """Read a piece, widened to whole blocks so that every mode reads the same."""
    start = piece.physical & ~(ALIGNMENT_BYTES - 1)
    end = -(-(piece.physical + piece.length) // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    try:
        count = read_at(start, memoryview(buffer)[: end - start])
    except OSError as error:
        raise VolumeReadError(f"cannot be read at byte {start}: {error.strerror}") from error
    if start + count < piece.physical + piece.length:
        raise VolumeReadError(f"ended early at byte {start + count}")
