"""When each phase of a scan ran and how busy it was.

Phases overlap, so their times add up to more than the whole: that gap is the pipeline's gain.
"""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """The phases of a scan, in the order of the drawing."""

    LAYOUT = "layout"
    COMPILE = "compile"
    """Of the record parser, on the first scan of a version; not there otherwise."""
    READ = "read"
    PARSE = "parse"
    RESOLVE = "resolve"
    TAG = "tag"
    WRITE = "write"
    PUBLISH = "publish"


@dataclass(frozen=True, slots=True)
class PhaseTimes:
    """One phase: seconds since the start of the scan, and what it handled."""

    phase: Phase
    started_seconds: float
    ended_seconds: float
    busy_seconds: float
    items: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Span:
    """Work between two readings of perf_counter."""

    started: float
    ended: float


@dataclass(frozen=True, slots=True)
class ChunkTimes:
    """When one chunk of the $MFT was read and when it was parsed."""

    chunk: int
    first_record: int
    records: int
    bytes: int
    read: Span
    parse: Span


@dataclass(slots=True)
class Done:
    """What a timed body handled."""

    items: int = 0
    bytes: int = 0


class PhaseClock:
    """Collects work from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._zero = time.perf_counter()
        self._phases: dict[Phase, list[float]] = {}

    def nanoseconds(self, reading: float) -> int:
        """Return a reading of perf_counter as nanoseconds since the clock was made."""
        return round((reading - self._zero) * 1e9)

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the clock was made."""
        return time.perf_counter() - self._zero

    def add(self, phase: Phase, started: float, *, items: int = 0, length: int = 0) -> None:
        """Note work that began at `started` (perf_counter) and ends now."""
        self.add_span(phase, started, time.perf_counter(), items=items, length=length)

    def add_span(
        self, phase: Phase, started: float, ended: float, *, items: int = 0, length: int = 0
    ) -> None:
        """Note work between two readings of perf_counter."""
        start, end = started - self._zero, ended - self._zero
        with self._lock:
            row = self._phases.setdefault(phase, [start, end, 0.0, 0, 0])
            row[0], row[1] = min(row[0], start), max(row[1], end)
            row[2] += end - start
            row[3] += items
            row[4] += length

    def note(self, phase: Phase, ended: float, busy_seconds: float, items: int = 0) -> None:
        """Note work whose busy time was kept elsewhere, lasting from the first reading on."""
        end = ended - self._zero
        with self._lock:
            first = min((row[0] for row in self._phases.values()), default=0.0)
            self._phases[phase] = [first, end, busy_seconds, items, 0]

    @contextmanager
    def timed(self, phase: Phase) -> Generator["Done"]:
        """Note the body as work of `phase`; it may say how much it did."""
        started = time.perf_counter()
        done = Done()
        try:
            yield done
        finally:
            self.add(phase, started, items=done.items, length=done.bytes)

    def report(self) -> list[PhaseTimes]:
        """Return the phases that did anything, in their order."""
        with self._lock:
            rows = [(phase, self._phases[phase]) for phase in Phase if phase in self._phases]
        return [PhaseTimes(p, r[0], r[1], r[2], int(r[3]), int(r[4])) for p, r in rows]
