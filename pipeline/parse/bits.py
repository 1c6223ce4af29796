"""Compiled: numbers and names out of raw bytes. 64-bit numbers are taken as signed."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from musefs.pipeline.parse.columns import Bytes, Numbers
from musefs.pipeline.parse.compiled import part

if TYPE_CHECKING:
    from collections.abc import Callable

# Compiled code knows numpy's integers only; for the type checkers they are plain ones.
int64 = cast("Callable[[Any], int]", np.int64)
uint64 = cast("Callable[[Any], int]", np.uint64)
boolean = cast("Callable[[Any], bool]", np.bool_)

# Constants given to several functions have numpy's types: for each plain literal numba compiles a
# function anew, although it is copied into its callers, where the constant counts, in any case.
ESCAPED, EXACT = boolean(True), boolean(False)

_ONE, _TWO, _FOUR = uint64(1), uint64(2), uint64(4)
# Unsigned places: for signed ones numba emits a test for negative indices before every byte, and
# then nothing joins the bytes into one load (measured: a third of the parser's time).


@part
def _u16_at(data: Bytes, at: int) -> int:
    return int64(data[at]) | int64(data[at + _ONE]) << 8


@part
def _u32_at(data: Bytes, at: int) -> int:
    return _u16_at(data, at) | _u16_at(data, at + _TWO) << 16


@part
def u16(data: Bytes, at: int) -> int:
    """Return the unsigned 16-bit number at `at`."""
    return _u16_at(data, uint64(at))


@part
def u32(data: Bytes, at: int) -> int:
    """Return the unsigned 32-bit number at `at`."""
    return _u32_at(data, uint64(at))


@part
def i64(data: Bytes, at: int) -> int:
    """Return the signed 64-bit number at `at`."""
    place = uint64(at)
    return _u32_at(data, place) | _u32_at(data, place + _FOUR) << 32


@part
def signed(data: Bytes, at: int, count: int) -> int:
    """Return the signed number of 1 to 8 bytes at `at`."""
    value = int64(0)
    for index in range(count):
        value |= int64(data[at + index]) << (8 * index)
    shift = 64 - 8 * count
    return (value << shift) >> shift


@part
def put_utf8(point: int, out: Bytes, at: int) -> int:
    """Write a code point of 0x80 or more, surrogates included; return the new end."""
    if point < 0x800:
        out[at] = 0xC0 | point >> 6
    elif point < 0x10000:
        out[at] = 0xE0 | point >> 12
        out[at + 1] = 0x80 | point >> 6 & 0x3F
        at += 1
    else:
        out[at] = 0xF0 | point >> 18
        out[at + 1] = 0x80 | point >> 12 & 0x3F
        out[at + 2] = 0x80 | point >> 6 & 0x3F
        at += 2
    out[at + 1] = 0x80 | point & 0x3F
    return at + 2


@part
def put_escape(unit: int, out: Bytes, at: int) -> int:
    """Write a lone surrogate as backslash, u and four hex digits; return the new end."""
    out[at] = 0x5C
    out[at + 1] = 0x75
    for index in range(4):
        digit = unit >> (12 - 4 * index) & 15
        out[at + 2 + index] = digit + (0x30 if digit < 10 else 0x57)
    return at + 6


@part
def put_name(data: Bytes, at: int, units: int, out: Bytes, end: int, escape: bool) -> int:
    """Write UTF-16 as UTF-8; return the new end, negative if there were lone surrogates.

    With `escape` those become escapes (display text), else they are encoded as they are (WTF-8).
    """
    lone = False
    index = 0
    while index < units:
        unit = u16(data, at + 2 * index)
        index += 1
        if unit < 0x80:
            out[end] = unit
            end += 1
        elif unit & 0xF800 != 0xD800:
            end = put_utf8(unit, out, end)
        else:
            low = u16(data, at + 2 * index) if index < units else 0
            if unit < 0xDC00 and low & 0xFC00 == 0xDC00:
                end = put_utf8(0x10000 + ((unit & 0x3FF) << 10 | low & 0x3FF), out, end)
                index += 1
                continue
            lone = True
            end = put_escape(unit, out, end) if escape else put_utf8(unit, out, end)
    return -end if lone else end


@part
def extension_of(data: Bytes, at: int, units: int) -> int:
    """Return the lower-case ASCII extension as a number; the twin of `packed_extension`."""
    packed = int64(0)
    for count in range(units):
        unit = u16(data, at + 2 * (units - 1 - count))
        if unit == 0x2E:
            return packed if count and count < units - 1 else 0
        if count == 8 or unit < 0x21 or unit >= 0x7F:
            return 0
        lower = unit | 0x20 if 0x41 <= unit <= 0x5A else unit
        packed |= lower << (8 * count)
    return 0


@part
def find_extension(table: Numbers, wanted: int) -> int:
    """Return the place of `wanted` in the sorted table, or -1."""
    low, high = 0, table.size
    while low < high:
        middle = (low + high) // 2
        if table[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if wanted and low < table.size and table[low] == wanted else -1
