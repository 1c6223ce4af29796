"""The column buffers that the compiled parser fills; one set for each thread, used again and again.

Each is as large as the worst sub-range could ask for. Memory that is not touched costs nothing,
and buffers that are allocated anew for each sub-range made two threads slower than one.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]
Row = Any
"""One row, its fields attributes: a compiled record, which no type checker knows."""

ENTRY = np.dtype(
    [
        ("entry", "i4"), ("record_number", "i8"), ("sequence", "i4"), ("in_use", "u1"),
        ("is_directory", "u1"), ("size", "i8"), ("allocated", "i8"), ("valid_size", "i8"),
        ("created", "i8"), ("modified", "i8"), ("changed", "i8"), ("accessed", "i8"),
        ("attributes", "u4"), ("has_reparse", "u1"), ("reparse_tag", "u4"),
        ("target_length", "i4"), ("has_security", "u1"), ("security_id", "u4"), ("lsn", "i8"),
        ("link_count", "i4"), ("name_count", "i4"), ("stream_count", "i4"), ("state", "u1"),
    ],
    align=True,
)  # fmt: skip
NAME = np.dtype(
    [
        ("entry", "i4"), ("ordinal", "i4"), ("text_length", "i4"), ("exact_length", "i4"),
        ("short_length", "i4"), ("namespace", "u1"), ("of_directory", "u1"),
        ("attributes", "u4"), ("parent_record", "i8"), ("parent_sequence", "i4"),
        ("created", "i8"), ("modified", "i8"), ("changed", "i8"), ("accessed", "i8"),
    ],
    align=True,
)  # fmt: skip
STREAM = np.dtype(
    [
        ("entry", "i4"), ("text_length", "i4"), ("exact_length", "i4"),
        ("size", "i8"), ("allocated", "i8"),
    ],
    align=True,
)  # fmt: skip
CONTENT = np.dtype(
    [
        ("entry", "i4"), ("kind", "u1"), ("unit_clusters", "i4"), ("size", "i8"),
        ("valid_size", "i8"), ("first_byte", "i8"), ("resident_length", "i4"), ("runs", "i4"),
    ],
    align=True,
)  # fmt: skip
KEPT = np.dtype([("row", "i4"), ("entry", "i4"), ("record_number", "i8")], align=True)
"""Records set aside whole: deferred base records, and extensions (entry -1)."""

NO_LENGTH = -1
"""Length of a text that is NULL."""


class Columns(NamedTuple):
    """What the kernel writes; a named tuple because that is what compiled code can take."""

    entries: Rows
    names: Rows
    streams: Rows
    contents: Rows
    kept: Rows
    text: Bytes
    exact: Bytes
    short: Bytes
    target: Bytes
    stream_text: Bytes
    stream_exact: Bytes
    blob: Bytes
    spans: Numbers
    """Offset and length in turn."""
    formats: Numbers
    """Files and bytes for each readable extension, in turn."""
    damage: Numbers
    counts: Numbers
    """How much of each column is filled; see `Count`."""
    scratch: Numbers
    """What was found in the record at hand; see `musefs.pipeline.parse.walk`."""


class Count:
    """Places in `Columns.counts`."""

    ENTRIES, NAMES, STREAMS, CONTENTS, KEPT = range(5)
    TEXT, EXACT, SHORT, TARGET, STREAM_TEXT, STREAM_EXACT, BLOB, SPANS = range(5, 13)
    NEXT_ENTRY = 13
    LENGTH = 14


MIN_NAME_BYTES = 0x44
MIN_STREAM_BYTES = 0x18
MIN_RUN_BYTES = 2
DISPLAY_GROWTH = 3
"""A lone surrogate of two bytes becomes an escape of six."""
SCRATCH_LENGTH = 16 + 3 * (65536 // MIN_STREAM_BYTES)


def allocate_columns(sub_range_bytes: int, record_bytes: int, formats: int) -> Columns:
    """Return empty columns for sub-ranges of at most `sub_range_bytes`."""
    size = sub_range_bytes
    text = DISPLAY_GROWTH * size
    return Columns(
        entries=np.empty(size // record_bytes, ENTRY),
        names=np.empty(size // MIN_NAME_BYTES + 1, NAME),
        streams=np.empty(size // MIN_STREAM_BYTES + 1, STREAM),
        contents=np.empty(size // record_bytes, CONTENT),
        kept=np.empty(size // record_bytes, KEPT),
        text=np.empty(text, np.uint8),
        exact=np.empty(text, np.uint8),
        short=np.empty(text, np.uint8),
        target=np.empty(text, np.uint8),
        stream_text=np.empty(text, np.uint8),
        stream_exact=np.empty(text, np.uint8),
        blob=np.empty(size, np.uint8),
        spans=np.empty(2 * (size // MIN_RUN_BYTES + 1), np.int64),
        formats=np.zeros(2 * formats, np.int64),
        damage=np.zeros(16, np.int64),
        counts=np.zeros(Count.LENGTH, np.int64),
        scratch=np.zeros(SCRATCH_LENGTH, np.int64),
    )
