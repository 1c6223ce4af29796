"""pyfuse3's handlers: thin wrappers that put the core's answers into its structures.

A handler runs on the loop without waiting wherever the core can answer at once, and awaits a
thread where it cannot. One wrapper stands around each: an error that has an errno is answered
with it, anything else with EIO, a log line and a count, because an exception that leaves a
handler would end the mount.
"""

import errno
import functools
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import pyfuse3

from musefs.mount.plan import KernelPlan
from musefs.mount.serve.core import OPENING_LANE, Core
from musefs.mount.serve.directory_handles import WITHOUT_LISTING
from musefs.mount.serve.generation import Attributes
from musefs.mount.serve.handles import OpenFile
from musefs.mount.serve.pool import Pool
from musefs.mount.serve.statfs import BLOCK_BYTES, NAME_MAX_BYTES
from musefs.mount.transport.answers import answer

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

SECTOR_BYTES = 512
"""What st_blocks counts in."""

STATELESS = 1 << 63
"""Marks a directory handle that is an inode: pyfuse3 does not pass the inode to readdir."""


class Offload(Protocol):
    """The part of a loop that handlers need."""

    async def offload(self, pool: Pool, lane: int, work: Callable[[], T]) -> T:
        """Do `work` in a thread and return its result."""
        ...


def answered(handler: F) -> F:
    """Turn whatever a handler raises into an errno."""

    @functools.wraps(handler)
    async def wrapper(self: "LibraryOperations", *args: object) -> object:
        try:
            return await handler(self, *args)
        except pyfuse3.FUSEError:
            raise
        except Exception as error:  # noqa: BLE001 - the border: what leaves here ends the mount
            raise pyfuse3.FUSEError(answer(error, handler.__name__)) from None

    return cast("F", wrapper)  # the same signature


