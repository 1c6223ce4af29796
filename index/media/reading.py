"""How walkers read: positioned, bounded, and with an error that names the place when bytes end."""

from collections.abc import Callable

from musefs.index.errors import MediaFormatError

ReadAt = Callable[[int, int], bytes]
"""(offset, length) to bytes; fewer only at the end of the file."""


def read_exact(read_at: ReadAt, offset: int, length: int, what: str) -> bytes:
    """Read `length` bytes or say which part of the file is cut off."""
    data = read_at(offset, length)
    if len(data) != length:
        raise MediaFormatError(f"{what} at byte {offset} is cut off")
    return data
