"""$STANDARD_INFORMATION: the times and attribute bits that Windows shows."""

from dataclasses import dataclass

from musefs.pipeline.ntfs.integers import Bytes, u32, u64

MIN_BYTES = 0x30
SECURITY_ID_END = 0x38


class FileAttribute:
    """Attribute bits with a meaning here. The directory bit is not stored on disk."""

    READ_ONLY = 0x1
    HIDDEN = 0x2
    SYSTEM = 0x4
    SPARSE = 0x200
    REPARSE = 0x400
    COMPRESSED = 0x800
    ENCRYPTED = 0x4000


@dataclass(frozen=True, slots=True)
class StandardInformation:
    """Raw FILETIMEs (100 ns since 1601, 0 = unset) and bits."""

    created: int
    modified: int
    changed: int
    accessed: int
    attributes: int
    security_id: int | None


def parse_standard_information(value: Bytes) -> StandardInformation | None:
    """Decode the value; None if it is too short. The old form of 0x30 bytes has no security id."""
    if len(value) < MIN_BYTES:
        return None
    return StandardInformation(
        created=u64(value, 0x00),
        modified=u64(value, 0x08),
        changed=u64(value, 0x10),
        accessed=u64(value, 0x18),
        attributes=u32(value, 0x20),
        security_id=u32(value, 0x34) if len(value) >= SECURITY_ID_END else None,
    )
