"""The second transport: the kernel's protocol itself, under the same core.

It exists for passthrough, which no library here can negotiate (decision record: passthrough needs
the raw protocol), and needs no libfuse. One thread takes requests and answers all that needs no
waiting; what may wait goes to the pool, whose threads write their answers themselves.
"""

import errno
import os
import select
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from musefs.mount.plan import KernelPlan
from musefs.mount.serve.core import OPENING_LANE, Core, Opened
from musefs.mount.serve.directory_handles import WITHOUT_LISTING
from musefs.mount.serve.pool import Job
from musefs.mount.serve.statfs import BLOCK_BYTES, NAME_MAX_BYTES
from musefs.mount.transport import fuse_protocol as wire
from musefs.mount.transport.answers import answer
from musefs.mount.transport.backing_ids import NO_BACKING, BackingIds
from musefs.mount.transport.fuse_protocol import InitFlag, Opcode, OpenFlag
from musefs.mount.transport.loop import SPIN_NS
from musefs.mount.transport.notify import Notifier
from musefs.mount.transport.raw_entries import EntryPacker
from musefs.mount.transport.raw_mount import open_and_mount
from musefs.mount.transport.unmounting import unmount

STACK_DEPTH = 2
"""Allows originals on an overlay file system, as in containers."""

WANTED = (
    InitFlag.ASYNC_READ
    | InitFlag.AUTO_INVAL_DATA
    | InitFlag.DO_READDIRPLUS
    | InitFlag.ASYNC_DIO
    | InitFlag.PARALLEL_DIROPS
    | InitFlag.MAX_PAGES
)

Answer = bytes | memoryview | None
"""What follows the reply's header; None when nothing is answered now."""


