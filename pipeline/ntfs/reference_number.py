"""File references: 48 bits of record number and 16 bits of sequence."""

from dataclasses import dataclass

RECORD_BITS = 48
RECORD_MASK = (1 << RECORD_BITS) - 1


@dataclass(frozen=True, slots=True)
class FileReference:
    """Which record is meant, and which of its successive tenants."""

    record_number: int
    sequence: int

    @classmethod
    def from_raw(cls, raw: int) -> "FileReference":
        """Split the 64-bit number that stands on disk."""
        return cls(raw & RECORD_MASK, raw >> RECORD_BITS)


ROOT_RECORD = 5
EXTEND_RECORD = 11
FIRST_USER_RECORD = 24
"""Records below are metafiles or reserved; 16 to 23 hold extensions of the first ones."""
