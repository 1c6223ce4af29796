"""Compiled: rows from what the walk found in one record."""

import numpy as np
from numba import njit

from musefs.pipeline.parse.bits import (
    extension_of,
    find_extension,
    i64,
    put_name,
    u16,
    u32,
)
from musefs.pipeline.parse.columns import NO_LENGTH, Bytes, Columns, Count, Numbers
from musefs.pipeline.parse.walk import (
    BAD_ATTRIBUTES,
    BAD_NAMES,
    BAD_REPARSE,
    DATA,
    DUPLICATES,
    INFORMATION,
    NAME_LIST,
    NAMES,
    REPARSE,
    SHORT_LIST,
    STREAM_LIST,
    STREAMS,
)

MAX_SIZE = (1 << 63) - 1
STATE_OK, STATE_TORN, STATE_DAMAGED = 0, 1, 2

_POSIX, _WIN32, _DOS, _WIN32_DOS = 0, 1, 2, 3
_SYMLINK, _JUNCTION, _WOF = 0xA000000C, 0xA0000003, 0x80000017
_BAD_CLUSTERS = 8
_N_ENTRIES, _N_NAMES, _N_STREAMS = Count.ENTRIES, Count.NAMES, Count.STREAMS
_TEXT, _EXACT, _SHORT, _TARGET = Count.TEXT, Count.EXACT, Count.SHORT, Count.TARGET
_STREAM_TEXT, _STREAM_EXACT = Count.STREAM_TEXT, Count.STREAM_EXACT
_WOF_NAME = np.frombuffer("WofCompressedData".encode("utf-16-le"), np.uint8)


@njit(nogil=True, cache=True)
def put_text(
    record: Bytes, at: int, units: int, out: Bytes, counts: Numbers, where: int, escape: bool
) -> int:
    """Append a name to a text column; return its length, negative if it has lone surrogates."""
    start = counts[where]
    end = put_name(record, at, units, out, start, escape)
    counts[where] = abs(end)
    return end + start if end < 0 else end - start


@njit(nogil=True, cache=True)
def emit_header(record: Bytes, number: int, entry: int, state: int, out: Columns) -> int:
    """Begin an entry from the record's header alone; return its row."""
    row = out.counts[_N_ENTRIES]
    out.counts[_N_ENTRIES] = row + 1
    flags = u16(record, 0x16)
    line = out.entries[row]
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
    return row


@njit(nogil=True, cache=True)
def emit_information(record: Bytes, row: int, at: int, out: Columns) -> None:
    """Copy $STANDARD_INFORMATION."""
    value = at + u16(record, at + 0x14)
    line = out.entries[row]
    line.created = i64(record, value)
    line.modified = i64(record, value + 0x08)
    line.changed = i64(record, value + 0x10)
    line.accessed = i64(record, value + 0x18)
    line.attributes = u32(record, value + 0x20)
    if u32(record, at + 0x10) >= 0x38:
        line.has_security = 1
        line.security_id = u32(record, value + 0x34)


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def emit_name(record: Bytes, at: int, short: int, entry_row: int, out: Columns) -> None:
    """Write one link."""
    row = out.counts[_N_NAMES]
    out.counts[_N_NAMES] = row + 1
    entry, line = out.entries[entry_row], out.names[row]
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
    units = np.int64(record[at + 0x40])
    length = put_text(record, at + 0x42, units, out.text, out.counts, _TEXT, True)
    line.text_length = abs(length)
    line.exact_length = NO_LENGTH
    if length < 0:
        line.exact_length = abs(
            put_text(record, at + 0x42, units, out.exact, out.counts, _EXACT, False)
        )
    line.short_length = NO_LENGTH
    if short:
        units = np.int64(record[short + 0x40])
        line.short_length = abs(
            put_text(record, short + 0x42, units, out.short, out.counts, _SHORT, True)
        )


@njit(nogil=True, cache=True)
def emit_names(record: Bytes, found: Numbers, entry_row: int, table: Numbers, out: Columns) -> int:
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
        emit_name(record, at, found[SHORT_LIST + index], entry_row, out)
        if extension < 0:
            packed = extension_of(record, at + 0x42, np.int64(record[at + 0x40]))
            extension = find_extension(table, packed)
    return extension


@njit(nogil=True, cache=True)
def size_of(record: Bytes, at: int) -> int:
    """Return the length of a $DATA attribute that begins at VCN 0."""
    return u32(record, at + 0x10) if record[at + 8] == 0 else i64(record, at + 0x30)