class RawTransport:
    """One session."""

    def __init__(self, core: Core, kernel: KernelPlan) -> None:
        self._core = core
        self._kernel = kernel
        self._pack = EntryPacker(core, kernel)
        self._descriptor = -1
        self._mountpoint: Path | None = None
        self._stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._stopping = False
        self._buffer = bytearray(wire.LARGEST_REQUEST_BYTES + 4096)
        self._backing = BackingIds(-1)
        self._requests = 0
        self._between: Callable[[], None] | None = None
        self._handlers: dict[int, Callable[[int, int, memoryview], Answer]] = {
            Opcode.INIT: self._init,
            Opcode.LOOKUP: self._lookup,
            Opcode.GETATTR: self._getattr,
            Opcode.OPEN: self._open,
            Opcode.READ: self._read,
            Opcode.RELEASE: self._release,
            Opcode.OPENDIR: self._opendir,
            Opcode.READDIR: partial(self._readdir, plus=False),
            Opcode.READDIRPLUS: partial(self._readdir, plus=True),
            Opcode.RELEASEDIR: self._releasedir,
            Opcode.STATFS: self._statfs,
            Opcode.ACCESS: self._access,
            Opcode.DESTROY: self._destroy,
        }

    # what the session needs

    def mount(self, mountpoint: Path, options: tuple[str, ...]) -> None:
        """Mount; raises OSError."""
        self._descriptor = open_and_mount(mountpoint, options)
        self._mountpoint = mountpoint
        self._backing = BackingIds(self._descriptor)

    def notifier(self) -> Notifier:
        """Return what expires names of this mount."""
        return Notifier(self._descriptor)

    def run(self) -> None:
        """Serve requests until the mount is gone or `stop` was called."""
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        poller.register(self._stop, select.POLLIN)
        view = memoryview(self._buffer)
        while not self._stopping:
            try:
                length = os.readv(self._descriptor, [self._buffer])
            except BlockingIOError:
                _spin_then_sleep(poller)
                continue
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR):
                    continue  # the request was interrupted before we took it
                if error.errno == errno.ENODEV:
                    return  # unmounted
                raise
            self._requests += 1
            self._serve(view[:length])
            if self._between is not None:
                between, self._between = self._between, None
                between()

    def stop(self) -> None:
        """Have `run` return soon."""
        self._stopping = True
        os.eventfd_write(self._stop, 1)

    def between_requests(self, call: Callable[[], None]) -> None:
        """Have `call` called after the next request; the last one given counts."""
        self._between = call

    def close(self) -> None:
        """Unmount if that has not happened, and release everything."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._mountpoint is not None:
            unmount(self._mountpoint, lazy=True)
            self._mountpoint = None
        if self._stop >= 0:
            os.close(self._stop)
            self._stop = -1

    def statistics(self) -> dict[str, int]:
        """Return requests taken, and files that the kernel reads itself."""
        return {
            "requests": self._requests,
            "passthrough_active": len(self._backing),
            "passthrough_enabled": int(self._backing.enabled),
        }

    # one request

    def _serve(self, request: memoryview) -> None:
        _, opcode, unique, node, *_ = wire.REQUEST.unpack_from(request)
        if opcode in wire.SILENT:
            return
        handler = self._handlers.get(opcode)
        if handler is None:
            self._reply_error(unique, errno.EROFS if opcode in wire.WRITING else errno.ENOSYS)
            return
        try:
            body = handler(unique, node, request[wire.REQUEST.size :])
        except Exception as error:  # noqa: BLE001 - the border: an error must not end the mount
            self._reply_error(unique, answer(error, Opcode(opcode).name.lower()))
        else:
            if body is not None:
                self._reply(unique, body)

    def _reply(self, unique: int, body: bytes | memoryview) -> None:
        header = wire.REPLY.pack(wire.REPLY.size + len(body), 0, unique)
        self._write([header, body] if body else [header])

    def _reply_error(self, unique: int, number: int) -> None:
        self._write([wire.REPLY.pack(wire.REPLY.size, -number, unique)])

    def _write(self, parts: list[bytes | memoryview]) -> None:
        try:
            os.writev(self._descriptor, parts)
        except OSError as error:
            # ENOENT: the caller was interrupted; ENODEV and EBADF: unmounted meanwhile
            if error.errno not in (errno.ENOENT, errno.ENODEV, errno.EBADF):
                raise

    def _later(
        self, lane: int, unique: int, work: Callable[[], bytes | memoryview], operation: str
    ) -> None:
        def done(job: Job[bytes | memoryview]) -> None:
            if isinstance(job.error, Exception):
                self._reply_error(unique, answer(job.error, operation))
            else:
                self._reply(unique, b"" if job.result is None else job.result)

        self._core.pool.submit(lane, work, done)

    # the session

    def _init(self, unique: int, node: int, body: memoryview) -> Answer:
        major, _, read_ahead, flags = wire.INIT_IN.unpack_from(body)
        if major < wire.MAJOR:
            raise OSError(errno.EPROTO, "this kernel's FUSE is too old")
        offered = flags
        if flags & InitFlag.INIT_EXT and len(body) >= wire.INIT_IN.size + 4:
            offered |= (
                int.from_bytes(body[wire.INIT_IN.size : wire.INIT_IN.size + 4], "little") << 32
            )
        agreed = offered & WANTED
        if self._core.passthrough and offered & InitFlag.PASSTHROUGH:
            agreed |= InitFlag.PASSTHROUGH | InitFlag.INIT_EXT
            self._backing.enabled = True
        background = self._kernel.max_background
        return wire.INIT_OUT.pack(
            wire.MAJOR, wire.MINOR, max(read_ahead, self._kernel.max_read_ahead_bytes),
            agreed & 0xFFFFFFFF, background, background * 3 // 4, wire.LARGEST_REQUEST_BYTES, 1,
            wire.LARGEST_REQUEST_BYTES // os.sysconf("SC_PAGESIZE"), 0, agreed >> 32,
            STACK_DEPTH if self._backing.enabled else 0,
        )  # fmt: skip

    def _destroy(self, unique: int, node: int, body: memoryview) -> Answer:
        self._stopping = True
        return b""

    # names and attributes

    def _lookup(self, unique: int, node: int, body: memoryview) -> Answer:
        found = self._core.lookup(node, bytes(body[:-1]))
        return self._pack.nothing if found is None else self._pack.entry(found)

    def _getattr(self, unique: int, node: int, body: memoryview) -> Answer:
        return self._pack.attributes(self._core.getattr(node))

    def _access(self, unique: int, node: int, body: memoryview) -> Answer:
        (mode,) = wire.ACCESS_IN.unpack_from(body)
        if not self._core.access(mode):
            raise OSError(errno.EROFS, "read-only")
        return b""

    def _statfs(self, unique: int, node: int, body: memoryview) -> Answer:
        space = self._core.statfs()
        return wire.STATFS_OUT.pack(
            space.blocks, space.free_blocks, space.free_blocks, space.inodes, space.free_inodes,
            BLOCK_BYTES, NAME_MAX_BYTES, BLOCK_BYTES, 0,
        )  # fmt: skip

    # directories

    def _opendir(self, unique: int, node: int, body: memoryview) -> Answer:
        return wire.OPEN_OUT.pack(self._core.opendir(node), 0, 0)

    def _readdir(self, unique: int, node: int, body: memoryview, *, plus: bool) -> Answer:
        handle, offset, size = wire.READ_IN.unpack_from(body)
        inode = node if handle == WITHOUT_LISTING else None
        return self._pack.listing(self._core.readdir(handle, offset, inode), size, plus=plus)

    def _releasedir(self, unique: int, node: int, body: memoryview) -> Answer:
        (handle,) = wire.RELEASE_IN.unpack_from(body)
        self._core.releasedir(handle)
        return b""

    # files

    def _open(self, unique: int, node: int, body: memoryview) -> Answer:
        flags, _ = wire.OPEN_IN.unpack_from(body)
        if flags & os.O_ACCMODE:
            raise OSError(errno.EROFS, "read-only")
        opened = self._core.open_now(node)
        if opened is not None:
            return self._opened(node, opened)
        self._later(OPENING_LANE, unique, lambda: self._opened(node, self._core.open(node)), "open")
        return None

    def _opened(self, inode: int, opened: Opened) -> bytes:
        flags = OpenFlag.NO_FLUSH
        backing_id = NO_BACKING
        if opened.direct:
            flags |= OpenFlag.DIRECT_IO
        elif self._kernel.keep_cache:
            flags |= OpenFlag.KEEP_CACHE
        file = self._core.file(opened.handle)
        if file is not None and not opened.direct:
            plain = file.layout.is_plain and file.descriptor >= 0
            backing_id = self._backing.opened(inode, file.descriptor, plain=plain)
        if backing_id:
            flags = OpenFlag.PASSTHROUGH | OpenFlag.NO_FLUSH
        return wire.OPEN_OUT.pack(opened.handle, flags, backing_id)

    def _read(self, unique: int, node: int, body: memoryview) -> Answer:
        handle, offset, size = wire.READ_IN.unpack_from(body)
        core = self._core
        file = core.file(handle)
        if file is None:
            late = partial(core.read_late, handle, offset, size, node)
            self._later(OPENING_LANE, unique, late, "read")
            return None
        data = core.read_now(file, offset, size)
        if data is None:
            core.handles.hold(file)

            def work() -> bytes | memoryview:
                try:
                    return core.read(file, offset, size)
                finally:
                    core.handles.let_go(file)

            self._later(file.number, unique, work, "read")
        return data

    def _release(self, unique: int, node: int, body: memoryview) -> Answer:
        (handle,) = wire.RELEASE_IN.unpack_from(body)
        self._core.release(handle)
        self._backing.released(node)
        return b""


def _spin_then_sleep(poller: select.poll) -> None:
    """Wait for a request: being woken costs more than looking for a moment."""
    deadline = time.perf_counter_ns() + SPIN_NS
    while time.perf_counter_ns() < deadline:
        if poller.poll(0):
            return
    poller.poll()
