"""The mount's hot paths against plain files and a plain C loop, in one run.

    python tests/bench/bench_mount.py [--json FILE] [--quick]

Baselines: the original read directly, and `c_loop.c` built on the fly (left out by name where
there is no compiler). Client and daemon are different processes. Needs root and /dev/fuse.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.kernel_mount import FileSpec, KernelMount, client, detach

from musefs.mount.serve.pool import POOL_THREADS

HERE = Path(__file__).parent
BIG_BYTES = 256 << 20
RUNS = 5
Rows = dict[str, dict[str, float]]

SEQUENTIAL = """
import os, sys, time
path, block = sys.argv[1], int(sys.argv[2])
buffer = bytearray(block)
fd = os.open(path, os.O_RDONLY)
if len(sys.argv) > 3:
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
total, begin = 0, time.perf_counter()
while count := os.readv(fd, [buffer]):
    total += count
print(total / (time.perf_counter() - begin) / 1e6)
"""

STAT = """
import os, sys, time
path, rounds = sys.argv[1], int(sys.argv[2])
for _ in range(200):
    os.stat(path)
begin = time.perf_counter()
for _ in range(rounds):
    os.stat(path)
print((time.perf_counter() - begin) / rounds * 1e6)
"""

TAG_SCAN = """
import os, sys, time
root = sys.argv[1]
paths = [entry.path for entry in os.scandir(root)]
begin = time.perf_counter()
for path in paths:
    fd = os.open(path, os.O_RDONLY)
    os.pread(fd, 65536, 0)
    os.close(fd)
print((time.perf_counter() - begin) / len(paths) * 1e6)
"""

SLOW_READERS = """
import os, subprocess, sys, time
root, count = sys.argv[1], int(sys.argv[2])
read = "import sys; f = open(sys.argv[1], 'rb', buffering=0)\\nwhile f.read(1 << 20): pass"
begin = time.perf_counter()
readers = [
    subprocess.Popen([sys.executable, "-c", read, f"{root}/s{number}.flac"])
    for number in range(count)
]
waits = []
while any(reader.poll() is None for reader in readers):
    start = time.perf_counter()
    os.stat(root + "/other.flac")
    waits.append(time.perf_counter() - start)
    time.sleep(0.002)
seconds = time.perf_counter() - begin
waits.sort()
total = sum(os.stat(f"{root}/s{number}.flac").st_size for number in range(count))
print(total / seconds / 1e6, waits[len(waits) // 2] * 1e6, waits[int(len(waits) * 0.99)] * 1e6)
"""


def numbers(script: str, *args: object) -> list[float]:
    """Run a client and return what it measured."""
    return [float(word) for word in client(script, *args, timeout=300).split()]


def best_of(measure: Callable[[], float], runs: int = RUNS) -> dict[str, float]:
    """Return the median and the spread of several runs."""
    found = [measure() for _ in range(runs)]
    return {"median": statistics.median(found), "least": min(found), "most": max(found)}


def set_read_ahead(mountpoint: Path, kib: int) -> None:
    """Set the kernel's read-ahead of a mount, as the session does."""
    device = mountpoint.stat().st_dev
    bdi = Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb")
    bdi.write_text(str(kib))


def drop_caches(mountpoint: Path) -> None:
    """Forget the mount's dentries, inodes and pages; those of other file systems stay."""
    subprocess.run(["mount", "-i", "-o", "remount", str(mountpoint)], check=False)


def build_c_loop(directory: Path) -> Path | None:
    """Build the C baseline; None, with a word why, where it cannot be built."""
    program = directory / "c_loop"
    if program.exists():
        return program
    compiler = shutil.which("gcc") or shutil.which("cc")
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "fuse3"], capture_output=True, text=True, check=False
    )
    if compiler is None or flags.returncode != 0:
        sys.stdout.write("c_loop: left out, no compiler or no libfuse headers\n")
        return None
    build = [compiler, "-O2", "-w", str(HERE / "c_loop.c"), "-o", str(program)]
    subprocess.run([*build, *flags.stdout.split()], check=True)
    return program


