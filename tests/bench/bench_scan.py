"""The scan: image to published index, memory, cost per record, parsing alone, overlap.

    python tests/bench/bench_scan.py [--json FILE] [--files 200000] [--many 1880000] [--tool mft]

Every figure stands beside a baseline of the same run: reading the same bytes, the peer package
`mft` writing its CSV of the same $MFT, the same scan at another size. Wall clock and processor
time are both given, since on a busy machine only the second says something.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.big_mft import write_image, write_saved_mft

from musefs.pipeline.ntfs.content import Geometry
from musefs.pipeline.parse.sub_range import ParseSettings, SubRangeParser
from musefs.pipeline.phases import PhaseClock
from musefs.pipeline.read.chunks import SUB_RANGE_BYTES
from musefs.pipeline.read.layout import read_layout
from musefs.pipeline.records import RecordOptions, scan_records
from musefs.pipeline.volume.device import DeviceVolume

Rows = dict[str, float]

SCAN_ONCE = """
import json, sys, time
from pathlib import Path
started = time.perf_counter()
from musefs.index.command.common import CommonPlan, When
from musefs.index.counters import fresh_tally
from musefs.pipeline.plan import ScanPlan
import musefs.pipeline.parse.kernel
from musefs.pipeline.scan import scan
imports = time.perf_counter() - started
runs = []
for _ in range(int(sys.argv[3])):
    out = Path(sys.argv[2])
    out.unlink(missing_ok=True)
    with fresh_tally() as tally:
        wall, cpu = time.perf_counter(), time.process_time()
        plan = ScanPlan(sys.argv[1], out, common=CommonPlan(progress=When.NEVER), tags=False)
        report = scan(plan, tally)
        runs.append((time.perf_counter() - wall, time.process_time() - cpu))
    if len(runs) == 1:
        peak = report.peak_rss_bytes
print(json.dumps({"imports": imports, "wall": min(r[0] for r in runs),
                  "cpu": min(r[1] for r in runs), "peak": peak, "records": report.records}))
"""

PEER_CSV = """
import sys, time
from mft import PyMftParser
started = time.perf_counter()
with open(sys.argv[2], "wb") as out:
    for line in PyMftParser(sys.argv[1]).entries_csv():
        out.write(line)
print(time.perf_counter() - started)
"""


def python(script: str, *words: object) -> str:
    """Run a script in a process of its own and return what it prints last."""
    command = [sys.executable, "-c", script, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def best(work: Callable[[], object], runs: int = 3) -> float:
    """Return the shortest of several runs, in seconds."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def measure_scan(source: Path, folder: Path, runs: int) -> Rows:
    """Scan in a process of its own; imports apart."""
    told: Rows = json.loads(python(SCAN_ONCE, source, folder / "bench.duckdb", runs))
    return told


def measure_command(source: Path, folder: Path) -> float:
    """Time the whole command."""
    command = [
        Path(sys.executable).with_name("musefs-scan"), source, "-q", "--no-tags",
        "-o", folder / "command.duckdb",
    ]  # fmt: skip

    def scan() -> None:
        (folder / "command.duckdb").unlink(missing_ok=True)
        subprocess.run(command, check=True, capture_output=True)

    return best(scan)


def measure_peer(saved: Path, folder: Path) -> float | None:
    """Time the package mft writing its CSV of the same $MFT; None if it is not installed."""
    try:
        return min(float(python(PEER_CSV, saved, folder / "peer.csv")) for _ in range(2))
    except subprocess.CalledProcessError:
        return None


