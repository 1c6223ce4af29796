"""The few fields of an NTFS FILE record that tell whether a file is still the one scanned.

This is not the scan's parser: it reads one record to compare a stamp and trusts nothing else.
"""

from dataclasses import dataclass

from musefs.index.backing.content import Stamp

STRIDE = 512
"""Update sequences protect 512 bytes each, whatever the sector size."""

FILETIME_UNIX_EPOCH = 116_444_736_000_000_000
"""1970-01-01 as 100 ns since 1601."""

_IN_USE = 1
_STANDARD_INFORMATION = 0x10
_DATA = 0x80
_END = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class CurrentRecord:
    """What a FILE record says now."""

    in_use: bool
    sequence: int
    lsn: int
    modified_ns: int | None
    data_size: int | None
    """Length of the unnamed $DATA; None when it lies in an extension record."""

    def stamp(self, recorded: Stamp) -> Stamp:
        """Return the stamp now; what this record does not say is taken as recorded."""
        return Stamp(
            size=recorded.size if self.data_size is None else self.data_size,
            mtime_ns=recorded.mtime_ns if self.modified_ns is None else self.modified_ns,
            ctime_ns=recorded.ctime_ns,
            inode=recorded.inode,
            lsn=self.lsn,
        )


def filetime_to_ns(filetime: int) -> int:
    """Return ns since 1970 for 100 ns since 1601; exact, as Python's integers do not overflow."""
    return (filetime - FILETIME_UNIX_EPOCH) * 100


def read_current(record: bytes) -> CurrentRecord | None:
    """Read one record; None if it is no FILE record or is torn."""
    fixed = _fix_up(record)
    if fixed is None:
        return None
    modified_ns: int | None = None
    data_size: int | None = None
    for kind, attribute in _attributes(fixed):
        if kind == _STANDARD_INFORMATION and not attribute[8]:
            value = _u16(attribute, 0x14)
            if value + 16 <= len(attribute):
                modified_ns = filetime_to_ns(_u64(attribute, value + 8))
        elif kind == _DATA and attribute[9] == 0 and data_size is None:
            data_size = _size_of(attribute)
    return CurrentRecord(
        in_use=bool(_u16(fixed, 0x16) & _IN_USE),
        sequence=_u16(fixed, 0x10),
        lsn=_u64(fixed, 0x08),
        modified_ns=modified_ns,
        data_size=data_size,
    )


def _size_of(attribute: bytes) -> int | None:
    if not attribute[8]:
        return _u32(attribute, 0x10)
    lowest_vcn = _u64(attribute, 0x10)
    return _u64(attribute, 0x30) if lowest_vcn == 0 and len(attribute) >= 0x40 else None


def _attributes(record: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    position = _u16(record, 0x14)
    end = min(_u32(record, 0x18), len(record))
    while position + 0x18 <= end:
        kind, length = _u32(record, position), _u32(record, position + 4)
        if kind == _END or length < 0x18 or length % 8 or position + length > end:
            break
        found.append((kind, record[position : position + length]))
        position += length
    return found


def _fix_up(record: bytes) -> bytes | None:
    if len(record) < STRIDE or record[:4] != b"FILE":
        return None
    array, count = _u16(record, 4), _u16(record, 6)
    if count != len(record) // STRIDE + 1 or array < 0x28 or array + 2 * count > STRIDE - 2:
        return None
    fixed = bytearray(record)
    for n in range(1, count):
        tail = n * STRIDE - 2
        saved = record[array + 2 * n : array + 2 * n + 2]
        if record[tail : tail + 2] not in (record[array : array + 2], saved):
            return None
        fixed[tail : tail + 2] = saved
    return bytes(fixed)


def _u16(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 2], "little")


def _u32(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


def _u64(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 8], "little")
