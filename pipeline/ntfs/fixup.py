"""Fixups: the last two bytes of every 512 of a record are kept elsewhere to expose torn writes.

The stride is 512 bytes whatever the sector size of the drive (checked on 4Kn volumes).
"""

from enum import Enum

from musefs.pipeline.ntfs.integers import u16

STRIDE_BYTES = 512
MIN_ARRAY_OFFSET = 0x28


class FixupState(Enum):
    """What the fixups of a record say."""

    APPLIED = 0
    TORN = 1
    """A tail differs: a write was cut, or the record changed while it was read."""
    BAD_ARRAY = 2
    """The array itself cannot be right; nothing was changed."""


def apply_fixups(record: bytearray | memoryview) -> FixupState:
    """Put the real bytes back into `record`, in place.

    A dump whose fixups were applied already (every tail equals its saved pair, and not the check
    number) is taken as it is.
    """
    offset, count = u16(record, 4), u16(record, 6)
    strides = len(record) // STRIDE_BYTES or 1
    stride = min(STRIDE_BYTES, len(record))
    if offset & 1 or offset < MIN_ARRAY_OFFSET or count != strides + 1:
        return FixupState.BAD_ARRAY
    if offset + 2 * count > stride - 2:
        return FixupState.BAD_ARRAY
    check = bytes(record[offset : offset + 2])
    tails = [(index + 1) * stride - 2 for index in range(strides)]
    saved = [bytes(record[offset + 2 * i : offset + 2 * i + 2]) for i in range(1, count)]
    if all(bytes(record[tail : tail + 2]) == check for tail in tails):
        for tail, pair in zip(tails, saved, strict=True):
            record[tail : tail + 2] = pair
        return FixupState.APPLIED
    if all(bytes(record[tail : tail + 2]) == pair for tail, pair in zip(tails, saved, strict=True)):
        return FixupState.APPLIED
    return FixupState.TORN
