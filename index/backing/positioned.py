"""Reads at a position of an open file, also where the system has no `pread`."""

import os
import sys
import threading
from typing import Final

_ONE_AT_A_TIME: Final = threading.Lock()
"""A descriptor has one position. All share one lock: readers of many files are processes."""


def read_by_seeking(descriptor: int, length: int, offset: int) -> bytes:
    """Do what `os.pread` does, but move the descriptor's position."""
    with _ONE_AT_A_TIME:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, length)


if sys.platform == "win32":
    pread = read_by_seeking
else:
    pread = os.pread
