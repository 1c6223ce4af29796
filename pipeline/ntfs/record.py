"""FILE records: signature, header, and the state in which one was found."""

import struct
from dataclasses import dataclass
from enum import Enum

from musefs.pipeline.ntfs.fixup import FixupState, apply_fixups
from musefs.pipeline.ntfs.integers import Bytes

SIGNATURE = b"FILE"
BAAD_SIGNATURE = b"BAAD"
HEADER_AT = 0x08
_HEADER = struct.Struct("<QHHHHIIQ")
"""The fields of `RecordHeader`, in its order."""
IN_USE = 1
DIRECTORY = 2


class SlotState(Enum):
    """What a slot of the $MFT holds."""

    RECORD = "record"
    NEVER_USED = "never used"
    BAAD = "baad"
    GARBAGE = "garbage"
    TORN = "torn"
    BAD_FIXUPS = "bad fixups"


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """The header of a FILE record. Its own record number is not read: position decides."""

    lsn: int
    sequence: int
    link_count: int
    first_attribute: int
    flags: int
    used_bytes: int
    allocated_bytes: int
    base_reference: int

    @property
    def in_use(self) -> bool:
        """Whether the record is allocated."""
        return bool(self.flags & IN_USE)

    @property
    def is_directory(self) -> bool:
        """Whether the record has a directory index; not said anywhere else."""
        return bool(self.flags & DIRECTORY)

    @property
    def is_base(self) -> bool:
        """Whether this is a file of its own.

        All 64 bits must be zero: extensions of the $MFT itself point to record 0, sequence 1.
        """
        return self.base_reference == 0


def parse_header(record: Bytes) -> RecordHeader:
    """Decode the header of a record that begins with FILE."""
    return RecordHeader(*_HEADER.unpack_from(record, HEADER_AT))


def open_slot(record: bytearray | memoryview) -> SlotState:
    """Classify a slot and, if it is a sound record, apply its fixups in place."""
    signature = bytes(record[:4])
    if signature == SIGNATURE:
        state = apply_fixups(record)
        if state is FixupState.APPLIED:
            return SlotState.RECORD
        return SlotState.TORN if state is FixupState.TORN else SlotState.BAD_FIXUPS
    if signature == BAAD_SIGNATURE:
        return SlotState.BAAD
    return SlotState.GARBAGE if any(record) else SlotState.NEVER_USED
