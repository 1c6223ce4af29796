"""What the user named: a drive, a device, an image, a partition in one, a saved $MFT, a folder.

Only here is it decided what a source is. A source that is none of these is refused with the name
of what it is, or with what was looked for.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from musefs.index.errors import (
    PartitionError,
    UnsupportedVolumeError,
    VolumeNotFoundError,
    VolumeReadError,
)
from musefs.index.schema.enums import VolumeKind
from musefs.pipeline.ntfs.boot import is_ntfs, refuse_other_file_systems
from musefs.pipeline.volume.partitions import choose_partition, find_partitions
from musefs.pipeline.volume.seam import Volume
from musefs.pipeline.volume.section import Section
from musefs.pipeline.volume.windows import drive_device, open_windows_volume

if sys.platform == "win32":
    from musefs.pipeline.volume.image import ImageVolume as _FileVolume
else:
    from musefs.pipeline.volume.device import DeviceVolume as _FileVolume

HEAD_BYTES = 4096
"""Enough for every file system's magic, and one aligned read on any disk."""

_RECORD_SIGNATURES = (b"FILE", b"BAAD")


@dataclass(frozen=True, slots=True)
class DirectorySource:
    """A plain directory on any file system."""

    path: Path


@dataclass(frozen=True, slots=True)
class VolumeSource:
    """An NTFS volume or a saved $MFT, open."""

    kind: VolumeKind
    volume: Volume


def open_source(source: str, partition: int | None = None) -> DirectorySource | VolumeSource:
    """Open what `source` names; the caller closes a volume.

    Raises VolumeNotFoundError, NotElevatedError, UnsupportedVolumeError, PartitionError or
    VolumeReadError.
    """
    device = drive_device(source)
    if device is not None:
        return VolumeSource(VolumeKind.NTFS, open_windows_volume(device))
    if Path(source).is_dir():
        return DirectorySource(Path(source).absolute())
    volume: Volume = _FileVolume(source)
    try:
        return _recognise(volume, partition)
    except BaseException:
        volume.close()
        raise


def _recognise(volume: Volume, partition: int | None) -> VolumeSource:
    if volume.size == 0:
        hint = "Check the path; a device without a medium is empty, too."
        raise VolumeReadError("the file or device is empty", path=volume.source, hint=hint)
    head = read_bytes(volume, 0, HEAD_BYTES)
    if partition is None:
        if is_ntfs(head):
            return VolumeSource(VolumeKind.NTFS, volume)
        if head[:4] in _RECORD_SIGNATURES:
            return VolumeSource(VolumeKind.MFT, volume)
        refuse_other_file_systems(head, volume.source)
    found = find_partitions(lambda offset, size: read_bytes(volume, offset, size), volume.size)
    if found or partition is not None:
        chosen = choose_partition(found, partition, volume.source)
        return _open_partition(volume, chosen.offset_bytes, chosen.length_bytes)
    if _has_backup_boot_sector(volume):
        return VolumeSource(VolumeKind.NTFS, volume)
    raise UnsupportedVolumeError(
        "this is no NTFS volume, no disk with partitions and no saved $MFT",
        path=volume.source,
        hint="Name a volume, an image of one, a file with its $MFT, or a mounted folder.",
    )


def _open_partition(disk: Volume, offset: int, length: int) -> VolumeSource:
    section = Section(disk, offset, length)
    head = read_bytes(section, 0, HEAD_BYTES)
    refuse_other_file_systems(head, disk.source)
    if is_ntfs(head) or _has_backup_boot_sector(section):
        return VolumeSource(VolumeKind.NTFS, section)
    raise PartitionError("the chosen partition is not NTFS", path=disk.source)


def _has_backup_boot_sector(volume: Volume) -> bool:
    """Say whether the last sector is the copy that NTFS keeps of a boot sector now damaged."""
    last = volume.size // volume.sector_bytes * volume.sector_bytes - volume.sector_bytes
    return last > 0 and is_ntfs(read_bytes(volume, last, volume.sector_bytes))


def read_bytes(volume: Volume, offset: int, length: int) -> bytes:
    """Return up to `length` bytes from `offset`, as bytes; for the few reads of an opening."""
    buffer = bytearray(length)
    try:
        count = volume.read_at(offset, memoryview(buffer))
    except OSError as error:
        if isinstance(error, (VolumeReadError, VolumeNotFoundError)):
            raise
        text = f"reading at byte {offset} failed: {error.strerror}"
        raise VolumeReadError(text, path=volume.source) from error
    return bytes(buffer[:count])
