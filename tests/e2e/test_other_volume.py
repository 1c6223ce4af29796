"""One index is one volume: another one is refused before anything is read, unless it is meant."""

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.records import (
    Record,
    folder,
    reference,
    root,
    simple_file,
    standard_information,
    table,
)

from musefs.index.command.common import CommonPlan, When
from musefs.index.counters import Counter
from musefs.index.errors import ExitCode, OtherVolumeError
from musefs.pipeline.plan import ScanPlan
from musefs.pipeline.scan import run

QUIET = CommonPlan(progress=When.NEVER)


def scan(source: Path, out: Path, **more: Any) -> ExitCode:
    return run(ScanPlan(source=str(source), out=out, common=QUIET, **more))


def query(index: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(index), read_only=True) as con:
        return con.execute(sql).fetchall()


def copy_with_serial(image: Path, target: Path, serial: bytes) -> Path:
    shutil.copyfile(image, target)
    with target.open("r+b") as file:
        file.seek(0x48)
        file.write(serial)
    return target


def saved_mft_of(image: Path, target: Path) -> Path:
    """Copy the $MFT out of an image that keeps it in one piece."""
    with image.open("rb") as file:
        boot = file.read(512)
        cluster = int.from_bytes(boot[0x0B:0x0D], "little") * boot[0x0D]
        file.seek(int.from_bytes(boot[0x30:0x38], "little") * cluster)
        target.write_bytes(file.read(40 * 1024))
    return target


def saved_mft(path: Path, formatted: int) -> Path:
    mft = simple_file("$MFT")
    mft.attributes[0] = standard_information(6, times=(formatted,) * 4)
    files = {40 + n: simple_file(f"{n}.flac", reference(30, 1)) for n in range(3)}
    records: dict[int, Record | bytes] = {0: mft, 5: root(), 30: folder("Music")}
    path.write_bytes(table(records | files))
    return path


@pytest.mark.expected_degradations(Counter.TAG_FILES_FAILED)
def test_another_volume_is_refused_and_named(demo_image: Path, tmp_path: Path) -> None:
    index = tmp_path / "index.duckdb"
    other = copy_with_serial(demo_image, tmp_path / "other.ntfs", b"formattd")
    assert scan(demo_image, index) is ExitCode.PARTIAL
    before = index.read_bytes()
    with pytest.raises(OtherVolumeError) as caught:
        scan(other, index)
    [(serial, label)] = query(index, "SELECT serial, label FROM volumes")
    for word in (serial, label, str(demo_image), "647474616D726F66", str(other)):
        assert word in caught.value.message
    assert str(caught.value.path) == str(index)
    assert "--other-volume" in caught.value.hint
    assert index.read_bytes() == before


@pytest.mark.expected_degradations(*Counter)
def test_an_image_and_its_saved_mft_are_one_volume(demo_image: Path, tmp_path: Path) -> None:
    """A saved $MFT has no serial number, but tells when the volume was formatted."""
    index = tmp_path / "index.duckdb"
    saved = saved_mft_of(demo_image, tmp_path / "saved.mft")
    scan(saved, index)
    scan(demo_image, index)
    scan(saved, index)
    assert query(index, "SELECT generation FROM meta") == [(3,)]


def test_saved_mfts_of_two_volumes_are_two(tmp_path: Path) -> None:
    index = tmp_path / "index.duckdb"
    first = saved_mft(tmp_path / "a.mft", 133_000_000_000_000_000)
    scan(first, index)
    assert query(index, "SELECT formatted::VARCHAR FROM volumes") == [("2022-06-18 04:26:40",)]
    with pytest.raises(OtherVolumeError, match=r"saved .MFT of a volume"):
        scan(saved_mft(tmp_path / "b.mft", 133_000_000_000_000_001), index)
    again = saved_mft(tmp_path / "c.mft", 133_000_000_000_000_000)
    assert scan(again, index) is ExitCode.OK


def test_a_directory_is_its_path(tmp_path: Path, demo_image: Path) -> None:
    one, two, index = tmp_path / "one", tmp_path / "two", tmp_path / "index.duckdb"
    one.mkdir()
    two.mkdir()
    (tmp_path / "link").symlink_to(one)
    scan(one, index)
    assert scan(tmp_path / "link", index) is ExitCode.OK
    with pytest.raises(OtherVolumeError, match=f"index of the directory .*; this is .*{two}"):
        scan(two, index)
    with pytest.raises(OtherVolumeError):
        scan(demo_image, index)


def test_when_it_is_meant_tracks_are_known_by_path_and_audio(
    tmp_path: Path, audio_library: Path
) -> None:
    old, new, index = tmp_path / "old", tmp_path / "new", tmp_path / "index.duckdb"
    (old / "a").mkdir(parents=True)
    shutil.copyfile(audio_library / "flac/hires.flac", old / "a" / "stays.flac")
    shutil.copyfile(audio_library / "flac/no-tags.flac", old / "a" / "lost.flac")
    scan(old, index)
    with duckdb.connect(str(index)) as con:
        con.execute("UPDATE tags SET value = 'Mine ' || track_id WHERE key = 'title'")
        con.execute("INSERT INTO tags SELECT track_id, 'mood', 0, path FROM tracks")
    (new / "b").mkdir(parents=True)
    shutil.copyfile(old / "a" / "stays.flac", new / "b" / "renamed.flac")
    assert scan(new, index, other_volume=True) is ExitCode.OK
    told = "SELECT t.path, t.state::VARCHAR, g.value FROM tracks t JOIN tags g USING (track_id) "
    assert query(index, f"{told} WHERE key = 'mood' ORDER BY ALL") == [
        ("/a/lost.flac", "missing", "/a/lost.flac"),
        ("/b/renamed.flac", "present", "/a/stays.flac"),
    ]
    assert query(index, "SELECT source FROM volumes") == [(str(new),)]
    assert scan(new, index) is ExitCode.OK


@pytest.mark.expected_degradations(Counter.TAG_FILES_FAILED)
def test_record_numbers_of_another_volume_mean_nothing(demo_image: Path, tmp_path: Path) -> None:
    """The files of two volumes share record numbers by chance; edits must not follow these."""
    index = tmp_path / "index.duckdb"
    other = copy_with_serial(demo_image, tmp_path / "other.ntfs", b"formattd")
    scan(demo_image, index)
    with duckdb.connect(str(index)) as con:
        con.execute("UPDATE tracks SET path = '/elsewhere' || path, fingerprint = NULL")
    tracks = query(index, "SELECT count(*) FROM tracks")[0][0]
    scan(other, index, other_volume=True)
    assert query(index, "SELECT count(*) FROM tracks WHERE state = 'missing'") == [(tracks,)]
