"""A tag scanner over a scanned library: open, read 64 KiB, close, beside what it could cost.

    python tests/bench/bench_tag_scanner.py [--tracks N] [--runs N] [--only NAME …] [--library DIR]
                                            [--json FILE]

The library is really encoded and tagged, in the formats that people have, and mounted by
musefs-mount itself. Floors of the same run: the originals read directly, and the same folder behind
`c_loop.c`, which opens and reads and has neither headers nor checks: on libfuse's own loop, and on
one that spins before it sleeps as ours does. All names were looked up before. `first` is the first
open of every file in the life of a mount, `again` a second scan after the kernel dropped its pages.
Needs root and /dev/fuse; the Rust reference takes part where it is installed.
"""

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "data" / "fixtures"))
import music_drive
from bench_mount import build_c_loop, c_loop, drop_caches
from support.kernel_mount import detach
from support.mounted_index import MountedIndex

BIN = Path(sys.executable).parent
RUST = shutil.which("musefs") or str(Path.home() / ".cargo" / "bin" / "musefs")
SPIN_US = 50
Results = dict[str, dict[str, float]]

SCANNER = """
import os, sys, time
root, names = sys.argv[1], sys.argv[2]
paths = []
for folder, _, files in os.walk(names):
    for name in files:
        path = os.path.join(root, os.path.relpath(folder, names), name)
        try:
            os.stat(path)
        except OSError:
            continue  # the reference refuses some names
        paths.append(path)
buffer = bytearray(65536)
total, begin = 0, time.perf_counter()
for path in paths:
    fd = os.open(path, os.O_RDONLY)
    total += os.preadv(fd, [buffer], 0)
    os.close(fd)
seconds = time.perf_counter() - begin
print(seconds / len(paths) * 1e6, len(paths), total)
"""


def scan(root: Path, names: Path) -> float:
    """Return microseconds a file of a scan of `root`, whose names are those of `names`."""
    done = subprocess.run(
        [sys.executable, "-c", SCANNER, root, names], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[0])


def make_library(directory: Path, tracks: int, index: Path) -> Path:
    """Make the music, unless it is there, and its index; return the music."""
    music = directory / "music"
    if not music.exists():
        directory.mkdir(parents=True, exist_ok=True)
        music.mkdir()
        music_drive.fill_music(music, tracks, random.Random(7), tunes=6)
    subprocess.run([BIN / "musefs-scan", music, "-q", "--out", index], check=False)
    return music


@contextmanager
def ours(index: Path, mountpoint: Path, *flags: str) -> Iterator[Path]:
    """Mount with musefs-mount."""
    with MountedIndex(index, mountpoint, *flags) as mount:
        yield mount.mountpoint


@contextmanager
def rust(music: Path, directory: Path) -> Iterator[Path]:
    """Mount the reference."""
    store, mountpoint = music.with_suffix(".sqlite"), directory / "rust"
    mountpoint.mkdir(exist_ok=True)
    if not store.exists():
        subprocess.run([RUST, "scan", music, "--db", store, "--quiet"], check=True)
    process = subprocess.Popen([RUST, "mount", "--db", store, mountpoint])
    try:
        while not mountpoint.is_mount():
            time.sleep(0.02)
        yield mountpoint
    finally:
        detach(mountpoint)
        process.terminate()
        process.wait(20)


Mount = Callable[[], AbstractContextManager[Path | None]]


def candidates(music: Path, index: Path, directory: Path) -> dict[str, Mount]:
    """Return what is compared, by name."""
    found: dict[str, Mount] = {}
    if build_c_loop(directory) is not None:
        found["C loop of libfuse"] = lambda: c_loop(directory, music)
        found["C loop that spins"] = lambda: c_loop(directory, music, SPIN_US)
    at = directory / "ours"
    found["mini"] = lambda: ours(index, at, "--transport", "pyfuse3")
    found["trio"] = lambda: ours(index, at, "--transport", "pyfuse3", "--loop", "trio")
    found["raw"] = lambda: ours(index, at, "--transport", "raw")
    found["structure-only"] = lambda: ours(index, at, "--mode", "structure-only")
    if Path(RUST).exists():
        found["musefs (Rust)"] = lambda: rust(music, directory)
    return found


def measure(mount: Mount, music: Path, runs: int, *, named_alike: bool) -> dict[str, float]:
    """Return the medians of the first scan of a mount and of the next."""
    first: list[float] = []
    again: list[float] = []
    for _ in range(runs):
        scan(music, music)  # originals into the page cache, from where they may have gone
        with mount() as root:
            assert root is not None
            names = music if named_alike else root
            first.append(scan(root, names))
            drop_caches(root)
            again.append(scan(root, names))
    return {
        "first": statistics.median(first), "first, least": min(first), "first, most": max(first),
        "again": statistics.median(again), "again, least": min(again), "again, most": max(again),
    }  # fmt: skip


def show(what: str, found: dict[str, float]) -> None:
    """Print one line."""
    spread = ""
    if "first, least" in found:
        spread = "  ({first, least:.0f}..{first, most:.0f})".format_map(found)
    sys.stdout.write(f"  {what:<32} {found['first']:>8.1f} {found['again']:>8.1f}{spread}\n")
    sys.stdout.flush()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tracks", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", action="append", help="names of the table's lines")
    parser.add_argument("--library", type=Path, help="a folder to keep the made library in")
    chosen = parser.parse_args()
    results: Results = {}
    sys.stdout.write(f"open + 64 KiB + close, µs a file: {'first':>10} {'again':>8}\n")
    with tempfile.TemporaryDirectory(prefix="musefs-bench-") as name:
        index = Path(name) / "music.duckdb"
        music = make_library(chosen.library or Path(name) / "library", chosen.tracks, index)
        direct = [scan(music, music) for _ in range(chosen.runs)]
        results["originals, direct"] = {"first": direct[0], "again": statistics.median(direct)}
        show("originals, direct", results["originals, direct"])
        for what, mount in candidates(music, index, Path(name)).items():
            if chosen.only and what not in chosen.only:
                continue
            results[what] = measure(mount, music, chosen.runs, named_alike=what.startswith("C "))
            show(what, results[what])
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
