"""Compiled: the rows of `streams` from what the walk found in one record."""

import numpy as np

from musefs.pipeline.parse.bits import ESCAPED, EXACT, int64, u16
from musefs.pipeline.parse.columns import NO_LENGTH, Bytes, Count, Numbers, Row, Rows
from musefs.pipeline.parse.compiled import part
from musefs.pipeline.parse.emit import allocated_of, put_text, size_of
from musefs.pipeline.parse.walk import STREAM_LIST, STREAMS

MAX_SIZE = (1 << 63) - 1

_WOF = 0x80000017
_BAD_CLUSTERS = 8
_STREAMS = Count.STREAMS
_TEXT, _EXACT = int64(Count.STREAM_TEXT), int64(Count.STREAM_EXACT)
_WOF_NAME = np.frombuffer("WofCompressedData".encode("utf-16-le"), np.uint8)


@part
def is_wof_stream(record: Bytes, at: int) -> bool:
    """Say whether a stream is the one in which Windows overlay keeps a file's bytes."""
    if 2 * int64(record[at + 9]) != _WOF_NAME.size:
        return False
    start = at + u16(record, at + 0x0A)
    equal = True
    for index in range(_WOF_NAME.size):
        equal &= record[start + index] == _WOF_NAME[index]
    return equal


@part
def emit_stream(
    record: Bytes, at: int, entry: Row, line: Row, text: Bytes, exact: Bytes, counts: Numbers
) -> None:
    """Write one named stream."""
    entry.stream_count += 1
    line.entry = entry.entry
    line.size = size_of(record, at)
    line.allocated = 0 if entry.record_number == _BAD_CLUSTERS else allocated_of(record, at)
    start, units = at + u16(record, at + 0x0A), int64(record[at + 9])
    length = put_text(record, start, units, text, counts, _TEXT, ESCAPED)
    line.text_length = abs(length)
    line.exact_length = NO_LENGTH
    if length < 0:
        length = put_text(record, start, units, exact, counts, _EXACT, EXACT)
        line.exact_length = abs(length)


@part
def emit_streams(
    record: Bytes, found: Numbers, entry: Row, streams: Rows, text: Bytes, exact: Bytes,
    counts: Numbers,
) -> None:  # fmt: skip
    """Write the named streams and add what they occupy to the entry."""
    wof = entry.has_reparse and entry.reparse_tag == _WOF
    for index in range(found[STREAMS]):
        at = found[STREAM_LIST + index]
        allocated = 0 if entry.record_number == _BAD_CLUSTERS else allocated_of(record, at)
        entry.allocated += min(allocated, MAX_SIZE - entry.allocated)
        if wof and is_wof_stream(record, at):
            continue
        line = streams[counts[_STREAMS]]
        counts[_STREAMS] += 1
        emit_stream(record, at, entry, line, text, exact, counts)
