"""The kernel's FUSE protocol (7.31 and later), as far as a read-only library needs it: data only.

Structures are packed with `struct` in the order of the kernel's header `fuse.h`; all integers
are of the machine's own byte order, which for everything that we support is little-endian.
"""

import struct
from enum import IntEnum, IntFlag
from typing import Final


class Opcode(IntEnum):
    """Requests that are answered; every other one gets an error."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    SETATTR = 4
    READLINK = 5
    SYMLINK = 6
    MKNOD = 8
    MKDIR = 9
    UNLINK = 10
    RMDIR = 11
    RENAME = 12
    LINK = 13
    OPEN = 14
    READ = 15
    WRITE = 16
    STATFS = 17
    RELEASE = 18
    SETXATTR = 21
    REMOVEXATTR = 24
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    ACCESS = 34
    CREATE = 35
    INTERRUPT = 36
    DESTROY = 38
    BATCH_FORGET = 42
    FALLOCATE = 43
    READDIRPLUS = 44
    RENAME2 = 45


WRITING: Final = frozenset(
    {
        Opcode.SETATTR, Opcode.SYMLINK, Opcode.MKNOD, Opcode.MKDIR, Opcode.UNLINK, Opcode.RMDIR,
        Opcode.RENAME, Opcode.LINK, Opcode.WRITE, Opcode.SETXATTR, Opcode.REMOVEXATTR,
        Opcode.CREATE, Opcode.FALLOCATE, Opcode.RENAME2,
    }
)  # fmt: skip
"""Requests that would change something: EROFS."""

SILENT: Final = frozenset({Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT})
"""Requests that the kernel expects no answer to."""


class InitFlag(IntFlag):
    """What both sides can do; the lower 32 bits travel in `flags`, the others in `flags2`."""

    ASYNC_READ = 1 << 0
    AUTO_INVAL_DATA = 1 << 12
    DO_READDIRPLUS = 1 << 13
    ASYNC_DIO = 1 << 15
    PARALLEL_DIROPS = 1 << 18
    MAX_PAGES = 1 << 22
    INIT_EXT = 1 << 30
    PASSTHROUGH = 1 << 37


class OpenFlag(IntFlag):
    """What an open may ask of the kernel."""

    DIRECT_IO = 1 << 0
    KEEP_CACHE = 1 << 1
    NO_FLUSH = 1 << 5
    PASSTHROUGH = 1 << 7


MAJOR: Final = 7
MINOR: Final = 38
"""The version whose structures these are; a newer kernel speaks it too."""

REQUEST = struct.Struct("=IIQQIIIHH")
"""length, opcode, unique, node, uid, gid, pid, extensions, padding"""
REPLY = struct.Struct("=IiQ")
"""length, negative errno, unique"""
INIT_IN = struct.Struct("=IIII")
"""major, minor, largest read-ahead, flags; since 7.36 followed by flags2"""
INIT_OUT = struct.Struct("=IIIIHHIIHHII24x")
"""major, minor, read-ahead, flags, background, congestion, largest write, time granularity,
pages, alignment, flags2, stack depth"""
ATTRIBUTES = struct.Struct("=QQQQQQIIIIIIIIII")
"""inode, size, blocks, three times in seconds, in nanoseconds, mode, links, uid, gid, device,
block size, flags"""
ENTRY_HEAD = struct.Struct("=QQQQII")
"""node, generation, entry and attribute time-outs in seconds, the same in nanoseconds"""
ATTR_HEAD = struct.Struct("=QII")
"""time-out in seconds, in nanoseconds, padding"""
OPEN_IN = struct.Struct("=II")
OPEN_OUT = struct.Struct("=QIi")
"""handle, flags, backing id"""
READ_IN = struct.Struct("=QQI")
"""handle, offset, size; more follows that we do not need"""
RELEASE_IN = struct.Struct("=Q")
ACCESS_IN = struct.Struct("=I")
DIRENT = struct.Struct("=QQII")
"""inode, next offset, length of the name, type"""
STATFS_OUT = struct.Struct("=QQQQQIIII24x")
"""blocks, free, available, inodes, free inodes, block size, name length, fragment, padding"""

BACKING_OPEN: Final = 0x4010E501
"""ioctl number: register a descriptor for passthrough; _IOW(229, 1, 16 bytes)."""
BACKING_CLOSE: Final = 0x4004E502
"""ioctl number: forget it; _IOW(229, 2, 4 bytes)."""
BACKING_MAP = struct.Struct("=iIQ")
BACKING_ID = struct.Struct("=I")

LARGEST_REQUEST_BYTES: Final = 1 << 20
"""Size of reads that we accept, and of the buffer for requests (none of ours is larger)."""


def seconds(timeout_s: float) -> tuple[int, int]:
    """Split a time-out into whole seconds and nanoseconds."""
    nanoseconds = int(timeout_s * 1_000_000_000)
    return nanoseconds // 1_000_000_000, nanoseconds % 1_000_000_000
