"""The checksum of Ogg pages, at zlib's speed, and its change when only the page number changes.

Ogg's CRC-32 is zlib's with every bit the other way round (and neither start nor end inverted). So
the checksum of a page is zlib's of its mirrored bytes, mirrored.
"""

import zlib
from array import array
from functools import cache

_ONES = 0xFFFF_FFFF
_POLYNOMIAL = 0x04C1_1DB7
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

LARGEST_PAGE_BYTES = 27 + 255 + 255 * 255
CHECKSUM_OFFSET = 22


def checksum(data: bytes) -> int:
    """Return Ogg's CRC-32 of `data`."""
    mirrored = zlib.crc32(data.translate(_MIRRORED), _ONES) ^ _ONES
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")


def page_checksum(page: bytes) -> int:
    """Return the checksum of a page, whatever its checksum field holds."""
    return checksum(page[:CHECKSUM_OFFSET] + bytes(4) + page[CHECKSUM_OFFSET + 4 :])


def checksum_change(sequence_bits: int, page_length: int) -> int:
    """Return what to XOR a page's checksum with when its number changes.

    `sequence_bits` is the old number XOR the new one. The CRC is linear: bit j of the number
    stands for a power of x that depends on the bytes behind it alone, so nothing else is read.
    A checksum that was wrong stays wrong.
    """
    powers = _powers()
    top = page_length - 15
    change = 0
    while sequence_bits:
        low = sequence_bits & -sequence_bits
        position = low.bit_length() - 1
        value = powers[top - (position >> 3)]
        shift = position & 7
        if shift:
            value = (value << shift & _ONES) ^ _TABLE[value >> (32 - shift)]
        change ^= value
        sequence_bits ^= low
    return change


def _table() -> tuple[int, ...]:
    """Return i * x^32 modulo the polynomial for every byte i."""
    table: list[int] = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 & _ONES) ^ (_POLYNOMIAL if value & 0x8000_0000 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _table()


@cache
def _powers() -> "array[int]":
    """Return x^(8m) modulo the polynomial for every m below the largest page (about 10 ms)."""
    powers = array("I")
    value = 1
    for _ in range(LARGEST_PAGE_BYTES):
        powers.append(value)
        value = (value << 8 & _ONES) ^ _TABLE[value >> 24]
    return powers