@njit(nogil=True, cache=True)
def allocated_of(record: Bytes, at: int) -> int:
    """Return the bytes of disk of a $DATA attribute that begins at VCN 0."""
    if record[at + 8] == 0:
        return 0
    if u16(record, at + 0x0C) & 0x8001 and u16(record, at + 0x20) >= 0x48:
        return i64(record, at + 0x40)
    return i64(record, at + 0x28)


@njit(nogil=True, cache=True)
def emit_data(record: Bytes, at: int, row: int, out: Columns) -> None:
    """Set the sizes of an entry from its content."""
    line = out.entries[row]
    line.size = line.valid_size = size_of(record, at)
    line.allocated = allocated_of(record, at)
    if record[at + 8]:
        line.valid_size = min(i64(record, at + 0x38), line.size)


@njit(nogil=True, cache=True)
def is_wof_stream(record: Bytes, at: int) -> bool:
    """Say whether a stream is the one in which Windows overlay keeps a file's bytes."""
    if 2 * np.int64(record[at + 9]) != _WOF_NAME.size:
        return False
    start = at + u16(record, at + 0x0A)
    equal = True
    for index in range(_WOF_NAME.size):
        equal &= record[start + index] == _WOF_NAME[index]
    return equal


@njit(nogil=True, cache=True)
def emit_streams(record: Bytes, found: Numbers, row: int, out: Columns) -> None:
    """Write the named streams and add what they occupy to the entry."""
    entry = out.entries[row]
    wof = entry.has_reparse and entry.reparse_tag == _WOF
    for index in range(found[STREAMS]):
        at = found[STREAM_LIST + index]
        allocated = 0 if entry.record_number == _BAD_CLUSTERS else allocated_of(record, at)
        room = MAX_SIZE - entry.allocated
        entry.allocated += min(allocated, room)
        if wof and is_wof_stream(record, at):
            continue
        line = out.streams[out.counts[_N_STREAMS]]
        out.counts[_N_STREAMS] += 1
        entry.stream_count += 1
        line.entry = entry.entry
        line.size = size_of(record, at)
        line.allocated = allocated
        start, units = at + u16(record, at + 0x0A), np.int64(record[at + 9])
        counts = out.counts
        length = put_text(record, start, units, out.stream_text, counts, _STREAM_TEXT, True)
        line.text_length = abs(length)
        line.exact_length = NO_LENGTH
        if length < 0:
            length = put_text(record, start, units, out.stream_exact, counts, _STREAM_EXACT, False)
            line.exact_length = abs(length)


@njit(nogil=True, cache=True)
def emit_target(record: Bytes, value: int, length: int, tag: int, row: int, out: Columns) -> bool:
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
    written = put_text(record, at, count // 2, out.target, out.counts, _TARGET, True)
    out.entries[row].target_length = abs(written)
    return True


@njit(nogil=True, cache=True)
def emit_reparse(record: Bytes, found: Numbers, row: int, out: Columns) -> None:
    """Set tag and target; the tag of one that is not resident stands in the primary name."""
    at = found[REPARSE]
    line = out.entries[row]
    tag = np.int64(0)
    if record[at + 8] == 0:
        value, length = at + u16(record, at + 0x14), u32(record, at + 0x10)
        tag = u32(record, value)
        is_link = tag in (_SYMLINK, _JUNCTION)
        if is_link and not emit_target(record, value, length, tag, row, out):
            found[BAD_REPARSE] += 1
    if tag == 0:
        if not (line.attributes & 0x400 and found[NAMES]):
            return
        tag = u32(record, found[NAME_LIST + pair_short_names(record, found)] + 0x3C)
    line.has_reparse = 1
    line.reparse_tag = tag


@njit(nogil=True, cache=True)
def emit_entry(
    record: Bytes, number: int, entry: int, found: Numbers, table: Numbers, out: Columns
) -> int:
    """Write every row of a record that stands alone but its content; return its extension."""
    row = emit_header(record, number, entry, STATE_OK, out)
    if found[INFORMATION]:
        emit_information(record, row, found[INFORMATION], out)
    extension = emit_names(record, found, row, table, out)
    if found[DATA]:
        emit_data(record, found[DATA], row, out)
    if found[REPARSE]:
        emit_reparse(record, found, row, out)
    emit_streams(record, found, row, out)
    if found[BAD_ATTRIBUTES] or found[BAD_NAMES] or found[BAD_REPARSE]:
        out.entries[row].state = STATE_DAMAGED
    if found[DUPLICATES]:
        out.damage[7] += found[DUPLICATES]
    return extension
