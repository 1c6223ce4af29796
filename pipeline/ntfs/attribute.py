"""Attributes: walking the list inside a record, and the header that all of them share.

A bad length ends the walk, for nothing behind it can be found; a bad inside costs only that one
attribute. Offsets are only ever taken from the walk, so overlapping attributes cannot occur.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from musefs.pipeline.ntfs.integers import Bytes, u16, u32, u64

END_MARKER = 0xFFFFFFFF
MIN_FIRST_ATTRIBUTE = 0x28
RESIDENT_HEADER_BYTES = 0x18
EXTENT_HEADER_BYTES = 0x40
TOTAL_ALLOCATED_AT = 0x40
MAX_UNIT_EXPONENT = 16
"""Largest compression unit accepted, as a power of two clusters; Windows writes 4."""

_HEADER = struct.Struct("<IIBBHHH")
_RESIDENT = struct.Struct("<IH")

COMPRESSED = 0x0001
ENCRYPTED = 0x4000
SPARSE = 0x8000


class AttributeType(IntEnum):
    """Attribute types this project reads."""

    STANDARD_INFORMATION = 0x10
    ATTRIBUTE_LIST = 0x20
    FILE_NAME = 0x30
    VOLUME_NAME = 0x60
    VOLUME_INFORMATION = 0x70
    DATA = 0x80
    BITMAP = 0xB0
    REPARSE_POINT = 0xC0


@dataclass(frozen=True, slots=True)
class Extent:
    """The part of a non-resident attribute that one record describes.

    The three sizes and `total_allocated` mean something only where `lowest_vcn` is 0.
    """

    lowest_vcn: int
    highest_vcn: int
    unit_exponent: int
    allocated: int
    real: int
    initialised: int
    total_allocated: int
    runs: bytes


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: resident with `value`, or an `extent` of clusters."""

    type_code: int
    name: bytes
    """UTF-16LE as on disk; empty for the unnamed one."""
    flags: int
    attribute_id: int
    value: bytes | None
    extent: Extent | None


@dataclass(frozen=True, slots=True)
class DamagedAttribute:
    """Stands where an attribute could not be read."""

    type_code: int
    ends_walk: bool


def walk_attributes(record: Bytes, first: int, used: int) -> Iterator[Attribute | DamagedAttribute]:
    """Yield the attributes of a fixed-up record in order, damage included."""
    limit = min(used, len(record))
    if first < MIN_FIRST_ATTRIBUTE:
        yield DamagedAttribute(0, ends_walk=True)
        return
    if used > len(record):
        yield DamagedAttribute(0, ends_walk=False)
    at = first
    while True:
        if at + 4 > limit:
            yield DamagedAttribute(0, ends_walk=True)
            return
        type_code = u32(record, at)
        if type_code == END_MARKER:
            return
        length = u32(record, at + 4) if at + RESIDENT_HEADER_BYTES <= limit else 0
        if type_code == 0 or length < RESIDENT_HEADER_BYTES or length & 7 or at + length > limit:
            yield DamagedAttribute(type_code, ends_walk=True)
            return
        attribute = parse_attribute(record[at : at + length])
        yield attribute or DamagedAttribute(type_code, ends_walk=False)
        at += length


def parse_attribute(data: Bytes) -> Attribute | None:
    """Decode one attribute that fills `data`; None if its parts do not lie inside it."""
    type_code, _, is_extent, units, name_at, flags, attribute_id = _HEADER.unpack_from(data)
    name_bytes = 2 * units
    if name_bytes and name_at + name_bytes > len(data):
        return None
    value: bytes | None = None
    extent: Extent | None = None
    if is_extent:
        extent = _parse_extent(data)
    else:
        value_bytes, value_at = _RESIDENT.unpack_from(data, 0x10)
        if value_at + value_bytes <= len(data):
            value = bytes(data[value_at : value_at + value_bytes])
    if value is None and extent is None:
        return None
    return Attribute(
        type_code=type_code,
        name=bytes(data[name_at : name_at + name_bytes]) if name_bytes else b"",
        flags=flags,
        attribute_id=attribute_id,
        value=value,
        extent=extent,
    )


def _parse_extent(data: Bytes) -> Extent | None:
    runs_at = u16(data, 0x20) if len(data) >= EXTENT_HEADER_BYTES else 0
    if not EXTENT_HEADER_BYTES <= runs_at <= len(data) or data[0x22] > MAX_UNIT_EXPONENT:
        return None
    sizes = [u64(data, at) for at in (0x10, 0x28, 0x30, 0x38)]
    total = sizes[1]
    if u16(data, 0x0C) & (COMPRESSED | SPARSE) and runs_at >= TOTAL_ALLOCATED_AT + 8:
        total = u64(data, TOTAL_ALLOCATED_AT)
    if max(*sizes, total) >= 1 << 63:
        return None
    highest = u64(data, 0x18)
    return Extent(
        lowest_vcn=sizes[0],
        highest_vcn=highest if highest < 1 << 63 else highest - (1 << 64),
        unit_exponent=data[0x22],
        allocated=sizes[1],
        real=sizes[2],
        initialised=sizes[3],
        total_allocated=total,
        runs=bytes(data[runs_at:]),
    )
