"""Finds the whole $MFT: boot sector or its backup, record 0 or its mirror, and all extents.

The $MFT's own extension records lie inside the $MFT, so each is read through the runs that are
known by then. What cannot be reached is counted and the rest is scanned.
"""

from dataclasses import dataclass

from musefs.index.counters import Counter, degrade
from musefs.index.errors import DamagedVolumeError, VolumeReadError
from musefs.pipeline.ntfs.attribute import AttributeType, Extent
from musefs.pipeline.ntfs.attribute_list import (
    MAX_LIST_BYTES,
    AttributeListError,
    ListEntry,
    parse_attribute_list,
)
from musefs.pipeline.ntfs.boot import (
    BootSector,
    is_ntfs,
    parse_boot,
    refuse_other_file_systems,
)
from musefs.pipeline.ntfs.content import Geometry
from musefs.pipeline.ntfs.entry import ParsedRecord, parse_record
from musefs.pipeline.ntfs.integers import u32
from musefs.pipeline.ntfs.record import BAAD_SIGNATURE, SIGNATURE, SlotState, open_slot
from musefs.pipeline.ntfs.runs import Run, RunListError, extent_runs, join_extents
from musefs.pipeline.read.run_map import HOLE, MapSpan, RunMap, map_runs
from musefs.pipeline.volume.seam import Volume

HEAD_BYTES = 4096
"""Read at the start: covers the boot sector of 4Kn drives and every other magic number."""
DEFAULT_RECORD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class MftLayout:
    """All that reading the $MFT needs."""

    record_bytes: int
    data_bytes: int
    """Bytes of whole records."""
    run_map: RunMap
    boot: BootSector | None
    """None for a saved $MFT."""

    @property
    def records(self) -> int:
        """Slots in the $MFT."""
        return self.data_bytes // self.record_bytes

    @property
    def geometry(self) -> Geometry:
        """Cluster size and count; zeros for a saved $MFT."""
        if self.boot is None:
            return Geometry(0, 0)
        return Geometry(self.boot.cluster_bytes, _clusters(self.boot))


