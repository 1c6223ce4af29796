"""Case folding as NTFS does it: one simple upper case per UTF-16 unit, no normalisation.

Two names are one in a case-insensitive mount if they fold to the same bytes. ß is not SS here and
characters beyond the basic plane have no case, as in a volume's $UpCase table.
"""

from functools import cache
from typing import Final

import polars as pl

_BASIC_PLANE: Final = 0x10000


@cache
def _table() -> dict[int, str]:
    """Map each character of the basic plane that has a single upper case to it."""
    pairs = ((point, chr(point).upper()) for point in range(0x80, _BASIC_PLANE))
    table = {
        point: upper
        for point, upper in pairs
        if len(upper) == 1 and ord(upper) != point and ord(upper) < _BASIC_PLANE
    }
    return table | {ord(small): small.upper() for small in "abcdefghijklmnopqrstuvwxyz"}


def fold(text: str) -> str:
    """Return the form under which a name is compared."""
    return text.upper() if text.isascii() else text.translate(_table())


def fold_bytes(name: bytes) -> bytes:
    """Return `fold` of a UTF-8 name; a name that is no UTF-8 equals only itself."""
    if name.isascii():
        return name.upper()
    try:
        return fold(name.decode()).encode()
    except UnicodeDecodeError:  # cannot be in the tree: the caller's search finds nothing
        return name


def fold_column(texts: pl.Series) -> pl.Series:
    """Apply `fold` to a column; only distinct texts that are not ASCII cost Python work."""
    folded = texts.str.to_uppercase()
    positions = (texts.str.len_bytes() != texts.str.len_chars()).fill_null(value=False).arg_true()
    if not len(positions):
        return folded
    plain = texts.gather(positions)
    forms = {text: fold(text) for text in plain.unique()}
    return folded.scatter(positions, pl.Series([forms[text] for text in plain], dtype=pl.String))
