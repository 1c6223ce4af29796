"""The whole way: an NTFS image scanned, then mounted from the image itself, with no NTFS driver."""

import hashlib
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
    flags = ("--volume", str(image), "--mode", "structure-only", "--no-covers", "--no-sidecars")
    with MountedIndex(index, tmp_path / "mnt", *flags) as mount:
        served = copied(mount.mountpoint, tmp_path / "served")
    assert len(served) >= 12
    assert set(served.values()) <= originals


def test_volume_and_mounted_path_serve_the_same_library(
    scanned: tuple[Path, Path], driver_mount: Path, tmp_path: Path
) -> None:
    """D10: both sources of bytes give the same names, sizes and bytes, headers included."""
    image, index = scanned
    flags = ("--no-sidecars", "--no-playlists")
    with MountedIndex(index, tmp_path / "a", "--volume", str(image), *flags) as mount:
        from_volume = copied(mount.mountpoint, tmp_path / "from-volume")
    with MountedIndex(index, tmp_path / "b", "--root", str(driver_mount), *flags) as mount:
        from_path = copied(mount.mountpoint, tmp_path / "from-path")
    assert from_volume == from_path
    assert len(from_volume) >= 12
