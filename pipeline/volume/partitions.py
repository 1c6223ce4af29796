"""Partition tables of whole-disk images: MBR with logical drives, and GPT with its backup.

Pure grammar over a positioned reader. Which partition to scan is decided here too, because the
answer to "several" is a list that only this module can write.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from musefs.index.command.progress import format_bytes
from musefs.index.errors import PartitionError

ReadAt = Callable[[int, int], bytes]

SECTOR_SIZES = (512, 4096)
"""Logical block sizes of disks; a GPT is found at block 1 of either."""

MOST_GPT_ENTRIES = 1024
"""Disks have 128; more than this is damage."""

MOST_LOGICAL_DRIVES = 128
"""A chain of extended boot records longer than this is a loop."""

_EXTENDED = frozenset({0x05, 0x0F, 0x85})
_PROTECTIVE = 0xEE
_NTFS_AT = 3


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition, numbered as disk tools number it."""

    number: int
    offset_bytes: int
    length_bytes: int
    kind: str
    is_ntfs: bool

    def describe(self) -> str:
        """Return one line for a list."""
        size = format_bytes(self.length_bytes)
        return f"{self.number}: {size} at byte {self.offset_bytes}, {self.kind}"


def find_partitions(read_at: ReadAt, size_bytes: int) -> tuple[Partition, ...]:
    """Return the partitions of a disk; an empty tuple if there is no partition table."""
    first = read_at(0, 512)
    if len(first) < 512 or first[510:512] != b"\x55\xaa":
        return _gpt(read_at, size_bytes)
    kinds = {entry.kind for entry in _mbr_entries(first)}
    if _PROTECTIVE in kinds:
        return _gpt(read_at, size_bytes)
    return _mbr(read_at, first, size_bytes)


def choose_partition(
    partitions: tuple[Partition, ...], number: int | None, source: str
) -> Partition:
    """Return the partition to scan: the numbered one, or the only one with NTFS."""
    if number is not None:
        for partition in partitions:
            if partition.number == number:
                return partition
        raise PartitionError(
            f"there is no partition {number}", path=source, hint=_listing(partitions)
        )
    candidates = [partition for partition in partitions if partition.is_ntfs]
    if len(candidates) == 1:
        return candidates[0]
    count = "no partition" if not candidates else f"{len(candidates)} partitions"
    raise PartitionError(
        f"a whole disk with {count} of type NTFS", path=source, hint=_listing(partitions)
    )


def _listing(partitions: tuple[Partition, ...]) -> str:
    if not partitions:
        return "No partition table was found."
    lines = "\n".join(f"  {partition.describe()}" for partition in partitions)
    return f"Choose one with --partition N:\n{lines}"


@dataclass(frozen=True, slots=True)
class _MbrEntry:
    kind: int
    first_block: int
    blocks: int


def _mbr_entries(sector: bytes) -> list[_MbrEntry]:
    found: list[_MbrEntry] = []
    for start in range(446, 510, 16):
        kind, first_block, blocks = sector[start + 4], *struct.unpack_from("<II", sector, start + 8)
        found.append(_MbrEntry(kind, first_block, blocks))
    return found


def _mbr(read_at: ReadAt, first: bytes, size_bytes: int) -> tuple[Partition, ...]:
    block = _mbr_block_bytes(read_at, first)
    found: list[Partition] = []
    for number, entry in enumerate(_mbr_entries(first), 1):
        if entry.kind in _EXTENDED:
            found += _logical_drives(read_at, entry.first_block, block, size_bytes)
        elif entry.kind and entry.blocks and entry.first_block * block < size_bytes:
            found.append(_partition(read_at, number, entry, entry.first_block, block))
    return tuple(found)


def _mbr_block_bytes(read_at: ReadAt, first: bytes) -> int:
    """Return the block size with which the first partition begins with a boot sector."""
    for block in SECTOR_SIZES:
        for entry in _mbr_entries(first):
            if entry.kind and read_at(entry.first_block * block, 512)[510:512] == b"\x55\xaa":
                return block
    return SECTOR_SIZES[0]


def _logical_drives(
    read_at: ReadAt, base_block: int, block: int, size_bytes: int
) -> list[Partition]:
    found: list[Partition] = []
    table_block, seen = base_block, set[int]()
    while table_block not in seen and len(seen) < MOST_LOGICAL_DRIVES:
        seen.add(table_block)
        sector = read_at(table_block * block, 512)
        if sector[510:512] != b"\x55\xaa":
            break
        drive, following = _mbr_entries(sector)[:2]
        first_block = table_block + drive.first_block
        if drive.kind and first_block * block < size_bytes:
            found.append(_partition(read_at, 5 + len(found), drive, first_block, block))
        if following.kind not in _EXTENDED:
            break
        table_block = base_block + following.first_block
    return found


def _partition(
    read_at: ReadAt, number: int, entry: _MbrEntry, first_block: int, block: int
) -> Partition:
    offset = first_block * block
    is_ntfs = _looks_like_ntfs(read_at, offset)
    kind = "NTFS" if is_ntfs else f"type {entry.kind:02x}h"
    return Partition(number, offset, entry.blocks * block, kind, is_ntfs)


def _gpt(read_at: ReadAt, size_bytes: int) -> tuple[Partition, ...]:
    for block in SECTOR_SIZES:
        backup = size_bytes // block * block - block
        for header_offset in (block, backup):
            header = read_at(header_offset, 92) if header_offset > 0 else b""
            if _is_sound_gpt_header(header):
                return _gpt_entries(read_at, header, block)
    return ()


def _is_sound_gpt_header(header: bytes) -> bool:
    if len(header) < 92 or header[:8] != b"EFI PART":
        return False
    recorded = int.from_bytes(header[16:20], "little")
    return zlib.crc32(header[:16] + bytes(4) + header[20:92]) == recorded


def _gpt_entries(read_at: ReadAt, header: bytes, block: int) -> tuple[Partition, ...]:
    table_block, count, entry_bytes = struct.unpack_from("<QII", header, 72)
    if not 128 <= entry_bytes <= 4096:
        return ()
    table = read_at(table_block * block, min(count, MOST_GPT_ENTRIES) * entry_bytes)
    found: list[Partition] = []
    for index in range(len(table) // entry_bytes):
        entry = table[index * entry_bytes :][:128]
        first_block, last_block = struct.unpack_from("<QQ", entry, 32)
        if any(entry[:16]) and first_block <= last_block:
            offset = first_block * block
            is_ntfs = _looks_like_ntfs(read_at, offset)
            kind = "NTFS" if is_ntfs else _gpt_kind(entry)
            length = (last_block - first_block + 1) * block
            found.append(Partition(index + 1, offset, length, kind, is_ntfs))
    return tuple(found)


def _gpt_kind(entry: bytes) -> str:
    name = entry[56:128].decode("utf-16-le", errors="replace").split("\0")[0]
    return name or str(UUID(bytes_le=entry[:16]))


def _looks_like_ntfs(read_at: ReadAt, offset: int) -> bool:
    """Say whether a boot sector, or its copy being all that is left, names NTFS or BitLocker."""
    head = read_at(offset, 16)
    return head[_NTFS_AT : _NTFS_AT + 8] in (b"NTFS    ", b"-FVE-FS-")
