"""FILE records: signature, header, and the state in which one was found."""

from dataclasses import dataclass
from enum import Enum

from musefs.pipeline.ntfs.fixup import FixupState, apply_fixups
from musefs.pipeline.ntfs.integers import Bytes, u16, u32, u64

SIGNATURE = b"FILE"
BAAD_SIGNATURE = b"BAAD"
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
    return RecordHeader(
        lsn=u64(record, 0x08),
        sequence=u16(record, 0x10),
        link_count=u16(record, 0x12),
        first_attribute=u16(record, 0x14),
        flags=u16(record, 0x16),
        used_bytes=u32(record, 0x18),
        allocated_bytes=u32(record, 0x1C),
        base_reference=u64(record, 0x20),
    )


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
