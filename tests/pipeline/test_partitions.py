"""Whole-disk images: MBR, logical drives, GPT, its backup, 4 KiB blocks, loops and damage."""

import shutil
import struct
import subprocess
import uuid
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musefs.index.errors import PartitionError
from musefs.pipeline.volume.partitions import Partition, choose_partition, find_partitions

NTFS_BOOT = (b"\xeb\x52\x90NTFS    ".ljust(510, b"\0")) + b"\x55\xaa"


class Disk:
    def __init__(self, size: int = 8 << 20) -> None:
        self.data = bytearray(size)

    def put(self, offset: int, data: bytes) -> None:
        self.data[offset : offset + len(data)] = data

    def read_at(self, offset: int, length: int) -> bytes:
        return bytes(self.data[offset : offset + length])

    def find(self) -> list[tuple[int, int, bool]]:
        found = find_partitions(self.read_at, len(self.data))
        return [(part.number, part.offset_bytes, part.is_ntfs) for part in found]


def table(*entries: tuple[int, int, int]) -> bytes:
    body = b"".join(
        bytes(4) + bytes([kind]) + bytes(3) + struct.pack("<II", first, blocks)
        for kind, first, blocks in entries
    )
    return bytes(446) + body.ljust(64, b"\0") + b"\x55\xaa"


def gpt(disk: Disk, header_at: int, table_block: int, block: int, *firsts: int) -> None:
    entries = b"".join(
        uuid.UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7").bytes_le
        + uuid.uuid4().bytes
        + struct.pack("<QQQ", first, first + 99, 0)
        + "Basic data".encode("utf-16-le").ljust(72, b"\0")
        for first in firsts
    ).ljust(128 * 128, b"\0")
    head = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, header_at // block, 0,
                       0, 0, bytes(16), table_block, 128, 128, zlib.crc32(entries))  # fmt: skip
    head = head[:16] + struct.pack("<I", zlib.crc32(head)) + head[20:]
    disk.put(header_at, head)
    disk.put(table_block * block, entries)


def test_a_primary_partition_is_found_at_its_offset() -> None:
    disk = Disk()
    disk.put(0, table((7, 2048, 4096), (0x83, 6144, 100)))
    disk.put(2048 * 512, NTFS_BOOT)
    assert disk.find() == [(1, 2048 * 512, True), (2, 6144 * 512, False)]


def test_logical_drives_are_numbered_from_five() -> None:
    disk = Disk()
    disk.put(0, table((0x0C, 63, 100), (0x05, 1000, 9000)))
    disk.put(1000 * 512, table((7, 63, 500), (0x05, 2000, 900)))
    disk.put(3000 * 512, table((7, 63, 500)))
    for block in (1063, 3063):
        disk.put(block * 512, NTFS_BOOT)
    assert disk.find() == [(1, 63 * 512, False), (5, 1063 * 512, True), (6, 3063 * 512, True)]


def test_a_loop_of_extended_tables_ends() -> None:
    disk = Disk()
    disk.put(0, table((0x05, 1000, 9000)))
    disk.put(1000 * 512, table((7, 63, 500), (0x05, 0, 900)))
    assert [number for number, *_ in disk.find()] == [5]


@pytest.mark.parametrize("block", [512, 4096])
def test_gpt_is_read_with_either_block_size(block: int) -> None:
    disk = Disk()
    disk.put(0, table((0xEE, 1, 0xFFFFFFFF)))
    gpt(disk, block, 2, block, 300, 700)
    disk.put(700 * block, NTFS_BOOT)
    assert disk.find() == [(1, 300 * block, False), (2, 700 * block, True)]


def test_the_backup_gpt_is_used_when_the_first_is_damaged() -> None:
    disk = Disk()
    disk.put(0, table((0xEE, 1, 0xFFFFFFFF)))
    gpt(disk, len(disk.data) - 512, 40, 512, 300)
    disk.put(512, b"EFI PART" + bytes(84))
    disk.put(300 * 512, NTFS_BOOT)
    assert disk.find() == [(1, 300 * 512, True)]


def test_the_only_ntfs_partition_is_chosen_and_several_are_listed() -> None:
    disk = Disk()
    disk.put(0, table((0x0C, 63, 100), (7, 2048, 100), (7, 4096, 100)))
    disk.put(2048 * 512, NTFS_BOOT)
    found = find_partitions(disk.read_at, len(disk.data))
    assert choose_partition(found, None, "disk.img").number == 2
    disk.put(4096 * 512, NTFS_BOOT)
    found = find_partitions(disk.read_at, len(disk.data))
    with pytest.raises(PartitionError, match="2 partitions") as caught:
        choose_partition(found, None, "disk.img")
    assert "2: " in caught.value.hint
    assert "3: " in caught.value.hint
    assert choose_partition(found, 3, "disk.img").offset_bytes == 4096 * 512
    with pytest.raises(PartitionError, match="no partition 9"):
        choose_partition(found, 9, "disk.img")


def test_a_disk_without_ntfs_says_so() -> None:
    with pytest.raises(PartitionError, match="no partition of type NTFS"):
        choose_partition((), None, "disk.img")


@given(st.binary(min_size=512, max_size=4096))
def test_garbage_never_raises_or_hangs(data: bytes) -> None:
    def read_at(offset: int, length: int) -> bytes:
        return (data[:510] + b"\x55\xaa" + data)[offset : offset + length]

    find_partitions(read_at, 1 << 20)


@pytest.mark.skipif(shutil.which("sfdisk") is None, reason="sfdisk is not installed")
def test_a_table_that_sfdisk_wrote_is_read(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    with image.open("wb") as out:
        out.truncate(64 << 20)
    script = "label: gpt\nstart=2048, size=20480, name=first\nstart=40960, size=40960, name=two\n"
    subprocess.run(["sfdisk", "-q", image], input=script.encode(), check=True)
    with image.open("rb") as opened:

        def read_at(offset: int, length: int) -> bytes:
            opened.seek(offset)
            return opened.read(length)

        found = find_partitions(read_at, 64 << 20)
    assert [(part.number, part.offset_bytes, part.kind) for part in found] == [
        (1, 2048 * 512, "first"),
        (2, 40960 * 512, "two"),
    ]


def test_small_partitions_have_a_size_that_says_something() -> None:
    assert Partition(1, 512, 3 << 20, "NTFS", is_ntfs=True).describe().startswith("1: 3.0 MiB at")
    assert Partition(1, 512, 3 << 41, "NTFS", is_ntfs=True).describe().startswith("1: 6.0 TiB at")
