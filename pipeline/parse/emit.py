"""Compiled: the rows of `entries` and `names` from what the walk found in one record.

Functions take single rows and columns, never the whole set of them: taking a column out of a
tuple counts a reference each time, which cost five times the work itself (measured).
"""

from musefs.pipeline.parse.bits import (
    ESCAPED,
    EXACT,
    extension_of,
    find_extension,
    i64,
    int64,
    put_name,
    u16,
    u32,
)
from musefs.pipeline.parse.columns import NO_LENGTH, Bytes, Count, Numbers, Row, Rows
from musefs.pipeline.parse.compiled import part
from musefs.pipeline.parse.walk import (
    BAD_REPARSE,
    DATA,
    INFORMATION,
    NAME_LIST,
    NAMES,
    REPARSE,
    SHORT_LIST,
)

STATE_OK, STATE_TORN, STATE_DAMAGED = int64(0), int64(1), int64(2)

_WIN32, _DOS, _WIN32_DOS = 1, 2, 3
_SYMLINK, _JUNCTION = 0xA000000C, 0xA0000003
_NAMES, _TEXT, _EXACT = Count.NAMES, int64(Count.TEXT), int64(Count.EXACT)
_SHORT, _TARGET = int64(Count.SHORT), int64(Count.TARGET)


@part
def put_text(
    record: Bytes, at: int, units: int, out: Bytes, counts: Numbers, where: int, escape: bool
) -> int:
    """Append a name to a text column; return its length, negative if it has lone surrogates."""
    start: int = counts[where]
    end = put_name(record, at, units, out, start, escape)
    counts[where] = abs(end)
    return end + start if end < 0 else end - start


@part
def emit_header(record: Bytes, number: int, entry: int, state: int, line: Row) -> None:
    """Begin an entry from the record's header alone."""
    flags = u16(record, 0x16)
    line.entry = entry
    line.record_number = number
    line.sequence = u16(record, 0x10)
    line.in_use = flags & 1
    line.is_directory = flags >> 1 & 1
    line.size = line.valid_size = -1
    line.allocated = 0
    line.created = line.modified = line.changed = line.accessed = 0
    line.attributes = 0
    line.has_reparse = line.has_security = 0
    line.reparse_tag = line.security_id = 0
    line.target_length = NO_LENGTH
    line.lsn = i64(record, 0x08)
    line.link_count = u16(record, 0x12)
    line.name_count = line.stream_count = 0
    line.state = state


@part
def emit_information(record: Bytes, found: Numbers, line: Row) -> None:
    """Copy $STANDARD_INFORMATION."""
    at = found[INFORMATION]
    if at == 0:
        return
    value = at + u16(record, at + 0x14)
    line.created = i64(record, value)
    line.modified = i64(record, value + 0x08)
    line.changed = i64(record, value + 0x10)
    line.accessed = i64(record, value + 0x18)
    line.attributes = u32(record, value + 0x20)
    if u32(record, at + 0x10) >= 0x38:
        line.has_security = 1
        line.security_id = u32(record, value + 0x34)


@part
def pair_short_names(record: Bytes, found: Numbers) -> int:
    """Give each 8.3 name to its Win32 name; return the primary name's place.

    Afterwards the short list holds for each name: 0, the place of its 8.3 name, or -1 for names
    that get no row.
    """
    names = found[NAMES]
    plain = 0
    primary = -1
    for index in range(names):
        found[SHORT_LIST + index] = 0
        space = record[found[NAME_LIST + index] + 0x41]
        plain += space != _DOS
        if primary < 0 and space in (_WIN32, _WIN32_DOS):
            primary = index
    if plain == 0:
        return 0
    for index in range(names):
        at = found[NAME_LIST + index]
        if record[at + 0x41] != _DOS:
            if primary < 0:
                primary = index
            continue
        found[SHORT_LIST + index] = -1
        for other in range(names):
            near = found[NAME_LIST + other]
            fits = record[near + 0x41] == _WIN32 and found[SHORT_LIST + other] == 0
            if fits and i64(record, near) == i64(record, at):
                found[SHORT_LIST + other] = at
                break
    return primary


@part
def emit_name(record: Bytes, at: int, entry: Row, line: Row) -> None:
    """Write the numbers of one link."""
    line.entry = entry.entry
    line.ordinal = entry.name_count
    entry.name_count += 1
    line.of_directory = entry.is_directory
    line.attributes = entry.attributes
    line.namespace = record[at + 0x41]
    line.parent_record = i64(record, at) & 0xFFFFFFFFFFFF
    line.parent_sequence = u16(record, at + 6)
    line.created = i64(record, at + 0x08)
    line.modified = i64(record, at + 0x10)
    line.changed = i64(record, at + 0x18)
    line.accessed = i64(record, at + 0x20)


