"""From an edit of one tag to the new name in the mount: how long, and where the time goes.

    python tests/bench/bench_refresh.py [--tracks N] [--edits N] [--poll 1s] [--json FILE]

A made-up library is mounted; a DuckDB client edits one title after the other, each time anew as a
user's script would, and asks for the new name until it is there. Once with nobody else, once while
two other programs walk the mount and ask for attributes. Needs root and /dev/fuse.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
import duckdb
from big_library import write_library
from support.mounted_index import MountedIndex
from timing import Timing, summarise

WALK = """
import os, sys
while True:
    for folder, _, names in os.walk(sys.argv[1]):
        for name in names:
            os.stat(os.path.join(folder, name))
"""
PAUSE_S = 0.3
"""Between edits: longer than anything that follows one."""


@contextmanager
def walkers(mountpoint: Path, count: int) -> Iterator[None]:
    """Keep the mount busy."""
    running = [subprocess.Popen([sys.executable, "-c", WALK, mountpoint]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def edit(index: Path, title: str, track_id: int) -> float:
    """Give a track another title and return how long the client took."""
    begin = time.perf_counter()
    while True:
        try:
            with duckdb.connect(str(index)) as con:
                con.execute(
                    "UPDATE tags SET value = ? WHERE key = 'title' AND track_id = ?",
                    [title, track_id],
                )
        except duckdb.IOException:
            time.sleep(0.002)  # the mount is looking
        else:
            return time.perf_counter() - begin


def follow(mount: MountedIndex, edits: int) -> dict[str, Timing]:
    """Edit, wait for each name, and return the times."""
    before = len(works(mount))
    edited: list[float] = []
    visible: list[float] = []
    for number in range(edits):
        title, track_id = f"Edited {number} {time.time_ns()}", 10 + number
        folder = mount.mountpoint / f"Artist {track_id // 100}" / f"Album {track_id // 10}"
        edited.append(edit(mount.index, title, track_id))
        begin = time.perf_counter()
        while not (folder / f"{title}.flac").exists():
            time.sleep(0.001)
            assert time.perf_counter() - begin < 30, mount.log()
        visible.append(time.perf_counter() - begin)
        time.sleep(PAUSE_S)
    return {
        "the client's edit": summarise(edited),
        "after it, until the name is there": summarise(visible),
        "of that, work of the mount": summarise(works(mount)[before:]),
    }


def works(mount: MountedIndex) -> list[float]:
    """Return what the mount says of the length of its refreshes, in seconds."""
    return [int(ms) / 1000 for ms in re.findall(r"refreshed in (\d+) ms", mount.log())]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--edits", type=int, default=15)
    parser.add_argument("--poll", default="1s")
    options = parser.parse_args()
    found: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory(prefix="musefs-bench-") as name:
        index = Path(name, "index.duckdb")
        write_library(index, options.tracks)
        flags = (
            "-t",
            "$artist/$album/$title",
            "--poll-interval",
            options.poll,
            "--root",
            "/",
            "--no-covers",
        )
        for busy in (0, 2):
            with MountedIndex(index, Path(name, f"mnt{busy}"), *flags) as mount:
                time.sleep(1)
                with walkers(mount.mountpoint, busy):
                    timings = follow(mount, options.edits)
            for what, timing in timings.items():
                sys.stdout.write(f"{f'{busy} walkers: {what}':<50} {timing.text()}\n")
                found[f"{busy} walkers: {what}"] = dict(timing.as_dict())
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
