"""A large library mounted by musefs-mount: ready, walked, refreshed, and what it holds in memory.

    python tests/bench/bench_mount_library.py [--tracks N] [--json FILE]

The index is made up: 9 tracks an album, no originals. Needs root and /dev/fuse.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.index_rows import rows
from support.kernel_mount import client
from support.mounted_index import MountedIndex, execute

from musefs.index.schema.library_tables import SCANNED_TAGS, TRACKS
from musefs.index.schema.volume_tables import VOLUMES
from musefs.index.write import IndexWriter

PER_ALBUM = 9

STAT_WHILE = """
import os, sys, time
path, seconds = sys.argv[1], float(sys.argv[2])
waits = []
end = time.perf_counter() + seconds
while time.perf_counter() < end:
    begin = time.perf_counter()
    os.statvfs(path)  # never answered from a cache
    waits.append(time.perf_counter() - begin)
    time.sleep(0.0005)
waits.sort()
print(waits[len(waits) // 2] * 1e6, waits[int(len(waits) * 0.99)] * 1e6, waits[-1] * 1e6)
"""


def make_index(path: Path, count: int) -> None:
    """Write an index of `count` tracks."""
    ids = np.arange(count)
    albums = ids // PER_ALBUM
    blank = rows(TRACKS, [{"format": "flac", "state": "present", "published_version": 1,
                           "published_change_at": 1_700_000_000_000_000, "size": 30_000_000,
                           "audio_offset": 4000, "audio_length": 29_996_000}])  # fmt: skip
    table = pa.table({name: pa.chunked_array([pa.repeat(blank.column(name)[0], count)])
                      for name in blank.column_names}, schema=blank.schema)  # fmt: skip
    for name, values in (
        ("track_id", pa.array(ids)),
        ("record_number", pa.array(ids + 100)),
        ("path", pa.array([f"/Music/{album}/{track}.flac" for album, track in
                           zip(albums.tolist(), ids.tolist(), strict=True)])),
    ):  # fmt: skip
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(place), values)
    keys = ("album", "albumartist", "title", "tracknumber")
    values = [
        text
        for album, track in zip(albums.tolist(), ids.tolist(), strict=True)
        for text in (
            f"Album number {album}", f"Artist {album % 5000}", f"Song with a title {track}",
            str(track % PER_ALBUM + 1),
        )
    ]  # fmt: skip
    tags = pa.table(
        {
            "track_id": pa.array(np.repeat(ids, len(keys))),
            "key": pa.array(list(keys) * count),
            "ordinal": pa.array(np.zeros(count * len(keys), np.int32)),
            "value": pa.array(values),
        },
        schema=SCANNED_TAGS.arrow_schema,
    )
    volume = {"volume_id": 1, "kind": "directory", "source": "/", "root_path": "/"}
    with IndexWriter(path) as writer:
        writer.append(VOLUMES, rows(VOLUMES, [volume]))
        writer.append(TRACKS, table)
        writer.append(SCANNED_TAGS, tags)
        writer.publish("scan")


def resident_mib(process: subprocess.Popen[str] | None) -> dict[str, float]:
    """Return resident memory by what it is: all, the most there ever was, and not of files."""
    assert process is not None
    text = Path(f"/proc/{process.pid}/status").read_text()
    found = {line.split(":")[0]: line.split() for line in text.splitlines()}
    names = {
        "VmRSS": "all",
        "VmHWM": "the most so far",
        "RssAnon": "its own",
        "RssFile": "of files",
    }
    return {what: int(found[name][1]) / 1024 for name, what in names.items()}


def walk(mountpoint: Path) -> tuple[float, int]:
    """Return seconds and entries of `find -ls`."""
    begin = time.perf_counter()
    out = subprocess.run(["find", str(mountpoint), "-ls"], capture_output=True, check=True).stdout
    return time.perf_counter() - begin, out.count(b"\n")


def remember(found: dict[str, float], when: str, mount: MountedIndex) -> None:
    """Add what the daemon holds in memory now."""
    for what, mib in resident_mib(mount.process).items():
        found[f"memory {when}, MiB: {what}"] = mib


def drop_caches(mountpoint: Path) -> None:
    """Forget the mount's dentries and inodes."""
    subprocess.run(["mount", "-i", "-o", "remount,ro", str(mountpoint)], check=False)


def measure(directory: Path, tracks: int, flags: tuple[str, ...]) -> dict[str, float]:
    """Mount, walk cold and warm, edit, and return the numbers."""
    index = directory / "index.duckdb"
    make_index(index, tracks)
    found: dict[str, float] = {"tracks": tracks}
    begin = time.perf_counter()
    with MountedIndex(index, directory / "mnt", *flags) as mount:
        found["command to mounted, s"] = time.perf_counter() - begin
        remember(found, "after mount", mount)
        cold, entries = walk(mount.mountpoint)
        warm = min(walk(mount.mountpoint)[0] for _ in range(3))
        drop_caches(mount.mountpoint)
        cold = min(cold, walk(mount.mountpoint)[0])
        found["find -ls cold, µs an entry"] = cold / entries * 1e6
        found["find -ls warm, µs an entry"] = warm / entries * 1e6
        remember(found, "after walks", mount)
        some = next(mount.mountpoint.iterdir())
        waits: list[float] = []
        watcher = threading.Thread(
            target=lambda: waits.extend(map(float, client(STAT_WHILE, some, 4).split()))
        )
        watcher.start()
        time.sleep(1)
        begin = time.perf_counter()
        execute(index, "UPDATE tags SET value = 'Edited' WHERE track_id = 5 AND key = 'title'")
        artist = mount.mountpoint / "Artist 0" / "Album number 0"
        while not (artist / "Edited.flac").exists():
            time.sleep(0.005)
        found["edit to visible, ms"] = (time.perf_counter() - begin) * 1e3
        watcher.join()
        for name, wait in zip(("p50", "p99", "worst"), waits, strict=True):
            found[f"statfs during the refresh, {name} µs"] = wait
        remember(found, "after an edit", mount)
        found["refresh log"] = 0
        sys.stdout.write("".join(line + "\n" for line in mount.log().splitlines()
                                 if "refreshed" in line))  # fmt: skip
    del found["refresh log"]
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tracks", type=int, default=90_000)
    options = parser.parse_args()
    flags = ("-v", "--poll-interval", "100ms")
    with tempfile.TemporaryDirectory(prefix="musefs-bench-") as name:
        found = measure(Path(name), options.tracks, flags)
    for what, number in found.items():
        sys.stdout.write(f"{what:<46} {number:>12.5g}\n")
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