@part
def emit_texts(
    record: Bytes, at: int, short_at: int, line: Row, text: Bytes, exact: Bytes, short: Bytes,
    counts: Numbers,
) -> None:  # fmt: skip
    """Write the texts of one link."""
    units = int64(record[at + 0x40])
    length = put_text(record, at + 0x42, units, text, counts, _TEXT, ESCAPED)
    line.text_length = abs(length)
    line.exact_length = NO_LENGTH
    if length < 0:
        line.exact_length = abs(put_text(record, at + 0x42, units, exact, counts, _EXACT, EXACT))
    line.short_length = NO_LENGTH
    if short_at:
        units = int64(record[short_at + 0x40])
        line.short_length = abs(
            put_text(record, short_at + 0x42, units, short, counts, _SHORT, ESCAPED)
        )


@part
def emit_names(
    record: Bytes, found: Numbers, entry: Row, table: Numbers, names: Rows, text: Bytes,
    exact: Bytes, short: Bytes, counts: Numbers,
) -> int:  # fmt: skip
    """Write all links, the primary first; return the place of their extension in `table`."""
    if found[NAMES] == 0:
        return -1
    primary = pair_short_names(record, found)
    extension = -1
    for turn in range(-1, found[NAMES]):
        index = primary if turn < 0 else turn
        if (turn == primary) or found[SHORT_LIST + index] < 0:
            continue
        at = found[NAME_LIST + index]
        line = names[counts[_NAMES]]
        counts[_NAMES] += 1
        emit_name(record, at, entry, line)
        emit_texts(
            record, at, found[SHORT_LIST + index], line, text, exact, short, counts
        )  # fmt: skip
        if extension < 0:
            packed = extension_of(record, at + 0x42, int64(record[at + 0x40]))
            extension = find_extension(table, packed)
    return extension


@part
def size_of(record: Bytes, at: int) -> int:
    """Return the length of a $DATA attribute that begins at VCN 0."""
    return u32(record, at + 0x10) if record[at + 8] == 0 else i64(record, at + 0x30)


@part
def allocated_of(record: Bytes, at: int) -> int:
    """Return the bytes of disk of a $DATA attribute that begins at VCN 0."""
    if record[at + 8] == 0:
        return 0
    if u16(record, at + 0x0C) & 0x8001 and u16(record, at + 0x20) >= 0x48:
        return i64(record, at + 0x40)
    return i64(record, at + 0x28)


@part
def emit_data(record: Bytes, found: Numbers, line: Row) -> None:
    """Set the sizes of an entry from its content."""
    at = found[DATA]
    if at == 0:
        return
    line.size = line.valid_size = size_of(record, at)
    line.allocated = allocated_of(record, at)
    if record[at + 8]:
        line.valid_size = min(i64(record, at + 0x38), line.size)


@part
def emit_target(
    record: Bytes, value: int, length: int, tag: int, line: Row, target: Bytes, counts: Numbers
) -> bool:
    """Write the target of a link or junction; False if it does not lie in the value."""
    text = 0x14 if tag == _SYMLINK else 0x10
    if length < text:
        return False
    printed = u16(record, value + 14)
    start = u16(record, value + (12 if printed else 8))
    count = u16(record, value + (14 if printed else 10))
    if count & 1 or text + start + count > length:
        return False
    at = value + text + start
    nt_prefix = (
        not printed
        and count >= 8
        and u32(record, at) == 0x003F005C
        and u32(record, at + 4) == 0x005C003F
    )
    if nt_prefix:
        at, count = at + 8, count - 8
    line.target_length = abs(put_text(record, at, count // 2, target, counts, _TARGET, ESCAPED))
    return True


@part
def emit_reparse(record: Bytes, found: Numbers, line: Row, target: Bytes, counts: Numbers) -> None:
    """Set tag and target; the tag of one that is not resident stands in the primary name."""
    at = found[REPARSE]
    if at == 0:
        return
    tag = int64(0)
    if record[at + 8] == 0:
        value, length = at + u16(record, at + 0x14), u32(record, at + 0x10)
        tag = u32(record, value)
        is_link = tag in (_SYMLINK, _JUNCTION)
        if is_link and not emit_target(record, value, length, tag, line, target, counts):
            found[BAD_REPARSE] += 1
    if tag == 0:
        if not (line.attributes & 0x400 and found[NAMES]):
            return
        tag = u32(record, found[NAME_LIST + pair_short_names(record, found)] + 0x3C)
    line.has_reparse = 1
    line.reparse_tag = tag
