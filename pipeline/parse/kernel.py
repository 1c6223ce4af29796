"""Compiled: parses the raw records of one sub-range into columns, without the interpreter lock.

Records that need others (an attribute list) or have something rare are only numbered here and set
aside; `resolve` builds them with the plain grammar.
"""

import numpy as np
import numpy.typing as npt

from musefs.index.counters import Counter
from musefs.pipeline.parse.bits import i64, int64, u16, u32
from musefs.pipeline.parse.columns import Bytes, Columns, Count, Numbers, Row
from musefs.pipeline.parse.compiled import kernel, part
from musefs.pipeline.parse.emit import (
    STATE_DAMAGED,
    STATE_OK,
    STATE_TORN,
    emit_data,
    emit_header,
    emit_information,
    emit_names,
    emit_reparse,
)
from musefs.pipeline.parse.emit_streams import emit_streams
from musefs.pipeline.parse.locate import emit_content
from musefs.pipeline.parse.walk import (
    BAD_ATTRIBUTES,
    BAD_NAMES,
    BAD_REPARSE,
    DATA,
    DEFER,
    DUPLICATES,
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

_TORN, _BAD_FIXUPS, _BAAD, _GARBAGE = 0, 1, 2, 3
_ATTRIBUTES, _NAMES, _REPARSE, _DUPLICATES, _RUN_LISTS, _NAMELESS = 4, 5, 6, 7, 8, 9
_KEPT, _NEXT, _ENTRIES, _CONTENTS = Count.KEPT, Count.NEXT_ENTRY, Count.ENTRIES, Count.CONTENTS
_FILE, _BAAD_SIGN = 0x454C4946, 0x44414142
_FIRST_USER_RECORD = 24

# What is to be done with a slot.
_SKIP, _EXTENSION, _UNUSABLE_TORN, _UNUSABLE, _ASIDE, _PLAIN = range(6)


@part
def has_bytes(record: Bytes) -> bool:
    """Say whether any byte is not zero."""
    bits = 0
    for value in record:
        bits |= int64(value)
    return bits != 0


@part
def examine(record: Bytes, options: Numbers, found: Numbers, damage: Numbers) -> int:
    """Fix a slot up, walk it if it is a whole file's, and say what is to be done with it."""
    signature = u32(record, 0)
    if signature != _FILE:
        if signature == _BAAD_SIGN:
            damage[_BAAD] += 1
        elif signature or has_bytes(record):
            damage[_GARBAGE] += 1
        return _SKIP
    state = fix_up(record)
    if state != SOUND:
        damage[_TORN if state == TORN else _BAD_FIXUPS] += 1
    if not (u16(record, 0x16) & 1 or options[0]):
        return _SKIP
    if i64(record, 0x20) != 0:
        return _EXTENSION if state == SOUND else _SKIP
    if state == TORN:
        return _ASIDE if options[1] else _UNUSABLE_TORN
    if state != SOUND:
        return _UNUSABLE
    walk(record, found)
    return _ASIDE if found[DEFER] else _PLAIN


@part
def settle(record: Bytes, number: int, found: Numbers, line: Row, damage: Numbers) -> None:
    """Count the damage of a record that stands alone, and derive its state."""
    damage[_ATTRIBUTES] += found[BAD_ATTRIBUTES]
    damage[_NAMES] += found[BAD_NAMES]
    damage[_REPARSE] += found[BAD_REPARSE]
    damage[_DUPLICATES] += found[DUPLICATES]
    if found[BAD_ATTRIBUTES] or found[BAD_NAMES] or found[BAD_REPARSE]:
        line.state = STATE_DAMAGED
    if u16(record, 0x16) & 1 and found[NAMES] == 0 and number >= _FIRST_USER_RECORD:
        damage[_NAMELESS] += 1


@kernel
def parse_sub_range(
    records: npt.NDArray[np.uint8],
    first_number: int,
    options: Numbers,
    table: Numbers,
    out: Columns,
) -> None:
    """Parse `records`, one row each, which begin at record `first_number`.

    `options` are: deleted records too, set torn ones aside, bytes of a cluster (0 = unknown),
    clusters of the volume.
    """
    entries, names, streams, contents = out.entries, out.names, out.streams, out.contents
    counts, damage, found, formats, kept = (
        out.counts, out.damage, out.scratch, out.formats, out.kept
    )  # fmt: skip
    text, exact, short, target = out.text, out.exact, out.short, out.target
    stream_text, stream_exact, blob, spans = out.stream_text, out.stream_exact, out.blob, out.spans
    counts[:] = 0
    damage[:] = 0
    formats[:] = 0
    for row in range(records.shape[0]):
        record, number = records[row], first_number + row
        todo = examine(record, options, found, damage)
        entry = counts[_NEXT] if todo > _EXTENSION else -1
        counts[_NEXT] += todo > _EXTENSION
        if todo in (_ASIDE, _EXTENSION):
            aside: Row = kept[counts[_KEPT]]
            aside.row, aside.entry, aside.record_number = row, entry, number
            counts[_KEPT] += 1
        if todo in (_SKIP, _ASIDE, _EXTENSION):
            continue
        line: Row = entries[counts[_ENTRIES]]
        counts[_ENTRIES] += 1
        if todo != _PLAIN:
            state = STATE_TORN if todo == _UNUSABLE_TORN else STATE_DAMAGED
            emit_header(record, number, entry, state, line)
            continue
        emit_header(record, number, entry, STATE_OK, line)
        emit_information(record, found, line)
        kind = emit_names(record, found, line, table, names, text, exact, short, counts)
        emit_data(record, found, line)
        emit_reparse(record, found, line, target, counts)
        emit_streams(record, found, line, streams, stream_text, stream_exact, counts)
        settle(record, number, found, line, damage)
        if kind < 0 or found[DATA] == 0:
            continue
        formats[2 * kind] += line.in_use
        formats[2 * kind + 1] += line.size * line.in_use
        if options[2]:
            place: Row = contents[counts[_CONTENTS]]
            counts[_CONTENTS] += 1
            at = found[DATA]
            if not emit_content(
                record, at, line, place, options[2], options[3], blob, spans, counts
            ):
                damage[_RUN_LISTS] += 1
                line.state = STATE_DAMAGED
