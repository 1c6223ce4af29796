"""What a source is: told by content, refused by name."""

from pathlib import Path

import pytest

from musefs.index.errors import (
    PartitionError,
    UnsupportedVolumeError,
    VolumeNotFoundError,
    VolumeReadError,
)
from musefs.index.schema.enums import VolumeKind
from musefs.pipeline.volume.image import ImageVolume
from musefs.pipeline.volume.opening import (
    DirectorySource,
    VolumeSource,
    open_source,
    read_bytes,
)

NTFS_BOOT = (b"\xeb\x52\x90NTFS    ".ljust(510, b"\0")) + b"\x55\xaa"


def kind(path: Path, partition: int | None = None) -> VolumeKind:
    opened = open_source(str(path), partition)
    assert isinstance(opened, VolumeSource)
    opened.volume.close()
    return opened.kind


def test_an_image_a_dump_and_a_folder_are_told_apart(tmp_path: Path, demo_image: Path) -> None:
    assert kind(demo_image) is VolumeKind.NTFS
    (tmp_path / "saved.mft").write_bytes(b"FILE".ljust(1024, b"\0"))
    assert kind(tmp_path / "saved.mft") is VolumeKind.MFT
    assert open_source(str(tmp_path)) == DirectorySource(tmp_path)


def test_a_partition_of_a_whole_disk_is_opened(tmp_path: Path, demo_image: Path) -> None:
    disk = tmp_path / "disk.img"
    size = demo_image.stat().st_size
    entry = bytes(4) + b"\x07\0\0\0" + (2048).to_bytes(4, "little")
    entry += (size // 512).to_bytes(4, "little")
    with disk.open("wb") as out:
        out.write(bytes(446) + entry + bytes(48) + b"\x55\xaa")
        out.seek(2048 * 512)
        out.write(demo_image.read_bytes())
    opened = open_source(str(disk))
    assert isinstance(opened, VolumeSource)
    with opened.volume as volume:
        assert volume.partition_offset == 2048 * 512
        assert read_bytes(volume, 3, 8) == b"NTFS    "
    with pytest.raises(PartitionError, match="no partition 2"):
        open_source(str(disk), 2)


def test_a_damaged_boot_sector_is_known_by_its_copy(tmp_path: Path) -> None:
    image = tmp_path / "damaged.img"
    image.write_bytes(bytes(1 << 20) + NTFS_BOOT)
    assert kind(image) is VolumeKind.NTFS


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xeb\x58\x90-FVE-FS-", "BitLocker"),
        (b"\xeb\x76\x90EXFAT   ", "exFAT"),
        (b"\0\0\0ReFS", "ReFS"),
        (b"\0" * 0x52 + b"FAT32", "FAT"),
        (b"\0" * 1080 + b"\x53\xef", "ext"),
    ],
)
def test_other_file_systems_are_named(tmp_path: Path, head: bytes, name: str) -> None:
    image = tmp_path / "other.img"
    image.write_bytes(head.ljust(1 << 16, b"\0"))
    with pytest.raises(UnsupportedVolumeError, match=name):
        open_source(str(image))


def test_an_unknown_file_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(b"ID3" + bytes(5000))
    with pytest.raises(UnsupportedVolumeError, match=r"no NTFS volume.*no saved \$MFT"):
        open_source(str(tmp_path / "song.mp3"))
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(VolumeReadError, match="empty"):
        open_source(str(tmp_path / "empty"))
    with pytest.raises(VolumeNotFoundError):
        open_source(str(tmp_path / "gone"))


def test_a_partition_number_on_a_bare_volume_says_there_are_none(demo_image: Path) -> None:
    with pytest.raises(PartitionError, match="no partition 1"):
        open_source(str(demo_image), 1)


def test_an_image_is_read_the_same_with_seeks(demo_image: Path) -> None:
    data = demo_image.read_bytes()
    with ImageVolume(demo_image) as volume:
        assert volume.size == len(data)
        for offset, length in ((0, 10), (5000, 70_000), (len(data) - 5, 100)):
            assert read_bytes(volume, offset, length) == data[offset : offset + length]
    with pytest.raises(VolumeNotFoundError):
        ImageVolume("/nowhere/at/all")


def test_no_descriptor_stays_open_after_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(5000))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(UnsupportedVolumeError):
            open_source(str(tmp_path / "x"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
