"""The one row of `volumes`: what was scanned, and what the volume says about itself."""

import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa

from musefs.index.errors import VolumeError
from musefs.index.schema.enums import VolumeKind
from musefs.index.schema.volume_tables import VOLUMES
from musefs.pipeline.ntfs.attribute import AttributeType
from musefs.pipeline.ntfs.entry import ParsedRecord, parse_record
from musefs.pipeline.ntfs.integers import u64
from musefs.pipeline.ntfs.record import SlotState, open_slot
from musefs.pipeline.ntfs.runs import RunListError, join_extents, to_spans
from musefs.pipeline.ntfs.upcase import TABLE_BYTES, UPCASE_RECORD, usual_table
from musefs.pipeline.ntfs.wtf8 import display_text
from musefs.pipeline.read.layout import MftLayout, read_exactly
from musefs.pipeline.read.run_map import HOLE
from musefs.pipeline.records import RecordReader
from musefs.pipeline.volume.seam import Volume

_VOLUME_RECORD = 3
_BITMAP_RECORD = 6
_MAX_BITMAP_BYTES = 32 << 20
"""Of 1 TiB in clusters of 4 KiB: a fifth of a second of a slow disk. Beyond, free_bytes is NULL."""
_COUNTED_BYTES = 1 << 20
"""Bits counted at once, so that the numbers stay small beside the buffers of the scan."""

_VERSION_AT = 8
_TIME_BYTES = 8


def ntfs_row(volume: Volume, layout: MftLayout, root: Path | None) -> pa.RecordBatch:
    """Return the row for an NTFS volume or a saved $MFT."""
    boot = layout.boot
    about = _read_record(volume, layout, _VOLUME_RECORD)
    row: dict[str, Any] = {
        "kind": VolumeKind.MFT if boot is None else VolumeKind.NTFS,
        "source": volume.source if "\\" in volume.source else os.path.abspath(volume.source),  # noqa: PTH100
        "partition_offset": volume.partition_offset,
        "root_path": None if root is None else str(root.absolute()),
        "label": _label(about),
        "formatted_raw": _formatted(volume, layout),
        "ntfs_version": _version(about),
        "bytes_per_record": layout.record_bytes,
        "mft_bytes": layout.data_bytes,
    }
    if boot is not None:
        row |= {
            "serial": f"{boot.serial:016X}",
            "bytes_per_sector": boot.sector_bytes,
            "bytes_per_cluster": boot.cluster_bytes,
            "total_bytes": boot.volume_bytes,
            "mft_runs": [
                {"offset": span.physical, "length": span.length} for span in layout.run_map.spans
            ],
            "upcase": _unusual_upcase(volume, layout),
            "free_bytes": _free_bytes(volume, layout, boot.volume_bytes // boot.cluster_bytes),
        }
    return _batch(row)


def directory_row(path: Path) -> pa.RecordBatch:
    """Return the row for a directory."""
    row: dict[str, Any] = {
        "kind": VolumeKind.DIRECTORY,
        "source": str(path),
        "partition_offset": 0,
        "root_path": str(path),
    }
    try:
        space = shutil.disk_usage(path)
    except OSError:
        return _batch(row)  # both are unknown then, which is what NULL says
    return _batch(row | {"total_bytes": space.total, "free_bytes": space.free})


def _batch(row: dict[str, Any]) -> pa.RecordBatch:
    full = {"volume_id": 1, **row, "kind": row["kind"].value}
    return pa.RecordBatch.from_pylist([full], schema=VOLUMES.arrow_schema)


def _read_record(volume: Volume, layout: MftLayout, number: int) -> ParsedRecord | None:
    if number >= layout.records:
        return None
    try:
        raw = RecordReader(volume, layout).read(number)
    except VolumeError:
        return None  # the stream reads it again, counts it and says so
    if raw is None or open_slot(raw) is not SlotState.RECORD:
        return None
    return parse_record(number, raw)


def _value(record: ParsedRecord | None, type_code: AttributeType) -> bytes | None:
    attributes = record.attributes if record else ()
    return next((a.value for a in attributes if a.type_code == type_code), None)


def _label(about: ParsedRecord | None) -> str | None:
    value = _value(about, AttributeType.VOLUME_NAME)
    return display_text(value[: len(value) & ~1]) if value else None


def _formatted(volume: Volume, layout: MftLayout) -> int | None:
    """Return when the $MFT was made; a copy of it still says so, which no serial number does."""
    value = _value(_read_record(volume, layout, 0), AttributeType.STANDARD_INFORMATION)
    return (u64(value, 0) or None) if value and len(value) >= _TIME_BYTES else None


def _version(about: ParsedRecord | None) -> str | None:
    value = _value(about, AttributeType.VOLUME_INFORMATION)
    if value is None or len(value) < _VERSION_AT + 2:
        return None
    return f"{value[_VERSION_AT]}.{value[_VERSION_AT + 1]}"


def _unusual_upcase(volume: Volume, layout: MftLayout) -> bytes | None:
    """Return the volume's case table if it is readable and not the usual one."""
    table = _content(volume, layout, UPCASE_RECORD, TABLE_BYTES)
    whole = len(table) == TABLE_BYTES and table != usual_table()
    return table if whole else None


def _free_bytes(volume: Volume, layout: MftLayout, clusters: int) -> int | None:
    """Return the bytes of clusters that are free in $Bitmap; None where that is not to be had."""
    needed = -(-clusters // 8)
    if needed > _MAX_BITMAP_BYTES:
        return None
    bitmap = _content(volume, layout, _BITMAP_RECORD, needed)
    if len(bitmap) < needed:
        return None
    used = sum(
        int.from_bytes(bitmap[at : at + _COUNTED_BYTES]).bit_count()
        for at in range(0, needed, _COUNTED_BYTES)
    )
    behind_the_end = bitmap[-1] >> clusters % 8 if clusters % 8 else 0
    return (clusters - used + behind_the_end.bit_count()) * layout.geometry.cluster_bytes


def _content(volume: Volume, layout: MftLayout, number: int, limit: int) -> bytes:
    """Return the first bytes of a metafile; fewer, or none, where they cannot be read."""
    record = _read_record(volume, layout, number)
    main = [
        a
        for a in (record.attributes if record else ())
        if a.type_code == AttributeType.DATA and not a.name
    ]
    if main and main[0].value is not None:
        return main[0].value[:limit]
    extents = [a.extent for a in main if a.extent]
    geometry = layout.geometry
    content = bytearray()
    try:
        runs = join_extents(extents, geometry.volume_clusters)
        for offset, length in to_spans(runs, geometry.cluster_bytes):
            wanted = min(length, limit - len(content))
            content += bytes(wanted) if offset == HOLE else read_exactly(volume, offset, wanted)
    except (RunListError, VolumeError):
        return b""  # unreadable is the same as none: there is a usual table, and NULL for unknown
    return bytes(content)
