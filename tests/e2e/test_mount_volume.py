"""The whole way: an NTFS image scanned, then mounted from the image itself, with no NTFS driver."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.mounted_index import MountedIndex

pytestmark = [pytest.mark.fuse, pytest.mark.ntfs]

SCAN = Path(sys.executable).with_name("musefs-scan")


@pytest.fixture(scope="module")
def scanned(demo_image: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the image and the index that musefs-scan makes of it."""
    index = tmp_path_factory.mktemp("volume") / "index.duckdb"
    done = subprocess.run(
        [SCAN, demo_image, "--out", index], check=False, capture_output=True, timeout=110
    )
    assert done.returncode in (0, 10), done.stderr  # 10: a file of the image is damaged on purpose
    return demo_image, index


@pytest.fixture
def driver_mount(scanned: tuple[Path, Path], tmp_path: Path) -> Iterator[Path]:
    """Mount the image with ntfs-3g, read-only: the oracle."""
    mountpoint = tmp_path / "ntfs"
    mountpoint.mkdir()
    subprocess.run(
        ["ntfs-3g", "-o", "ro,noatime", str(scanned[0]), str(mountpoint)], check=True, timeout=30
    )
    try:
        yield mountpoint
    finally:
        subprocess.run(["umount", str(mountpoint)], check=True, timeout=30)


def copied(mount: Path, target: Path) -> dict[str, str]:
    """Copy a mount in another process and return the hash of each file by its path."""
    subprocess.run(["cp", "-r", str(mount), str(target)], check=True, timeout=60)
    return {
        str(path.relative_to(target)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(target.rglob("*"))
        if path.is_file()
    }


def test_the_volume_itself_gives_the_drivers_bytes(
    scanned: tuple[Path, Path], driver_mount: Path, tmp_path: Path
) -> None:
    """D10: structure-only from the image's runs equals what an NTFS driver reads, file by file."""
    image, index = scanned
    originals = set(copied(driver_mount, tmp_path / "originals").values())
    flags = ("--volume", str(image), "--mode", "structure-only", "--no-covers", "--no-playlists")
    with MountedIndex(index, tmp_path / "mnt", *flags) as mount:
        served = copied(mount.mountpoint, tmp_path / "served")
    assert len(served) >= 12
    assert set(served.values()) <= originals


def test_volume_and_mounted_path_serve_the_same_library(
    scanned: tuple[Path, Path], driver_mount: Path, tmp_path: Path
) -> None:
    """D10: both sources of bytes give the same names, sizes and bytes, headers included."""
    image, index = scanned
    with MountedIndex(index, tmp_path / "a", "--volume", str(image)) as mount:
        from_volume = copied(mount.mountpoint, tmp_path / "from-volume")
    with MountedIndex(index, tmp_path / "b", "--root", str(driver_mount)) as mount:
        from_path = copied(mount.mountpoint, tmp_path / "from-path")
    assert from_volume == from_path
    assert len(from_volume) >= 12
    names = {path.rpartition("/")[2] for path in from_volume}
    assert {"folder.png", "best.m3u8"} <= names


@pytest.fixture
def album_on_ntfs(tmp_path: Path, audio_library: Path) -> tuple[Path, dict[str, bytes]]:
    """Return an NTFS image of one album with files beside it, and the bytes of these."""
    import make_ntfs

    beside = {
        "booklet.pdf": os.urandom(300_000),  # in clusters
        "02.lrc": b"[00:01.00]small enough to lie in its record\n",
        "01.log": b"log\n" * 5_000,
        "empty later.nfo": b"x" + bytes(80_000),
    }
    image = tmp_path / "album.ntfs"
    make_ntfs.format_image(image, 32 << 20)
    source = next(audio_library.rglob("*.flac"))
    with make_ntfs.mounted(image) as root:
        (root / "rips").mkdir()
        for name in ("01.flac", "02.flac"):
            shutil.copyfile(source, root / "rips" / name)
        for name, data in beside.items():
            (root / "rips" / name).write_bytes(data)
        (root / "mix.m3u").write_bytes(b"rips\\02.flac\nrips/gone.flac\n")
    return image, beside


def test_the_volume_gives_sidecars_and_playlists_too(
    album_on_ntfs: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    """D10, issue 5, item 5: no driver, and companions have their bytes and track's name."""
    image, beside = album_on_ntfs
    index = tmp_path / "index.duckdb"
    subprocess.run([SCAN, image, "--out", index, "-q"], check=True, timeout=110)
    flags = ("--volume", str(image), "--template", "${folder}/Song", "--no-covers")
    with MountedIndex(index, tmp_path / "mnt", *flags) as mount:
        folder = mount.mountpoint / "rips"
        songs = {"Song.flac", "Song (2).flac"}
        served = {
            path.name: path.read_bytes() for path in folder.iterdir() if path.name not in songs
        }
        listed = (mount.mountpoint / "Playlists" / "mix.m3u8").read_text()
    assert served == {
        "booklet.pdf": beside["booklet.pdf"],
        "Song (2).lrc": beside["02.lrc"],
        "Song.log": beside["01.log"],
        "empty later.nfo": beside["empty later.nfo"],
    }
    assert listed == "../rips/Song (2).flac\n"
