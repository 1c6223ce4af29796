"""Timing of whole commands and of calls: medians with their spread, always several runs.

Nothing passes or fails here. A number is only worth something beside another one of the same run,
so results carry what they were compared with.
"""

import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

SUCCESS = (0, 10)
"""0 is done; 10 is our "finished, some files failed"."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of several runs."""

    median: float
    least: float
    most: float
    runs: int
    peak_bytes: int | None = None
    """Largest resident memory of the command's processes, where it is known."""

    def text(self) -> str:
        """Return `median (least..most)` in a unit that suits."""
        factor, unit = (1.0, "s") if self.median >= 1 else (1e3, "ms")
        if self.median < 1e-3:
            factor, unit = 1e6, "µs"
        middle, low, high = (_digits(v * factor) for v in (self.median, self.least, self.most))
        return f"{middle} {unit} ({low}..{high})"

    def as_dict(self) -> dict[str, float | int | None]:
        """Return what goes into the JSON."""
        return asdict(self)


def _digits(value: float) -> str:
    """Return three digits, and never an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def summarise(seconds: Sequence[float], peak_bytes: int | None = None) -> Timing:
    """Return the timing of runs already measured."""
    return Timing(statistics.median(seconds), min(seconds), max(seconds), len(seconds), peak_bytes)


def time_command(command: Sequence[str], *, runs: int = 5, warm: int = 1) -> Timing:
    """Run a command several times and time it from outside; a failing one is an error."""
    seconds: list[float] = []
    peak = 0
    for number in range(warm + runs):
        elapsed, peak_bytes = _run_once(command)
        if number >= warm:
            seconds.append(elapsed)
            peak = max(peak, peak_bytes)
    return summarise(seconds, peak)


def _run_once(command: Sequence[str]) -> tuple[float, int]:
    with tempfile.TemporaryFile() as complaint:  # a pipe nobody reads would fill and hang it
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=complaint)
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in SUCCESS:
            complaint.seek(max(0, complaint.tell() - 500))
            raise RuntimeError(f"{command[0]} gave {process.returncode}: {complaint.read()!r}")
    return elapsed, usage.ru_maxrss * 1024


def time_call(call: Callable[[], object], *, runs: int = 5, warm: int = 1) -> Timing:
    """Call a function several times and time each call."""
    seconds: list[float] = []
    for number in range(warm + runs):
        start = time.perf_counter()
        call()
        if number >= warm:
            seconds.append(time.perf_counter() - start)
    return summarise(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