class LibraryOperations(pyfuse3.Operations):
    """Serves a core to the kernel through pyfuse3."""

    supports_dot_lookup = False
    enable_writeback_cache = False
    enable_acl = False

    def __init__(self, core: Core, loop: Offload, kernel: KernelPlan) -> None:
        super().__init__()
        self._core = core
        self._loop = loop
        self._keep_cache = kernel.keep_cache
        self._entry = pyfuse3.EntryAttributes()  # one for all replies: libfuse copies at once
        self._entry.st_uid = core.ownership.uid
        self._entry.st_gid = core.ownership.gid
        self._entry.st_blksize = BLOCK_BYTES
        self._entry.entry_timeout = kernel.entry_timeout_s
        self._entry.attr_timeout = kernel.attr_timeout_s
        self._nothing = pyfuse3.EntryAttributes()
        self._nothing.st_ino = 0  # remembered by the kernel as "no such name"
        self._nothing.entry_timeout = kernel.negative_timeout_s

    def detach(self) -> None:
        """Let go of the core: pyfuse3 keeps this object until the process ends."""
        del self._core

    def _fill(self, attributes: Attributes) -> pyfuse3.EntryAttributes:
        inode, is_directory, size, mtime_ns = attributes
        entry = self._entry
        entry.st_ino = inode
        ownership = self._core.ownership
        if is_directory:
            entry.st_mode = ownership.directory_mode
            entry.st_nlink = 2
        else:
            entry.st_mode = ownership.file_mode
            entry.st_nlink = 1
        entry.st_size = size
        entry.st_blocks = -(-size // SECTOR_BYTES)
        if mtime_ns <= 0:
            mtime_ns = self._core.started_ns
        entry.st_mtime_ns = entry.st_ctime_ns = entry.st_atime_ns = mtime_ns
        return entry

    @answered
    async def lookup(
        self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        """Find a name; what is not there is remembered by the kernel for a while."""
        found = self._core.lookup(parent_inode, name)
        return self._nothing if found is None else self._fill(found)

    def forget(self, inode_list: object) -> None:  # type: ignore[override]  # need not be awaited
        """Do nothing: inodes live as long as what they name."""

    @answered
    async def getattr(self, inode: int, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        """Return attributes."""
        return self._fill(self._core.getattr(inode))

    @answered
    async def access(self, inode: int, mode: int, ctx: pyfuse3.RequestContext) -> bool:
        """Say whether an access is allowed; the kernel checks modes itself."""
        return self._core.access(mode)

    @answered
    async def opendir(self, inode: int, ctx: pyfuse3.RequestContext) -> int:
        """Open a directory."""
        handle = self._core.opendir(inode)
        if handle == WITHOUT_LISTING:
            if inode & STATELESS:
                raise pyfuse3.FUSEError(errno.ENFILE)
            return inode | STATELESS
        return handle

    @answered
    async def readdir(self, fh: int, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        """List a directory with attributes, as much as fits."""
        inode = fh ^ STATELESS if fh & STATELESS else None
        fill, reply = self._fill, pyfuse3.readdir_reply
        for offset, name, attributes in self._core.readdir(fh, start_id, inode):
            if not reply(token, name, fill(attributes), offset):
                return

    @answered
    async def releasedir(self, fh: int) -> None:
        """Close a directory."""
        if not fh & STATELESS:
            self._core.releasedir(fh)

    @answered
    async def open(self, inode: int, flags: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        """Open a file for reading."""
        if flags & 3:  # O_WRONLY or O_RDWR
            raise pyfuse3.FUSEError(errno.EROFS)
        core = self._core
        opened = core.open_now(inode)
        if opened is None:
            opened = await self._loop.offload(core.pool, OPENING_LANE, lambda: core.open(inode))
        keep = self._keep_cache and not opened.direct
        return pyfuse3.FileInfo(fh=opened.handle, direct_io=opened.direct, keep_cache=keep)

    @answered
    async def read(self, fh: int, off: int, size: int) -> bytes:
        """Read a file; no await lies between filling the shared buffer and returning it."""
        core = self._core
        file = core.file(fh)
        if file is None:
            late = functools.partial(core.read_late, fh, off, size)
            data = await self._loop.offload(core.pool, OPENING_LANE, late)
        else:
            now = core.read_now(file, off, size)
            data = await self._wait_for(file, off, size) if now is None else now
        return data  # type: ignore[return-value]  # pyfuse3 takes any buffer

    async def _wait_for(self, file: OpenFile, offset: int, size: int) -> bytes | memoryview:
        handles = self._core.handles
        handles.hold(file)
        try:
            work = functools.partial(self._core.read, file, offset, size)
            return await self._loop.offload(self._core.pool, file.number, work)
        finally:
            handles.let_go(file)

    @answered
    async def release(self, fh: int) -> None:
        """Close a file."""
        self._core.release(fh)

    @answered
    async def flush(self, fh: int) -> None:
        """Have the kernel never ask again."""
        raise pyfuse3.FUSEError(errno.ENOSYS)

    @answered
    async def getxattr(self, inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> bytes:
        """Have the kernel never ask again: `ls -l` would pay for it with every file."""
        raise pyfuse3.FUSEError(errno.ENOSYS)

    @answered
    async def listxattr(self, inode: int, ctx: pyfuse3.RequestContext) -> list[bytes]:
        """Have the kernel never ask again."""
        raise pyfuse3.FUSEError(errno.ENOSYS)

    @answered
    async def statfs(self, ctx: pyfuse3.RequestContext) -> pyfuse3.StatvfsData:
        """Return what `df` shows."""
        space = self._core.statfs()
        data = pyfuse3.StatvfsData()
        data.f_bsize = data.f_frsize = BLOCK_BYTES
        data.f_blocks = space.blocks
        data.f_bfree = data.f_bavail = space.free_blocks
        data.f_files = space.inodes
        data.f_ffree = data.f_favail = space.free_inodes
        data.f_namemax = NAME_MAX_BYTES
        return data
