"""Compiled: parses the raw records of one sub-range into columns, without the interpreter lock.

Records that need others (an attribute list) or have something rare are only numbered here and set
aside; `resolve` builds them with the plain grammar.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from musefs.index.counters import Counter
from musefs.pipeline.parse.bits import i64, u16, u32
from musefs.pipeline.parse.columns import Bytes, Columns, Count, Numbers
from musefs.pipeline.parse.emit import (
    STATE_DAMAGED,
    STATE_TORN,
    emit_entry,
    emit_header,
)
from musefs.pipeline.parse.locate import emit_content
from musefs.pipeline.parse.walk import (
    BAD_ATTRIBUTES,
    BAD_NAMES,
    BAD_REPARSE,
    DATA,
    DEFER,
    NAMES,
    SOUND,
    TORN,
    fix_up,
    walk,
)

DAMAGE_KINDS = (
    Counter.TORN_RECORDS,
    Counter.BAD_FIXUP_ARRAYS,
    Counter.BAAD_RECORDS,
    Counter.GARBAGE_RECORDS,
    Counter.BAD_ATTRIBUTES,
    Counter.BAD_NAMES,
    Counter.BAD_REPARSE_POINTS,
    Counter.DUPLICATE_EXTENTS,
    Counter.BAD_RUN_LISTS,
    Counter.RECORDS_WITHOUT_NAME,
)
"""What the places of `Columns.damage` count."""

SEEN, LIVE, FOLDER = 1, 2, 4
"""Bits of `flags_of`: what is known of a record number after the stream."""

_TORN, _BAD_FIXUPS, _BAAD, _GARBAGE = 0, 1, 2, 3
_ATTRIBUTES, _NAMES, _REPARSE, _RUN_LISTS, _NAMELESS = 4, 5, 6, 8, 9
_KEPT, _NEXT, _ENTRIES = Count.KEPT, Count.NEXT_ENTRY, Count.ENTRIES
_FILE, _BAAD_SIGN = 0x454C4946, 0x44414142
_FIRST_USER_RECORD = 24


@njit(nogil=True, cache=True)
def keep(row: int, number: int, entry: int, out: Columns) -> None:
    """Set a record aside whole."""
    line = out.kept[out.counts[_KEPT]]
    out.counts[_KEPT] += 1
    line.row, line.entry, line.record_number = row, entry, number


@njit(nogil=True, cache=True)
def has_bytes(record: Bytes) -> bool:
    """Say whether any byte is not zero."""
    bits = np.uint8(0)
    for value in record:
        bits |= value
    return bits != 0


@njit(nogil=True, cache=True)
def parse_base(
    record: Bytes, number: int, entry: int, table: Numbers, cluster_bytes: int, clusters: int,
    out: Columns,
) -> None:  # fmt: skip
    """Write all rows of a base record that stands alone."""
    found = out.scratch
    extension = emit_entry(record, number, entry, found, table, out)
    row = out.counts[_ENTRIES] - 1
    out.damage[_ATTRIBUTES] += found[BAD_ATTRIBUTES]
    out.damage[_NAMES] += found[BAD_NAMES]
    out.damage[_REPARSE] += found[BAD_REPARSE]
    live = u16(record, 0x16) & 1
    if live and found[NAMES] == 0 and number >= _FIRST_USER_RECORD:
        out.damage[_NAMELESS] += 1
    if extension < 0 or found[DATA] == 0:
        return
    if live:
        out.formats[2 * extension] += 1
        out.formats[2 * extension + 1] += out.entries[row].size
    if cluster_bytes and not emit_content(record, found[DATA], row, cluster_bytes, clusters, out):
        out.damage[_RUN_LISTS] += 1
        out.entries[row].state = STATE_DAMAGED


@njit(nogil=True, cache=True)
def parse_record(
    record: Bytes, row: int, number: int, options: Numbers, table: Numbers, out: Columns
) -> int:
    """Parse one slot that begins with FILE; return what is known of its number."""
    deleted, keep_torn, cluster_bytes, clusters = options[0], options[1], options[2], options[3]
    state = fix_up(record)
    if state != SOUND:
        out.damage[_TORN if state == TORN else _BAD_FIXUPS] += 1
    flags = u16(record, 0x16)
    if not (flags & 1 or deleted):
        return 0
    if i64(record, 0x20) != 0:
        if state == SOUND:
            keep(row, number, -1, out)
        return 0
    entry = out.counts[_NEXT]
    out.counts[_NEXT] = entry + 1
    if state != SOUND:
        if state == TORN and keep_torn:
            keep(row, number, entry, out)
        else:
            emit_header(record, number, entry, STATE_TORN if state == TORN else STATE_DAMAGED, out)
    else:
        walk(record, out.scratch)
        if out.scratch[DEFER]:
            keep(row, number, entry, out)
        else:
            parse_base(record, number, entry, table, cluster_bytes, clusters, out)
    return SEEN | (LIVE if flags & 1 else 0) | (FOLDER if flags & 2 else 0)


@njit(nogil=True, cache=True)
def parse_sub_range(
    records: npt.NDArray[np.uint8],
    first_number: int,
    options: Numbers,
    table: Numbers,
    sequences: npt.NDArray[np.uint16],
    flags_of: Bytes,
    out: Columns,
) -> None:
    """Parse `records`, one row each, which begin at record `first_number`.

    `options` are: deleted records too, set torn ones aside, bytes of a cluster (0 = unknown),
    clusters of the volume. `sequences` and `flags_of` cover the whole $MFT; each thread writes
    only the places of its own records.
    """
    out.counts[:] = 0
    out.damage[:] = 0
    out.formats[:] = 0
    for row in range(records.shape[0]):
        record = records[row]
        signature = u32(record, 0)
        number = first_number + row
        if signature == _FILE:
            known = parse_record(record, row, number, options, table, out)
            if known:
                flags_of[number] = known
                sequences[number] = u16(record, 0x10)
        elif signature == _BAAD_SIGN:
            out.damage[_BAAD] += 1
        elif signature or has_bytes(record):
            out.damage[_GARBAGE] += 1