def measure_parse(source: Path, threads: int) -> float:
    """Return records a second of the parser alone, on `threads`."""
    with DeviceVolume(source) as volume:
        layout = read_layout(volume)
        count = min(layout.records, 200_000)
        raw = bytearray(count * layout.record_bytes)
        at = 0
        for piece in layout.run_map.pieces(0, len(raw)):
            at += volume.read_at(piece.physical, memoryview(raw)[at : at + piece.length])
    settings = ParseSettings(layout.record_bytes, SUB_RANGE_BYTES, count, Geometry(4096, 1 << 30))
    parser = SubRangeParser(settings)
    parts = [(i, min(SUB_RANGE_BYTES, len(raw) - i)) for i in range(0, len(raw), SUB_RANGE_BYTES)]

    def parse(part: tuple[int, int]) -> None:
        parser.parse(raw, part[0], part[1], part[0] // layout.record_bytes)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(parse, parts[:4]))
        return count / best(lambda: list(pool.map(parse, parts)), 5)


class Throttled(DeviceVolume):
    """A source that gives so many bytes a second."""

    bytes_per_second = 1 << 30

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """Read, and take as long as the source would."""
        started = time.perf_counter()
        count = super().read_at(offset, buffer)
        rest = count / self.bytes_per_second - (time.perf_counter() - started)
        if rest > 0:
            time.sleep(rest)
        return count


def measure_overlap(source: Path) -> float:
    """Return whole over the slower of reading and parsing, where both take as long."""

    def run(volume: DeviceVolume) -> tuple[float, PhaseClock]:
        clock = PhaseClock()
        with volume:
            layout = read_layout(volume)
            started = time.perf_counter()
            scan_records(volume, layout, lambda *_: None, RecordOptions(workers=2), clock)
            return time.perf_counter() - started, clock

    unthrottled, _ = run(DeviceVolume(source))
    slow = Throttled(source)
    slow.bytes_per_second = int((200 << 20) / unthrottled)
    whole, clock = run(slow)
    read = next(row for row in clock.report() if row.phase.value == "read")
    return whole / max(read.busy_seconds, unthrottled)


def main() -> int:
    """Measure, print the table, write the JSON."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--json", type=Path)
    words.add_argument("--files", type=int, default=200_000)
    words.add_argument("--many", type=int, default=1_880_000)
    given = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-scan-") as name:
        folder = Path(name)
        image = write_image(folder / "volume.img", given.files)
        saved = write_saved_mft(folder / "saved.mft", given.files)
        rows = measure_all(image, saved, folder)
        saved.unlink()
        if given.many:
            many = write_saved_mft(folder / "many.mft", given.many)
            rows |= compare_sizes(rows, measure_scan(many, folder, 1))
    for label, value in rows.items():
        sys.stdout.write(f"{label:<48} {value:>14,.3f}\n")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")
    return 0


def measure_all(image: Path, saved: Path, folder: Path) -> Rows:
    """Return the figures of the 200 k image."""
    scan = measure_scan(image, folder, 4)
    rows: Rows = {
        "records": scan["records"],
        "scan, wall seconds (bar 0.45)": scan["wall"],
        "scan, processor seconds": scan["cpu"],
        "imports, seconds": scan["imports"],
        "whole command, seconds (bar 1.0)": measure_command(image, folder),
        "peak MiB (bar 350)": scan["peak"] / (1 << 20),
        "parse, records/s, 1 thread": measure_parse(image, 1),
        "parse, records/s, 2 threads (bar 5 M)": measure_parse(image, 2),
        "whole / slower of read and parse (bar 1.25)": measure_overlap(image),
    }
    peer = measure_peer(saved, folder)
    if peer is not None:
        rows["peer mft, CSV, seconds"] = peer
        rows["times faster than the peer (bar 1.5)"] = peer / scan["wall"]
    return rows


def compare_sizes(few: Rows, many: Rows) -> Rows:
    """Return what the larger table costs, beside the smaller one."""
    each = many["cpu"] / many["records"] / (few["scan, processor seconds"] / few["records"])
    return {
        "2 M: records": many["records"],
        "2 M: scan, wall seconds": many["wall"],
        "2 M: processor time a record / 200 k (bar 1.15)": each,
        "2 M: peak MiB (bar 350)": many["peak"] / (1 << 20),
    }


if __name__ == "__main__":
    sys.exit(main())
