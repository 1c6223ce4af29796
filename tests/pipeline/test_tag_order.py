"""The order of work: files by their first byte, and sweeps over a rotating disk."""

import random
from pathlib import Path

from support.spinning_disk import SpinningDisk

from musefs.index.backing.raw_volume import Geometry
from musefs.pipeline.tag.disk import rotates
from musefs.pipeline.tag.learned import Learned
from musefs.pipeline.tag.reader import read_chunk
from musefs.pipeline.tag.sources import Job, VolumeOpener
from musefs.pipeline.tag.stage import SWEPT_CHUNK_FILES
from musefs.pipeline.tag.sweep import sweep_chunk

DISK_BYTES = 10**12
FILES = 600
FRAGMENTS = 3


def fragmented_library(audio_library: Path) -> tuple[SpinningDisk, list[Job]]:
    """A disk where each file is in three places that have nothing to do with its path."""
    chance = random.Random(4)
    data = (audio_library / "flac/hires.flac").read_bytes()
    disk = SpinningDisk(DISK_BYTES)
    slots = chance.sample(range(DISK_BYTES // (1 << 20)), FILES * FRAGMENTS)
    step = -(-len(data) // FRAGMENTS)
    jobs = []
    for number in range(FILES):
        runs = []
        for part in range(FRAGMENTS):
            piece = data[part * step : (part + 1) * step]
            place = slots[number * FRAGMENTS + part] << 20
            disk.pieces[place] = piece
            runs.append((place, len(piece)))
        path = f"/music/{number:04d}.flac".encode()
        job = Job(
            number, path, 1000 + number, 1, len(data), 0, 0, 5, "runs", len(data), 0, None, runs
        )
        jobs.append(job)
    return disk, jobs


def opener_of(disk: SpinningDisk) -> VolumeOpener:
    return VolumeOpener(disk, Geometry(0, 4096, 1024, ((0, 1 << 20),)))


def first_byte(job: Job) -> int:
    return job.runs[0][0] if job.runs else 0


def test_disk_order_takes_a_third_of_the_time_of_path_order(audio_library: Path) -> None:
    """Issue 4: at 8 ms seeks, at least three times less on a fragmented library."""
    disk, jobs = fragmented_library(audio_library)
    by_path = read_chunk(opener_of(disk), jobs)
    path_seconds, path_seeks = disk.seconds, disk.seeks

    disk, jobs = fragmented_library(audio_library)
    by_disk = Learned()
    jobs.sort(key=first_byte)
    for start in range(0, len(jobs), SWEPT_CHUNK_FILES):
        chunk = jobs[start : start + SWEPT_CHUNK_FILES]
        by_disk.extend(read_chunk(opener_of(disk), chunk, sweep=True))
    print(f"path order {path_seconds:.1f} s, {path_seeks} seeks; sweeps {disk.seconds:.1f} s")
    assert disk.seconds * 3 <= path_seconds
    assert sorted(by_disk.files) == sorted(by_path.files), "the order changes nothing else"
    assert sorted(zip(by_disk.tag_rows, by_disk.tag_keys, by_disk.tag_values, strict=True)) == (
        sorted(zip(by_path.tag_rows, by_path.tag_keys, by_path.tag_values, strict=True))
    )


def test_a_sweep_is_bounded_and_leaves_unknown_places_alone(audio_library: Path) -> None:
    disk, jobs = fragmented_library(audio_library)
    pieces = sweep_chunk(opener_of(disk), jobs[:100])
    assert len(pieces) == 100
    assert sum(len(data) for found in pieces.values() for *_, data in found) < 100 * 30 * 1024
    unknown = [job._replace(runs=None) for job in jobs[:5]]
    assert sweep_chunk(opener_of(disk), unknown) == {}


def test_rotation_is_asked_of_the_disk(tmp_path: Path) -> None:
    number = tmp_path.stat().st_dev
    import os

    device = tmp_path / "sys" / f"{os.major(number)}:{os.minor(number)}"
    flag = device / "queue" / "rotational"
    assert not rotates(tmp_path, tmp_path / "sys")
    flag.parent.mkdir(parents=True)
    flag.write_text("1\n")
    assert rotates(tmp_path, tmp_path / "sys")
    flag.write_text("0\n")
    assert not rotates(tmp_path, tmp_path / "sys")
    assert not rotates(tmp_path / "nothing", tmp_path / "sys")
