"""Originals on the raw volume itself: device, image or partition, with no NTFS driver at all.

The index knows each file's data runs. Before a file is opened its FILE record is read again; if
the record was reused, or its journal position, modification time or size moved, the runs may
belong to another file by now and nothing is read.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from musefs.index.backing.content import Content, ContentKind, ContentRef, Stamp
from musefs.index.backing.file_record import CurrentRecord, read_current
from musefs.index.backing.positioned import pread
from musefs.index.backing.run_content import (
    CompressedContent,
    ReadBytes,
    ResidentContent,
    RunContent,
    RunMap,
)
from musefs.index.errors import (
    BackingChangedError,
    BackingMissingError,
    BackingReadError,
    ContentRefusedError,
    VolumeError,
    VolumeNotFoundError,
)

BOOT_BYTES = 512
"""What of the boot sector is looked at, whatever the sector size."""

REFUSALS = {
    ContentKind.ENCRYPTED: "it is encrypted (EFS)",
    ContentKind.DEDUPLICATED: "it is deduplicated; its bytes lie in the chunk store",
    ContentKind.CLOUD: "it is kept in the cloud; only a placeholder is here",
    ContentKind.WOF: "it is compressed by Windows overlay (CompactOS)",
    ContentKind.DAMAGED: "its data runs are damaged",
}
"""Why a kind of content is never read, in words."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """What must be known of a volume to read files from it."""

    partition_offset: int
    bytes_per_cluster: int
    bytes_per_record: int
    mft_runs: tuple[tuple[int, int], ...]
    """Where the $MFT lies, as (byte offset on the volume, length)."""


class Source(Protocol):
    """Something with bytes at offsets: the volume's device or image."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes; fewer only at the end."""
        ...

    def close(self) -> None:
        """Release it."""
        ...


class FileSource:
    """A device or image, by path."""

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        try:
            self._descriptor = os.open(path, flags)
        except FileNotFoundError as error:
            raise VolumeNotFoundError("no such volume or image", path=path) from error
        except OSError as error:
            raise BackingReadError(f"cannot be opened: {error.strerror}", path=path) from error

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes; fewer only at the end."""
        pieces: list[bytes] = []
        while length > 0:
            try:
                piece = pread(self._descriptor, length, offset)
            except OSError as error:
                text = f"reading {length} bytes at {offset} failed: {error.strerror}"
                raise BackingReadError(text, path=self._path) from error
            if not piece:
                break
            pieces.append(piece)
            offset += len(piece)
            length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Close the device; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def find_volume(source: Source, geometry: Geometry, serial: str | None, name: Path) -> Geometry:
    """Return where the index's volume lies in a device or image; refuse what has another.

    A partition of the disk that was scanned begins with the volume itself. A damaged boot sector
    is no reason to refuse: the scan may have used its copy. Then the first file record has to be
    where the index says.
    """
    if geometry.partition_offset and serial is not None and _serial_at(source, 0) == serial:
        return replace(geometry, partition_offset=0)
    found = _serial_at(source, geometry.partition_offset)
    if found is not None:
        if serial is None or serial.upper() == found:
            return geometry
        raise VolumeError(
            f"this is another volume: its serial number is {found}, that of the index {serial}",
            path=name,
            hint="Give the device or image that was scanned, or scan this one.",
        )
    first = geometry.mft_runs[0][0] if geometry.mft_runs else 0
    if source.read_at(geometry.partition_offset + first, 4) != b"FILE":
        raise VolumeError(
            "the volume of the index is not here",
            path=name,
            hint="Give the device or image that was scanned, or --root with the mounted folder.",
        )
    return geometry


def _serial_at(source: Source, offset: int) -> str | None:
    """Return the serial number of the NTFS volume that begins at `offset`, if one does."""
    boot = source.read_at(offset, BOOT_BYTES)
    if boot[3:11] != b"NTFS    ":
        return None
    return f"{int.from_bytes(boot[0x48:0x50], 'little'):016X}"


class VolumeBacking:
    """Opens originals through the runs that the index kept."""

    def __init__(self, source: Source, geometry: Geometry) -> None:
        self._source = source
        self._geometry = geometry
        self._mft = RunMap(geometry.mft_runs, self._read_volume)

    def open(self, ref: ContentRef) -> Content:
        """Open one original after its record was found unchanged."""
        if ref.kind in REFUSALS:
            raise ContentRefusedError(f"cannot be read: {REFUSALS[ref.kind]}", path=_name(ref))
        found = self.stamp(ref)
        changed = _difference(ref.stamp, found)
        if changed:
            raise BackingChangedError(f"changed since the scan: {changed}", path=_name(ref))
        return self._content(ref, found)

    def open_as_recorded(self, ref: ContentRef) -> Content:
        """Open one original without reading its record again: for the scan that just did."""
        if ref.kind in REFUSALS:
            raise ContentRefusedError(f"cannot be read: {REFUSALS[ref.kind]}", path=_name(ref))
        return self._content(ref, ref.stamp)

    def stamp(self, ref: ContentRef) -> Stamp:
        """Read the FILE record again and return the stamp it gives now."""
        return self._record(ref).stamp(ref.stamp)

    def close(self) -> None:
        """Release the device."""
        self._source.close()

    def _read_volume(self, offset: int, length: int) -> bytes:
        return self._source.read_at(self._geometry.partition_offset + offset, length)

    def _record(self, ref: ContentRef) -> CurrentRecord:
        size = self._geometry.bytes_per_record
        record = read_current(self._mft.read(ref.record_number * size, size))
        if record is None or not record.in_use:
            raise BackingMissingError("its file record is no longer in use", path=_name(ref))
        if record.sequence != ref.sequence:
            text = "changed since the scan: its file record belongs to another file now"
            raise BackingChangedError(text, path=_name(ref))
        return record

    def _content(self, ref: ContentRef, found: Stamp) -> Content:
        restamp = _Restamp(self, ref)
        if ref.kind is ContentKind.RESIDENT:
            return ResidentContent(ref.resident or b"", found, restamp)
        read: ReadBytes = self._read_volume
        runs = RunMap(ref.runs, read)
        if ref.kind is ContentKind.COMPRESSED:
            unit = ref.unit_clusters * self._geometry.bytes_per_cluster
            return CompressedContent(runs, ref.stamp.size, ref.valid_size, restamp, unit)
        return RunContent(runs, ref.stamp.size, ref.valid_size, restamp)


@dataclass(frozen=True, slots=True)
class _Restamp:
    """Reads a record's stamp again; what a content calls for its `stamp`."""

    backing: VolumeBacking
    ref: ContentRef

    def __call__(self) -> Stamp:
        return self.backing.stamp(self.ref)


def _name(ref: ContentRef) -> str:
    return ref.path.decode(errors="backslashreplace")


def _difference(recorded: Stamp, found: Stamp) -> str | None:
    if recorded.lsn != found.lsn:
        return "its file record was written"
    if recorded.size != found.size:
        return f"its size is {found.size} bytes instead of {recorded.size}"
    if recorded.mtime_ns != found.mtime_ns:
        return "it was modified"
    return None
