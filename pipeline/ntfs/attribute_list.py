"""$ATTRIBUTE_LIST: which record holds which attribute of a file that outgrew its record.

The index needs it only for the $MFT itself and to settle duplicates: every extension record names
its base, so names and sizes are gathered from that side. The order of the list is not trusted.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from musefs.pipeline.ntfs.integers import Bytes, u16, u32, u64
from musefs.pipeline.ntfs.reference_number import FileReference

MIN_ENTRY_BYTES = 0x1A
MAX_LIST_BYTES = 1 << 20
"""Most of a list that is read: Windows caps its own at 256 KiB; damaged ones claim gigabytes."""


class AttributeListError(ValueError):
    """A list whose entries cannot be followed further."""


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One attribute, or one extent of it."""

    type_code: int
    named: bool
    lowest_vcn: int
    holder: FileReference


def parse_attribute_list(value: Bytes) -> Iterator[ListEntry]:
    """Yield the entries in the order of the list; raises AttributeListError at a bad one."""
    at, end = 0, len(value)
    while at < end and any(value[at:end]):
        length = u16(value, at + 4) if at + MIN_ENTRY_BYTES <= end else 0
        if length < MIN_ENTRY_BYTES or at + length > end:
            raise AttributeListError("an entry does not fit into the list")
        yield ListEntry(
            type_code=u32(value, at),
            named=bool(value[at + 6]),
            lowest_vcn=u64(value, at + 8),
            holder=FileReference.from_raw(u64(value, at + 0x10)),
        )
        at += (length + 7) & ~7
