"""$UpCase: how a volume compares names without regard to case.

Not Python's casefold: the table maps single 16-bit units and was frozen when the volume was made.
"""

import array
import sys
from functools import cache

UPCASE_RECORD = 10
TABLE_UNITS = 65536
TABLE_BYTES = 2 * TABLE_UNITS


@cache
def usual_table() -> bytes:
    """Return the table that simple one-to-one upper case of Unicode gives, UTF-16LE."""
    units = array.array("H", range(TABLE_UNITS))
    for unit in range(TABLE_UNITS):
        upper = chr(unit).upper()
        if len(upper) == 1 and ord(upper) < TABLE_UNITS and not 0xD800 <= unit < 0xE000:
            units[unit] = ord(upper)
    return _little_endian(units)


def fold(utf16: bytes, table: bytes) -> bytes:
    """Return the name with every unit replaced by its upper case in `table`."""
    return b"".join(
        table[2 * unit : 2 * unit + 2]
        for unit in (int.from_bytes(utf16[i : i + 2], "little") for i in range(0, len(utf16), 2))
    )


def same_name(left: bytes, right: bytes, table: bytes) -> bool:
    """Say whether the volume takes two UTF-16LE names for the same."""
    return len(left) == len(right) and fold(left, table) == fold(right, table)


def _little_endian(units: "array.array[int]") -> bytes:
    if sys.byteorder == "big":
        units.byteswap()
    return units.tobytes()