@contextmanager
def c_loop(
    directory: Path, original: Path, spin_us: int = 0, threads: int = 0, delay_us: int = 0
) -> Iterator[Path | None]:
    """Mount the C baseline on a file or a folder; None where it cannot be built."""
    program, mountpoint = build_c_loop(directory), directory / "c"
    if program is None:
        yield None
        return
    mountpoint.mkdir(exist_ok=True)
    numbers = [spin_us, threads, delay_us] if threads else [spin_us] if spin_us else []
    process = subprocess.Popen([program, original, mountpoint, *map(str, numbers)])
    try:
        for _ in range(200):
            if os.path.ismount(mountpoint):
                break
            time.sleep(0.02)
        yield mountpoint
    finally:
        process.terminate()
        process.wait(10)
        detach(mountpoint)


def sequential(directory: Path, original: Path, transports: list[str], runs: int) -> Rows:
    """Sequential reads of one file, MB/s, cold in FUSE's cache and warm in the original's."""
    rows: Rows = {}
    rows["original, direct"] = best_of(lambda: numbers(SEQUENTIAL, original, 1 << 20)[0], runs)
    for kib in (128, 1024):
        with c_loop(directory / f"c{kib}", original) as mounted:
            if mounted is not None:
                set_read_ahead(mounted, kib)
                rows[f"C libfuse loop, {kib} KiB requests"] = best_of(
                    lambda m=mounted: numbers(SEQUENTIAL, m / "file", 1 << 20, "cold")[0], runs
                )
        for transport in transports:
            files: list[FileSpec] = [["big.flac", original.name, 1, 5000]]
            kernel = {"keep_cache": False}
            with KernelMount(directory, files, transport, kernel=kernel) as mount:
                set_read_ahead(mount.mountpoint, kib)
                path = mount.mountpoint / "big.flac"
                rows[f"{transport}, {kib} KiB requests"] = best_of(
                    lambda p=path: numbers(SEQUENTIAL, p, 1 << 20, "cold")[0], runs
                )
    plain: list[FileSpec] = [["big.flac", original.name, 1, 0]]
    with KernelMount(directory, plain, "raw", passthrough=True) as mount:
        path = mount.mountpoint / "big.flac"
        rows["raw, passthrough"] = best_of(lambda: numbers(SEQUENTIAL, path, 1 << 20)[0], runs)
    return rows


def stat_round_trip(directory: Path, original: Path, transports: list[str], runs: int) -> Rows:
    """One `stat` that reaches the daemon, µs."""
    rows: Rows = {}
    rows["original, direct"] = best_of(lambda: numbers(STAT, original, 5000)[0], runs)
    with c_loop(directory / "cstat", original) as mounted:
        if mounted is not None:
            rows["C libfuse loop"] = best_of(
                lambda m=mounted: numbers(STAT, m / "file", 5000)[0], runs
            )
    for transport in transports:
        kernel = {"attr_timeout_s": 0.0, "entry_timeout_s": 300.0}
        files: list[FileSpec] = [["a.flac", original.name, 1, 100]]
        with KernelMount(directory, files, transport, kernel=kernel) as mount:
            path = mount.mountpoint / "a.flac"
            rows[transport] = best_of(lambda p=path: numbers(STAT, p, 5000)[0], runs)
    return rows


def tag_scan(directory: Path, transports: list[str], count: int, runs: int) -> Rows:
    """Open, read 64 KiB, close, µs a file."""
    rows: Rows = {}
    (directory / "originals" / "many").mkdir(exist_ok=True)
    files: list[FileSpec] = []
    for number in range(count):
        name = f"many/{number:06}.bin"
        (directory / "originals" / name).write_bytes(os.urandom(70_000))
        files.append([f"{number:06}.flac", name, 1, 6000])
    rows["originals, direct"] = best_of(
        lambda: numbers(TAG_SCAN, directory / "originals" / "many")[0], runs
    )
    for transport in transports:

        def scan(kind: str = transport) -> float:
            with KernelMount(directory, files, kind) as mount:
                return numbers(TAG_SCAN, mount.mountpoint)[0]

        rows[transport] = best_of(scan, runs)
    return rows


