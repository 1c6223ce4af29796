"""Reads the chunk plan ahead of the parser: one named thread, three recycled buffers.

Two bounded channels connect the sides: *full* carries loaded chunks in order, *empty* carries the
buffers back. At any time one buffer is being read, one is queued, one is being parsed, so memory
is fixed at three chunks. If the thread cannot start, the same chunks are read inline.

Bad sectors cost their records and no more; a source that ends early or vanishes ends the scan.
"""

import errno
import mmap
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from musefs.index.counters import Counter, degrade
from musefs.index.errors import CancelledError, VolumeReadError
from musefs.pipeline.phases import Phase, PhaseClock, Span
from musefs.pipeline.read.chunks import Chunk, ChunkPlan, Piece
from musefs.pipeline.volume.seam import Volume

BUFFERS = 3
IO_THREAD_NAME = "musefs-scan-io"
REQUEST_BYTES = 1 << 20
"""One read call: cancellation is noticed between two of them."""
RESCUE_BYTES = 4096
"""Unit in which a failed request is read again: the sector of every drive made today."""

StartThread = Callable[[Callable[[], None]], threading.Thread]


@dataclass(frozen=True, slots=True)
class LoadedChunk:
    """A chunk and the buffer that holds it; give the buffer back with `ChunkReader.release`."""

    chunk: Chunk
    buffer: mmap.mmap
    read: Span


@dataclass(frozen=True, slots=True)
class ReaderStatistics:
    """What the reader did."""

    chunks: int
    bytes: int
    buffers: int
    inline: bool


def start_io_thread(body: Callable[[], None]) -> threading.Thread:
    """Start the I/O thread; raises RuntimeError when the system refuses one."""
    thread = threading.Thread(target=body, name=IO_THREAD_NAME, daemon=True)
    thread.start()
    return thread


class ChunkReader:
    """Iterate to get the chunks of `plan` in order, each in one of three buffers."""

    def __init__(
        self,
        volume: Volume,
        plan: ChunkPlan,
        clock: PhaseClock | None = None,
        *,
        start_thread: StartThread = start_io_thread,
        cancelled: threading.Event | None = None,
    ) -> None:
        """Nothing is read before the context is entered."""
        self._volume = volume
        self._plan = plan
        self._clock = clock or PhaseClock()
        self._start_thread = start_thread
        self._cancelled = cancelled or threading.Event()
        self._stop = threading.Event()
        self._empty: queue.Queue[mmap.mmap | None] = queue.Queue(BUFFERS + 1)
        # One place more than buffers, for the end mark: putting into it never blocks.
        self._full: queue.Queue[LoadedChunk | BaseException | None] = queue.Queue(BUFFERS + 1)
        self._thread: threading.Thread | None = None
        self._chunks = self._bytes = 0

    def statistics(self) -> ReaderStatistics:
        """Return what was read so far."""
        return ReaderStatistics(self._chunks, self._bytes, BUFFERS, self._thread is None)

    def __enter__(self) -> Self:
        for _ in range(BUFFERS):
            self._empty.put(mmap.mmap(-1, max(1, self._plan.chunk_bytes)))  # zeros on first touch
        try:
            self._thread = self._start_thread(self._read_all)
        except RuntimeError as error:
            degrade(Counter.SCAN_PIPELINE_FALLBACKS, "no I/O thread, reading inline: %s", error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            with suppress(queue.Full):  # full of buffers: then the thread is not waiting for one
                self._empty.put_nowait(None)
            self._thread.join()
        for channel in (self._empty, self._full):  # 48 MiB that what follows can use
            with suppress(queue.Empty):
                while True:
                    channel.get_nowait()

    def __iter__(self) -> Iterator[LoadedChunk]:
        if self._thread is None:
            yield from self._read_inline()
            return
        while (item := self._full.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def release(self, loaded: LoadedChunk) -> None:
        """Give the buffer of a chunk back; it is overwritten at once."""
        self._empty.put(loaded.buffer)

    def _read_inline(self) -> Iterator[LoadedChunk]:
        for chunk in self._plan.chunks:
            buffer = self._empty.get()
            if buffer is not None:
                yield LoadedChunk(chunk, buffer, self._load(chunk, buffer))

    def _read_all(self) -> None:
        """Body of the I/O thread; every way out leaves an end mark or an error in `full`."""
        try:
            for chunk in self._plan.chunks:
                buffer = self._empty.get()
                if buffer is None or self._stop.is_set():
                    return
                self._full.put(LoadedChunk(chunk, buffer, self._load(chunk, buffer)))
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, which raises it
            self._full.put(error)
        else:
            self._full.put(None)

    def _load(self, chunk: Chunk, buffer: mmap.mmap) -> Span:
        started = time.perf_counter()
        view = memoryview(buffer)
        if chunk.has_holes:
            view[: chunk.length] = bytes(chunk.length)
        failed = sum(self._load_piece(piece, view) for piece in chunk.pieces)
        if failed:
            self._report_bad_sectors(chunk, failed)
        self._chunks += 1
        self._bytes += chunk.length
        ended = time.perf_counter()
        self._clock.add_span(Phase.READ, started, ended, items=1, length=chunk.length)
        return Span(started, ended)

    def _load_piece(self, piece: Piece, view: memoryview) -> int:
        """Read one piece; return how many of its bytes lie in bad sectors."""
        failed = 0
        for at in range(0, piece.length, REQUEST_BYTES):
            if self._cancelled.is_set() or self._stop.is_set():
                raise CancelledError("the scan was cancelled", path=self._volume.source)
            length = min(REQUEST_BYTES, piece.length - at)
            part = view[piece.at + at : piece.at + at + length]
            failed += self._read_request(piece.physical + at, part)
        return failed

    def _read_request(self, offset: int, part: memoryview) -> int:
        try:
            self._read_fully(offset, part)
        except OSError as error:
            if isinstance(error, VolumeReadError):
                raise
            if error.errno != errno.EIO:
                raise self._read_error(offset, error) from error
            return self._rescue(offset, part)
        return 0

    def _read_fully(self, offset: int, part: memoryview) -> None:
        count = self._volume.read_at(offset, part)
        if count < len(part):
            raise VolumeReadError(
                f"ended {len(part) - count} bytes early at byte {offset + count}",
                path=self._volume.source,
            )

    def _rescue(self, offset: int, part: memoryview) -> int:
        """Read a failed request again sector by sector; zero what stays unreadable."""
        failed = 0
        for at in range(0, len(part), RESCUE_BYTES):
            sector = part[at : at + RESCUE_BYTES]
            try:
                self._read_fully(offset + at, sector)
            except VolumeReadError:
                raise
            except OSError:
                sector[:] = bytes(len(sector))
                failed += len(sector)
        if failed == len(part):
            self._check_alive(offset)
        return failed

    def _check_alive(self, offset: int) -> None:
        """Tell bad sectors from a drive that is gone: then its first sector fails as well."""
        try:
            self._read_fully(0, memoryview(bytearray(min(RESCUE_BYTES, self._volume.size))))
        except OSError as error:
            raise self._read_error(offset, error) from error

    def _read_error(self, offset: int, error: OSError) -> VolumeReadError:
        message = f"cannot be read at byte {offset}: {error.strerror}"
        return VolumeReadError(message, path=self._volume.source)

    def _report_bad_sectors(self, chunk: Chunk, failed: int) -> None:
        degrade(
            Counter.UNREADABLE_RECORDS,
            "%d bytes of the $MFT could not be read near record %d",
            failed,
            chunk.first_record,
            amount=-(-failed // self._plan.record_bytes),
        )
