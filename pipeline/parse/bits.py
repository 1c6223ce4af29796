"""Compiled: numbers and names out of raw bytes. 64-bit numbers are taken as signed."""

import numpy as np
from numba import njit

from musefs.pipeline.parse.columns import Bytes


@njit(nogil=True, cache=True)
def u16(data: Bytes, at: int) -> int:
    """Return the unsigned 16-bit number at `at`."""
    return np.int64(data[at]) | np.int64(data[at + 1]) << 8


@njit(nogil=True, cache=True)
def u32(data: Bytes, at: int) -> int:
    """Return the unsigned 32-bit number at `at`."""
    return u16(data, at) | u16(data, at + 2) << 16


@njit(nogil=True, cache=True)
def i64(data: Bytes, at: int) -> int:
    """Return the signed 64-bit number at `at`."""
    return u32(data, at) | u32(data, at + 4) << 32


@njit(nogil=True, cache=True)
def signed(data: Bytes, at: int, count: int) -> int:
    """Return the signed number of 1 to 8 bytes at `at`."""
    value = np.int64(0)
    for index in range(count):
        value |= np.int64(data[at + index]) << (8 * index)
    shift = 64 - 8 * count
    return (value << shift) >> shift


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def put_escape(unit: int, out: Bytes, at: int) -> int:
    """Write a lone surrogate as backslash, u and four hex digits; return the new end."""
    out[at] = 0x5C
    out[at + 1] = 0x75
    for index in range(4):
        digit = unit >> (12 - 4 * index) & 15
        out[at + 2 + index] = digit + (0x30 if digit < 10 else 0x57)
    return at + 6


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def extension_of(data: Bytes, at: int, units: int) -> int:
    """Return the lower-case ASCII extension as a number; the twin of `packed_extension`."""
    packed = np.int64(0)
    for count in range(units):
        unit = u16(data, at + 2 * (units - 1 - count))
        if unit == 0x2E:
            return packed if count and count < units - 1 else 0
        if count == 8 or unit < 0x21 or unit >= 0x7F:
            return 0
        lower = unit | 0x20 if 0x41 <= unit <= 0x5A else unit
        packed |= lower << (8 * count)
    return 0


@njit(nogil=True, cache=True)
def find_extension(table: "np.ndarray[tuple[int], np.dtype[np.int64]]", wanted: int) -> int:
    """Return the place of `wanted` in the sorted table, or -1."""
    if wanted == 0:
        return -1
    at = np.searchsorted(table, wanted)
    return at if at < table.size and table[at] == wanted else -1
