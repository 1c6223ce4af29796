"""Gives the compiler's pages back once the kernel is loaded: 60 MiB that nothing needs any more.

Loading machine code from the cache runs through the compiler's library, whose code then counts as
memory of the scan to its end. What is dropped here is read again from the file if it is needed.
"""

import ctypes
import logging
import mmap
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_log = logging.getLogger(__name__)

COMPILER = "libllvmlite"
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) .*")


def give_back_compiler_pages() -> int:
    """Drop the compiler's pages where the system can; returns the bytes of address space."""
    dropped = 0
    if sys.platform == "linux":
        try:
            clean = list(_clean_mappings(Path("/proc/self/smaps").read_text(encoding="utf-8")))
            madvise = ctypes.CDLL(None).madvise
        except (OSError, AttributeError) as error:
            _log.info("the compiler's pages stay: %s", error)
            return 0
        for begin, end in clean:
            length = ctypes.c_size_t(end - begin)
            if madvise(ctypes.c_void_p(begin), length, mmap.MADV_DONTNEED) == 0:
                dropped += length.value
    return dropped


def _clean_mappings(smaps: str) -> Iterator[tuple[int, int]]:
    """Yield the compiler's mappings that hold the file's own bytes and nothing written since."""
    place: tuple[int, int] | None = None
    for line in smaps.splitlines():
        mapping = _MAPPING.match(line)
        if mapping:
            begin, end, access = mapping.groups()
            ours = COMPILER in line and "w" not in access
            place = (int(begin, 16), int(end, 16)) if ours else None
        elif place and line.startswith("Private_Dirty:") and line.split()[1] == "0":
            yield place