def slow_store(directory: Path, transports: list[str]) -> Rows:
    """Eight readers of a store that needs 10 ms a read, MB/s, and `stat` of others, µs.

    The C loop has as many threads as we have and no read-ahead of its own. At 4 MiB a request it
    shows what a `stat` costs where the readers take all of both processors, as they do with ours.
    """
    rows: Rows = {}
    folder = directory / "slow"
    folder.mkdir()
    with (folder / "s0.flac").open("wb") as file:
        file.truncate(192 << 20)
    for number in range(1, 8):
        (folder / f"s{number}.flac").hardlink_to(folder / "s0.flac")
    (folder / "other.flac").write_bytes(bytes(1000))

    def measure(name: str, mountpoint: Path, kib: int) -> None:
        set_read_ahead(mountpoint, kib)
        found = [numbers(SLOW_READERS, mountpoint, 8) for _ in range(3)]
        for place, what in enumerate(("MB/s of all", "stat p50 µs", "stat p99 µs")):
            row = [run[place] for run in found]
            middle = statistics.median(row)
            rows[f"{name}: {what}"] = {"median": middle, "least": min(row), "most": max(row)}

    for kib in (512, 4096):
        with c_loop(directory, folder, 0, POOL_THREADS, 10_000) as mounted:
            if mounted is not None:
                measure(f"C, {kib} KiB", mounted, kib)
    shutil.copyfile(folder / "s0.flac", directory / "originals" / "slow.bin")
    files: list[FileSpec] = [[f"s{number}.flac", "slow.bin", 1, 5000] for number in range(8)]
    files.append(["other.flac", "big.bin", 1, 10])
    for transport in transports:
        kernel = {"attr_timeout_s": 0.0, "keep_cache": False}
        with KernelMount(directory, files, transport, kernel=kernel, delay_s=0.01) as mount:
            measure(transport, mount.mountpoint, 512)
    return rows


def show(title: str, rows: Rows) -> None:
    """Print one table."""
    sys.stdout.write(f"\n{title}\n")
    for name, found in rows.items():
        spread = f"  ({found['least']:.4g}..{found['most']:.4g})" if "least" in found else ""
        sys.stdout.write(f"  {name:<40} {found['median']:>10.4g}{spread}\n")
    sys.stdout.flush()


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="one run of each, fewer files")
    parser.add_argument("--only", action="append", choices=["read", "stat", "tags", "slow"])
    parser.add_argument("--transport", action="append", choices=["mini", "trio", "raw"])
    options = parser.parse_args()
    runs, count = (1, 1000) if options.quick else (RUNS, 10_000)
    transports = options.transport or ["mini", "trio", "raw"]
    wanted = options.only or ["read", "stat", "tags", "slow"]
    results: dict[str, Rows] = {}
    with tempfile.TemporaryDirectory(prefix="musefs-bench-") as name:
        directory = Path(name)
        (directory / "originals").mkdir()
        for part in ("c128", "c1024", "cstat"):
            (directory / part).mkdir()
        original = directory / "originals" / "big.bin"
        original.write_bytes(os.urandom(1 << 20) * (BIG_BYTES >> 20))
        parts: dict[str, tuple[str, Callable[[], Rows]]] = {
            "read": (
                "sequential read, MB/s",
                lambda: sequential(directory, original, transports, runs),
            ),
            "stat": ("stat, µs", lambda: stat_round_trip(directory, original, transports, runs)),
            "tags": (
                "open + 64 KiB + close, µs",
                lambda: tag_scan(directory, transports, count, runs),
            ),
            "slow": ("eight readers, 10 ms a read", lambda: slow_store(directory, transports)),
        }
        for part, (title, measure) in parts.items():
            if part in wanted:
                results[title] = measure()
                show(title, results[title])
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
