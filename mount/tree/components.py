"""Path components: which of them count, how long they may be, how a taken name is varied.

One component at a time in plain Python, and the same over a column: the column form finds the few
paths that need treatment with expressions and hands only those to the plain form.
"""

import re
from typing import Final

import polars as pl

MAX_COMPONENT_BYTES: Final = 255
"""NAME_MAX of Linux, in bytes of UTF-8."""

RESERVED_ROOT_NAME: Final = ".musefs-metrics"
"""The metrics directory's name; an entry of a library that wants it gets ` (2)`."""

_DROPPED = frozenset(("", ".", ".."))
_NEEDS_TREATMENT = rf"(?:^|/)\.{{0,2}}(?:/|$)|^(?i:{re.escape(RESERVED_ROOT_NAME)})(?:/|$)|\x00"
_CONTINUATION: Final = 0x80
"""The two top bits of every UTF-8 byte that does not begin a character are 10."""


def cut_bytes(name: bytes, limit_bytes: int) -> bytes:
    """Cut on a character boundary so that at most `limit_bytes` remain."""
    if len(name) <= limit_bytes:
        return name
    end = limit_bytes
    while end > 0 and name[end] & 0xC0 == _CONTINUATION:
        end -= 1
    return name[:end]


def split_extension(name: bytes) -> tuple[bytes, bytes]:
    """Split before the last dot, unless the name begins with it."""
    dot = name.rfind(b".")
    return (name[:dot], name[dot:]) if dot > 0 else (name, b"")


def cut_leaf(name: bytes) -> bytes:
    """Cut a file name to the limit, keeping its extension if that fits at all."""
    if len(name) <= MAX_COMPONENT_BYTES:
        return name
    stem, extension = split_extension(name)
    if len(extension) >= MAX_COMPONENT_BYTES:
        return cut_bytes(name, MAX_COMPONENT_BYTES)
    return cut_bytes(stem, MAX_COMPONENT_BYTES - len(extension)) + extension


def vary(name: bytes, number: int) -> bytes:
    """Put ` (number)` before the extension, trimming the stem so that the result fits."""
    stem, extension = split_extension(name)
    suffix = b" (%d)" % number
    if len(suffix) + len(extension) >= MAX_COMPONENT_BYTES:
        stem, extension = name, b""
    room_bytes = MAX_COMPONENT_BYTES - len(suffix) - len(extension)
    return cut_bytes(stem, room_bytes) + suffix + extension


def normalise_path(path: str, *, case_insensitive: bool = False) -> str | None:
    """Drop components that mean nothing, cut long ones, keep off the reserved name.

    None if no component is left. NUL, which no file name can hold, becomes `_`.
    """
    parts = [part for part in path.replace("\0", "_").split("/") if part not in _DROPPED]
    if not parts:
        return None
    first = parts[0].lower() if case_insensitive else parts[0]
    if first == RESERVED_ROOT_NAME:
        parts[0] += " (2)"
    encoded = [part.encode("utf-8", "replace") for part in parts]
    cut = [cut_bytes(part, MAX_COMPONENT_BYTES) for part in encoded[:-1]]
    return b"/".join((*cut, cut_leaf(encoded[-1]))).decode()


def normalise_paths(paths: pl.Series, *, case_insensitive: bool = False) -> pl.Series:
    """Apply `normalise_path` to a column, touching only the paths that need it."""
    special = paths.str.contains(_NEEDS_TREATMENT)
    special |= paths.str.len_bytes() > MAX_COMPONENT_BYTES
    positions = special.fill_null(value=False).arg_true()
    if not len(positions):
        return paths
    treated = [
        normalise_path(path, case_insensitive=case_insensitive) for path in paths.gather(positions)
    ]
    return paths.clone().scatter(positions, pl.Series(treated, dtype=pl.String))


def split_column(column: str) -> tuple[pl.Expr, pl.Expr]:
    """Split paths into everything before the last slash ('' if none) and what follows it."""
    path = pl.col(column)
    leaf = path.str.split("/").list.last()
    room = (path.str.len_bytes() - leaf.str.len_bytes()).cast(pl.Int64) - 1
    folder = path.cast(pl.Binary).bin.slice(0, room.clip(lower_bound=0)).cast(pl.String)
    return folder, leaf
