"""Compiled: fixups, and the walk over the attributes of one record.

The walk only notes where things are; `emit` writes rows from it. The rules are those of
`musefs.pipeline.ntfs` (fixup, attribute, entry) to the letter, which the gate F10 checks.
"""

from musefs.pipeline.parse.bits import i64, int64, u16, u32
from musefs.pipeline.parse.columns import Bytes, Numbers
from musefs.pipeline.parse.compiled import part

SOUND, TORN, BAD_ARRAY = 0, 1, 2

# Places in the scratch: attribute offsets (0 = absent), counts, and lists behind them.
INFORMATION, DATA, REPARSE, DEFER, NAMES, STREAMS = 0, 1, 2, 3, 4, 5
BAD_ATTRIBUTES, BAD_NAMES, BAD_REPARSE, DUPLICATES = 6, 7, 8, 9
FIELDS = 10
NAME_LIST = 16
LIST_LENGTH = 65536 // 0x18
SHORT_LIST = NAME_LIST + LIST_LENGTH
STREAM_LIST = SHORT_LIST + LIST_LENGTH

_LX_SYMLINK = 0xA000001D


@part
def fix_up(record: Bytes) -> int:
    """Apply the fixups in place; SOUND, TORN or BAD_ARRAY."""
    size = record.size
    strides = max(size // 512, 1)
    stride = min(size, 512)
    array, count = u16(record, 4), u16(record, 6)
    if array & 1 or array < 0x28 or count != strides + 1 or array + 2 * count > stride - 2:
        return BAD_ARRAY
    check = u16(record, array)
    fresh = applied = True
    for index in range(strides):
        tail = u16(record, (index + 1) * stride - 2)
        fresh &= tail == check
        applied &= tail == u16(record, array + 2 + 2 * index)
    if fresh:
        for index in range(strides):
            record[(index + 1) * stride - 2] = record[array + 2 + 2 * index]
            record[(index + 1) * stride - 1] = record[array + 3 + 2 * index]
    return SOUND if fresh or applied else TORN


@part
def is_sound(record: Bytes, at: int, length: int) -> bool:
    """Say whether the parts of the attribute at `at` lie inside it."""
    name_bytes = 2 * int64(record[at + 9])
    if name_bytes and u16(record, at + 0x0A) + name_bytes > length:
        return False
    if record[at + 8] == 0:
        return u16(record, at + 0x14) + u32(record, at + 0x10) <= length
    if length < 0x40:
        return False
    runs = u16(record, at + 0x20)
    if runs < 0x40 or runs > length or record[at + 0x22] > 16:
        return False
    total = int64(0)
    if u16(record, at + 0x0C) & 0x8001 and runs >= 0x48:
        total = i64(record, at + 0x40)
    sizes = i64(record, at + 0x28) | i64(record, at + 0x30) | i64(record, at + 0x38)
    return i64(record, at + 0x10) | sizes | total >= 0


@part
def is_sound_name(record: Bytes, at: int) -> bool:
    """Say whether the $FILE_NAME attribute at `at` holds a possible name."""
    value = at + u16(record, at + 0x14)
    length = u32(record, at + 0x10)
    if record[at + 8] or length < 0x44:
        return False
    units = int64(record[value + 0x40])
    if units == 0 or 0x42 + 2 * units > length or record[value + 0x41] > 3:
        return False
    for index in range(units):
        unit = u16(record, value + 0x42 + 2 * index)
        if unit in (0, 0x2F):
            return False
    return True


@part
def same_stream(record: Bytes, left: int, right: int) -> bool:
    """Say whether two attributes have the same name."""
    if record[left + 9] != record[right + 9]:
        return False
    a, b = left + u16(record, left + 0x0A), right + u16(record, right + 0x0A)
    for index in range(2 * int64(record[left + 9])):
        if record[a + index] != record[b + index]:
            return False
    return True


@part
def note_data(record: Bytes, at: int, found: Numbers) -> None:
    """Note a $DATA attribute: a stream, the content, or an extent that asks for the slow way."""
    later = record[at + 8] != 0 and i64(record, at + 0x10) != 0
    if record[at + 9]:
        if later:
            return
        for index in range(found[STREAMS]):
            if same_stream(record, at, found[STREAM_LIST + index]):
                found[DUPLICATES] += 1
                return
        found[STREAM_LIST + found[STREAMS]] = at
        found[STREAMS] += 1
    elif u16(record, 0x16) & 2:
        return
    elif later:
        found[DEFER] = 1
    elif found[DATA]:
        found[DUPLICATES] += 1
    else:
        found[DATA] = at


@part
def note_reparse(record: Bytes, at: int, found: Numbers) -> None:
    """Note a reparse point; LX links have targets that only the slow way decodes."""
    if found[REPARSE]:
        return
    if record[at + 8] == 0:
        if u32(record, at + 0x10) < 8:
            found[BAD_REPARSE] += 1
            return
        if u32(record, at + u16(record, at + 0x14)) == _LX_SYMLINK:
            found[DEFER] = 1
    found[REPARSE] = at


@part
def note_attribute(record: Bytes, at: int, kind: int, found: Numbers) -> None:
    """Note one sound attribute."""
    if kind == 0x10:
        if found[INFORMATION] == 0:
            if record[at + 8] == 0 and u32(record, at + 0x10) >= 0x30:
                found[INFORMATION] = at
            else:
                found[BAD_ATTRIBUTES] += 1
    elif kind == 0x20:
        found[DEFER] = 1
    elif kind == 0x30:
        if is_sound_name(record, at):
            found[NAME_LIST + found[NAMES]] = at + u16(record, at + 0x14)
            found[NAMES] += 1
        else:
            found[BAD_NAMES] += 1
    elif kind == 0x80:
        note_data(record, at, found)
    elif kind == 0xC0:
        note_reparse(record, at, found)


@part
def walk(record: Bytes, found: Numbers) -> None:
    """Note all attributes of a fixed-up record in `found`."""
    for index in range(FIELDS):
        found[index] = 0
    at = u16(record, 0x14)
    limit = u32(record, 0x18)
    if at < 0x28:
        found[BAD_ATTRIBUTES] = 1
        return
    if limit > record.size:
        found[BAD_ATTRIBUTES] = 1
        limit = record.size
    while True:
        if at + 4 > limit:
            found[BAD_ATTRIBUTES] += 1
            return
        kind = u32(record, at)
        if kind == 0xFFFFFFFF:
            return
        length = u32(record, at + 4) if at + 0x18 <= limit else 0
        if kind == 0 or length < 0x18 or length & 7 or at + length > limit:
            found[BAD_ATTRIBUTES] += 1
            return
        if is_sound(record, at, length):
            note_attribute(record, at, kind, found)
        else:
            found[BAD_ATTRIBUTES] += 1
        at += length