def read_exactly(volume: Volume, offset: int, length: int) -> bytearray:
    """Read `length` bytes, fewer only at the end; raises VolumeReadError.

    The request is widened to whole sectors of 4 KiB, which raw Windows volumes insist on.
    """
    start = offset & ~(HEAD_BYTES - 1)
    end = min(-(-(offset + length) // HEAD_BYTES) * HEAD_BYTES, volume.size)
    buffer = bytearray(max(0, end - start))
    try:
        count = volume.read_at(start, memoryview(buffer))
    except OSError as error:
        message = f"cannot be read at byte {offset}: {error.strerror}"
        raise VolumeReadError(message, path=volume.source) from error
    return buffer[offset - start : min(count, offset - start + length)]


def read_layout(volume: Volume) -> MftLayout:
    """Find the $MFT of an NTFS volume, or take a saved $MFT as it is."""
    head = read_exactly(volume, 0, HEAD_BYTES)
    if bytes(head[:4]) in {SIGNATURE, BAAD_SIGNATURE}:
        return _saved_mft(volume, head)
    boot = _read_boot(volume, head)
    record_zero = _read_record_zero(volume, boot)
    return _volume_layout(volume, boot, record_zero)


def _saved_mft(volume: Volume, head: bytearray) -> MftLayout:
    record_bytes = u32(head, 0x1C)
    if record_bytes & (record_bytes - 1) or not 256 <= record_bytes <= 65536:
        record_bytes = DEFAULT_RECORD_BYTES
    data_bytes = volume.size // record_bytes * record_bytes
    if data_bytes < volume.size:
        degrade(Counter.UNREACHABLE_RECORDS, "the saved $MFT ends in the middle of a record")
    return MftLayout(record_bytes, data_bytes, RunMap((MapSpan(0, 0, data_bytes),)), None)


def _read_boot(volume: Volume, head: bytearray) -> BootSector:
    """Decode the boot sector, or its copy in the last sector if the first is damaged."""
    if not is_ntfs(head):
        refuse_other_file_systems(head, volume.source)
    try:
        return parse_boot(head, volume.source)
    except DamagedVolumeError as damage:
        for sector_bytes in (512, 4096):
            backup = read_exactly(volume, volume.size - sector_bytes, 512)
            if is_ntfs(backup):
                boot = parse_boot(backup, volume.source)
                degrade(Counter.BACKUP_BOOT_SECTOR_USED, "%s: %s", volume.source, damage.message)
                return boot
        raise


def _read_record(volume: Volume, run_map: RunMap, number: int, size: int) -> ParsedRecord | None:
    """Read one record through known runs; None if it is not there or not sound."""
    record = bytearray()
    for piece in run_map.pieces(number * size, size):
        if piece.physical == HOLE:
            return None
        record += read_exactly(volume, piece.physical, piece.length)
    if len(record) < size or open_slot(record) is not SlotState.RECORD:
        return None
    return parse_record(number, record)


def _read_record_zero(volume: Volume, boot: BootSector) -> ParsedRecord:
    """Return record 0, from the mirror if the $MFT's own is damaged."""
    for offset in (boot.mft_offset, boot.mirror_offset):
        here = RunMap((MapSpan(0, offset, boot.record_bytes),))
        record = _read_record(volume, here, 0, boot.record_bytes)
        if record is not None and _data_extents(record):
            if offset != boot.mft_offset:
                degrade(Counter.MFT_MIRROR_USED, "%s: record 0 is damaged", volume.source)
            return record
    raise DamagedVolumeError("record 0 and its mirror are both damaged", path=volume.source)


def _data_extents(record: ParsedRecord) -> list[Extent]:
    return [
        attribute.extent
        for attribute in record.attributes
        if attribute.type_code == AttributeType.DATA and not attribute.name and attribute.extent
    ]


def _volume_layout(volume: Volume, boot: BootSector, zero: ParsedRecord) -> MftLayout:
    extents = _data_extents(zero)
    first = next((extent for extent in extents if extent.lowest_vcn == 0), None)
    if first is None:
        raise DamagedVolumeError("the $MFT has no beginning", path=volume.source)
    known = _collect_extents(volume, boot, zero, extents)
    run_map = map_runs(known, boot.cluster_bytes).cut_to(volume.size)
    wanted = min(first.real, first.initialised) // boot.record_bytes * boot.record_bytes
    data_bytes = min(wanted, run_map.length // boot.record_bytes * boot.record_bytes)
    _count_unreachable(volume, boot, run_map, wanted, data_bytes)
    return MftLayout(boot.record_bytes, data_bytes, run_map, boot)


def _count_unreachable(
    volume: Volume, boot: BootSector, run_map: RunMap, wanted: int, data_bytes: int
) -> None:
    holes = sum(span.length for span in run_map.holes_before(data_bytes))
    missing = min(wanted - data_bytes, boot.volume_bytes) + holes
    if missing:
        degrade(
            Counter.UNREACHABLE_RECORDS,
            "%s: %d bytes of the $MFT cannot be reached",
            volume.source,
            missing,
            amount=-(-missing // boot.record_bytes),
        )


def _collect_extents(
    volume: Volume, boot: BootSector, zero: ParsedRecord, extents: list[Extent]
) -> list[tuple[int, tuple[Run, ...]]]:
    """Return every extent that can be reached, following the $MFT's own attribute list."""
    known = [(e.lowest_vcn, _runs_of(volume, boot, e)) for e in extents]
    waiting = {
        item.holder.record_number
        for item in _own_list(volume, boot, zero)
        if item.type_code == AttributeType.DATA and not item.named and item.holder.record_number
    }
    progress = True
    while waiting and progress:
        progress = False
        run_map = map_runs(known, boot.cluster_bytes)
        for number in sorted(waiting):
            record = _read_record(volume, run_map, number, boot.record_bytes)
            if record is None or record.header.base_reference & ((1 << 48) - 1):
                continue
            known += [(e.lowest_vcn, _runs_of(volume, boot, e)) for e in _data_extents(record)]
            waiting.discard(number)
            progress = True
    if waiting:
        degrade(Counter.MISSING_EXTENTS, "extents of the $MFT in records %s", sorted(waiting))
    return known


def _runs_of(volume: Volume, boot: BootSector, extent: Extent) -> tuple[Run, ...]:
    try:
        return extent_runs(extent, _clusters(boot))
    except RunListError as error:
        degrade(Counter.BAD_RUN_LISTS, "%s: $MFT: %s", volume.source, error)
        return ()


def _own_list(volume: Volume, boot: BootSector, zero: ParsedRecord) -> list[ListEntry]:
    """Return the $MFT's attribute list; it is usually not resident."""
    entries: list[ListEntry] = []
    for attribute in zero.attributes:
        if attribute.type_code != AttributeType.ATTRIBUTE_LIST:
            continue
        try:
            value = attribute.value
            if value is None and attribute.extent is not None:
                value = _read_extent(volume, boot, attribute.extent)
            entries.extend(parse_attribute_list(value or b""))
        except (AttributeListError, RunListError) as error:
            degrade(Counter.BAD_ATTRIBUTE_LISTS, "%s: $MFT: %s", volume.source, error)
    return entries


def _read_extent(volume: Volume, boot: BootSector, extent: Extent) -> bytes:
    wanted = min(extent.real, MAX_LIST_BYTES)
    value = bytearray()
    for run in join_extents([extent], _clusters(boot)):
        length = min(run.clusters * boot.cluster_bytes, wanted - len(value))
        if run.lcn is None:
            value += bytes(length)
        else:
            value += read_exactly(volume, run.lcn * boot.cluster_bytes, length)
    return bytes(value)


def _clusters(boot: BootSector) -> int:
    return boot.volume_bytes // boot.cluster_bytes + 1
