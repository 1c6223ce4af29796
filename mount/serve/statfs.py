"""What `df` says: the served bytes are used, and what is free is what the originals' disk has.

Zeros are avoided on purpose: importers refuse to read from a file system without space.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from musefs.mount.serve.generation import Generation

BLOCK_BYTES = 4096
NAME_MAX_BYTES = 255
FREE_IF_UNKNOWN_BYTES = 1 << 40
FREE_INODES = 1 << 32


@dataclass(frozen=True, slots=True)
class Space:
    """The numbers of one `statfs`."""

    blocks: int
    free_blocks: int
    inodes: int
    free_inodes: int


def free_bytes_below(root: Path | None) -> int:
    """Return what is free where the originals are; may wait, so never on the loop."""
    if root is None:
        return FREE_IF_UNKNOWN_BYTES
    try:
        status = os.statvfs(root)
    except OSError:
        return FREE_IF_UNKNOWN_BYTES
    return max(status.f_bavail * status.f_frsize, BLOCK_BYTES)


def space_of(generation: Generation, free_bytes: int) -> Space:
    """Return the numbers for one state of the library."""
    used = -(-generation.served_bytes // BLOCK_BYTES)
    free = free_bytes // BLOCK_BYTES
    return Space(
        blocks=used + free,
        free_blocks=free,
        inodes=generation.files + generation.directories + FREE_INODES,
        free_inodes=FREE_INODES,
    )
