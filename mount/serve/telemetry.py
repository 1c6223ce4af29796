"""What the mount counts, as one snapshot and as Prometheus text (rows M34 and M35).

The list is closed: a test reads every metric back with Prometheus' own parser, and each one is
in docs/metrics.md.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from musefs.index.counters import Counter, current_tally
from musefs.mount.serve.core import Core

Numbers = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of the list."""

    name: str
    help: str
    is_counter: bool = False

    @property
    def exposed_name(self) -> str:
        """Return the name in the text: counters end in `_total`."""
        return f"musefs_{self.name}_total" if self.is_counter else f"musefs_{self.name}"


METRICS: Final = (
    Metric("uptime_seconds", "Seconds since the mount was made"),
    Metric("library_files", "Files that are served"),
    Metric("library_directories", "Directories that are served, with the root"),
    Metric("library_bytes", "Sum of the sizes of all served files"),
    Metric("library_generation", "State of the library that is served"),
    Metric("handles_open", "Open files"),
    Metric("directory_handles", "Open directories"),
    Metric("directory_handles_max", "Open directories that keep their listing"),
    Metric(
        "directory_handle_rejections", "Directories opened without a listing of their own", True
    ),
    Metric("reads", "Read requests", True),
    Metric("reads_offloaded", "Read requests that went to a thread", True),
    Metric("reads_inflight", "Read requests that are in a thread now"),
    Metric("read_errors", "Reads and opens that found a changed original", True),
    Metric("pool_workers", "Threads that were started for what may wait"),
    Metric("pool_active", "Threads that are at work"),
    Metric("pool_queued", "Requests that wait for a thread"),
    Metric("cache_header_entries", "Layouts that are kept"),
    Metric("cache_header_bytes", "Memory that kept layouts use"),
    Metric("cache_header_bytes_max", "Memory that kept layouts may use"),
    Metric("cache_header_hits", "Opens whose layout was kept", True),
    Metric("cache_header_misses", "Opens whose layout was made", True),
    Metric("decoded_bytes", "Memory that decoded pictures use"),
    Metric("readahead_budget_bytes", "Memory that reading ahead may use"),
    Metric("readahead_charged_bytes", "Memory that reading ahead uses"),
    Metric("readahead_hits", "Reads answered from what was read ahead", True),
    Metric("readahead_misses", "Reads that were not", True),
    Metric("refreshes", "States that were taken over from the index", True),
    Metric("refresh_full_rebuilds", "Refreshes that built everything anew", True),
    Metric("refresh_needs_rebuild", "1 if the next refresh must build everything anew"),
    Metric("refresh_busy", "1 while another process holds the index"),
    Metric("refresh_last_seconds", "Duration of the last refresh"),
    Metric("passthrough_active", "Files that the kernel reads itself now"),
    Metric("passthrough_enabled", "1 if the kernel may read plain files itself"),
    Metric("process_resident_bytes", "Resident memory of the mount's process"),
)

DEGRADATIONS: Final = Metric("degradations", "Fallbacks and faults by kind", True)
"""One sample for each counter of the closed list in `musefs.index.counters`."""

_COUNTED: Final = (
    Counter.BACKING_CHANGED, Counter.BACKING_MISSING, Counter.READ_ERRORS,
    Counter.SERVED_UNTOUCHED, Counter.TRACKS_SKIPPED, Counter.REFRESH_FAILURES,
    Counter.REFRESH_GAP_FALLBACKS, Counter.INDEX_BUSY, Counter.PASSTHROUGH_FALLBACKS,
    Counter.HANDLER_CRASHES, Counter.DIRECTORY_HANDLES_REFUSED, Counter.KERNEL_TUNING_SKIPPED,
    Counter.NOTIFY_FALLBACKS, Counter.INDEX_WATCH_FALLBACKS,
)  # fmt: skip


class Telemetry:
    """Collects the numbers of one mount."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._started = time.monotonic()
        self.transport: Callable[[], Mapping[str, int]] = dict
        """Set when there is a transport: what it counts."""
        self.refresh: Callable[[], Numbers] = dict
        """Set when there is a refresher: what it counts."""

    def snapshot(self) -> dict[str, float]:
        """Return every metric by its name in the list."""
        core = self._core
        generation = core.generation
        transport = self.transport()
        numbers: dict[str, float] = {
            "uptime_seconds": time.monotonic() - self._started,
            "library_files": generation.files,
            "library_directories": generation.directories,
            "library_bytes": generation.served_bytes,
            "library_generation": generation.number,
            "handles_open": len(core.handles),
            "directory_handles": len(core.directories),
            "directory_handles_max": core.directories.capacity,
            "directory_handle_rejections": core.directories.refused,
            "reads": core.reader.reads,
            "reads_offloaded": core.reader.offloaded,
            "reads_inflight": core.waiting_reads,
            "read_errors": core.read_errors,
            "decoded_bytes": core.decoded.statistics()["bytes"],
            "process_resident_bytes": _resident_bytes(),
        }
        numbers.update(_prefixed("pool_", core.pool.statistics()))
        numbers.update(_caches(core))
        numbers.update(self.refresh())
        for name in ("passthrough_active", "passthrough_enabled"):
            numbers[name] = transport.get(name, 0)
        return {metric.name: numbers.get(metric.name, 0) for metric in METRICS}

    def text(self) -> str:
        """Return Prometheus' text form."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        numbers = self.snapshot()
        for metric in METRICS:
            yield from _head(metric)
            yield f"{metric.exposed_name} {numbers[metric.name]:.17g}"
        yield from _head(DEGRADATIONS)
        counts = current_tally()
        for counter in _COUNTED:
            yield f'{DEGRADATIONS.exposed_name}{{kind="{counter.value}"}} {counts[counter]}'


def _head(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.exposed_name} {metric.help}"
    yield f"# TYPE {metric.exposed_name} {'counter' if metric.is_counter else 'gauge'}"


def _prefixed(prefix: str, numbers: Mapping[str, int]) -> dict[str, float]:
    return {prefix + name: number for name, number in numbers.items()}


def _caches(core: Core) -> dict[str, float]:
    layouts, budget = core.layouts.statistics(), core.budget.statistics()
    return {
        "cache_header_entries": layouts["entries"],
        "cache_header_bytes": layouts["bytes"],
        "cache_header_bytes_max": layouts["limit_bytes"],
        "cache_header_hits": layouts["hits"],
        "cache_header_misses": layouts["misses"],
        "readahead_budget_bytes": budget["limit_bytes"],
        "readahead_charged_bytes": budget["charged_bytes"],
        "readahead_hits": budget["hits"],
        "readahead_misses": budget["misses"],
    }


def _resident_bytes() -> int:
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * 4096
