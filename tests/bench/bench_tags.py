"""Speed of the tag stage: a first scan into an index, a rescan, and what mutagen alone takes.

    python tests/bench/bench_tags.py [--files 10000] [--json FILE]

The library is real encoder output in the mix of a collection: FLAC and MP3 mostly, MP4, Ogg and
Opus, a few of the rest; large pictures in four of a hundred. Files are in the page cache. Worker
processes are started inside the measured time, from compiled modules as in an installation; the
imports of this process are not. The table ends with what reading one file of each format costs.
"""

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import mutagen
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "data" / "fixtures"))
import make_audio
from support.tagging import Appended, candidates_below

from musefs.index.write import IndexWriter
from musefs.pipeline.tag.formats import extension_of
from musefs.pipeline.tag.media import read_media
from musefs.pipeline.tag.sources import MountedSource
from musefs.pipeline.tag.stage import TagOptions, TagReport, run_tag_stage
from musefs.pipeline.tag.tracks import Library, empty_library

MIX = {
    "flac/many-tags.flac": 12, "flac/hires.flac": 2, "flac/blocks.flac": 12,
    "flac/large-picture.flac": 2, "mp3/v24-many.mp3": 12, "mp3/v23-date.mp3": 12,
    "mp3/lame.mp3": 8, "mp3/large-picture.mp3": 2, "mp3/ape-and-id3.mp3": 2,
    "mp4/many.m4a": 6, "mp4/faststart.m4a": 10, "ogg/many.ogg": 3, "ogg/oggenc.ogg": 3,
    "opus/many.opus": 6, "wav/id3.wav": 1, "aiff/id3.aiff": 1, "other/wavpack.wv": 2,
    "other/monkeys.ape": 2, "other/windows.wma": 2,
}  # fmt: skip
"""Files of a hundred."""

RESCANNED = 100_000
Rows = dict[str, float]


def make_library(root: Path, files: int) -> None:
    """Copy fixtures until there are `files`, a hundred to an album."""
    source = make_audio.cached_library()
    names = [name for name, share in MIX.items() for _ in range(share)]
    for number in range(files):
        name = names[number % len(names)]
        album = root / f"Artist {number // 1000}" / f"Album {number // 100}"
        album.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, album / f"{number % 100:02} {Path(name).name}")


def cpu_seconds() -> float:
    """Return the processor time of this process and of the workers that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def first_scan(
    root: Path, frame: pl.DataFrame, target: Path, workers: int
) -> tuple[TagReport, Rows]:
    """Run the stage over everything, into an index that is being built."""
    with IndexWriter(target) as writer:
        cpu, start = cpu_seconds(), time.perf_counter()
        report = run_tag_stage(
            frame, MountedSource(root), writer.append,
            old=empty_library(), generation=1, options=TagOptions(workers=workers),
        )  # fmt: skip
        writer.flush()
        seconds = time.perf_counter() - start
    used = cpu_seconds() - cpu
    return report, {
        "files": report.read,
        "seconds": seconds,
        "files a second": report.read / seconds,
        "processor µs a file, all processes": used / report.read * 1e6,
        "files a second, two free cores (from that)": 2 * report.read / used,
        "KiB read a file": report.bytes_read / report.read / 1024,
    }


def by_format() -> Rows:
    """Return µs and KiB of reading one file of each kind, opened already, and their mean."""
    rows: Rows = {}
    mean = 0.0
    for name, share in MIX.items():
        path = make_audio.cached_library() / name
        size, extension = path.stat().st_size, extension_of(os.fsencode(name))
        descriptor = os.open(path, os.O_RDONLY)

        def read_at(offset: int, length: int, descriptor: int = descriptor) -> bytes:
            return os.pread(descriptor, length, offset)

        best = float("inf")
        for _ in range(5):
            start = time.process_time()
            for _ in range(100):
                reading = read_media(read_at, size, extension)
            best = min(best, (time.process_time() - start) / 100)
        os.close(descriptor)
        rows[f"read {name}, µs"] = best * 1e6
        rows[f"read {name}, KiB"] = reading.bytes_read / 1024
        mean += best * 1e6 * share / 100
    return rows | {"read, mean of the mix, µs": mean}


def mutagen_alone(root: Path, frame: pl.DataFrame, files: int) -> float:
    """Return files a second of mutagen in one process, which reads pictures and no layout."""
    paths = [str(root) + path for path in frame["path"].sample(files, seed=1)]
    start = time.process_time()
    for path in paths:
        mutagen.File(path)
    return files / (time.process_time() - start)


def rescan(frame: pl.DataFrame, old: pl.DataFrame) -> float:
    """Return the seconds of a rescan of 100 000 files of which none changed."""
    copies = -(-RESCANNED // frame.height)
    files = pl.concat(
        [
            frame.with_columns(pl.col("record_number") + n * 10**9, "/" + str(n) + pl.col("path"))
            for n in range(copies)
        ]
    ).head(RESCANNED)
    tracks = pl.concat(
        [
            old.with_columns(
                pl.col("record_number") + n * 10**9,
                pl.col("track_id") + n * 10**7,
                path="/" + str(n) + pl.col("path"),
            )
            for n in range(copies)
        ]
    )
    start = time.perf_counter()
    report = run_tag_stage(
        files, MountedSource(Path("/")), Appended(),
        old=Library(tracks, 10**9), generation=2,
    )  # fmt: skip
    assert report.unchanged == RESCANNED
    return time.perf_counter() - start


def measure(files: int) -> Rows:
    """Return every number by its name."""
    rows: Rows = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "music"
        make_library(root, files)
        frame = candidates_below(root)
        appended = Appended()
        run_tag_stage(frame, MountedSource(root), appended, old=empty_library(), generation=1)
        for workers in sorted({1, min(2, os.cpu_count() or 1)}):
            target = Path(folder) / f"{workers}.duckdb"
            _, found = first_scan(root, frame, target, workers)
            rows |= {f"{workers} workers: {name}": value for name, value in found.items()}
        alone = mutagen_alone(root, frame, min(2000, files))
        rows["mutagen alone, files a processor second"] = alone
        used = rows["1 workers: processor µs a file, all processes"]
        rows["ratio to mutagen, per processor second"] = 1e6 / used / alone
        rows[f"rescan of {RESCANNED:,} unchanged files, s"] = rescan(
            frame, appended.library(0).tracks
        )
    return rows | by_format()


def main() -> None:
    """Print the table; write JSON where asked."""
    parser = argparse.ArgumentParser(description="Speed of the tag stage.")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # workers would compile at every start
    rows = measure(arguments.files)
    for what, value in rows.items():
        print(f"{what:<60} {value:12.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
