"""Opening originals: on the loop where everything is in memory, in a thread where it may wait.

`openat2` with RESOLVE_CACHED walks a path only through what the kernel has cached and says EAGAIN
otherwise, in one system call for the whole path, below the root and through no link. Kernels
before 5.12, and file systems where opening asks another machine, take the thread.
"""

import ctypes
import errno
import os
import platform
import stat
import struct
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from musefs.index.backing.content import Backing, Content, ContentRef, Stamp
from musefs.index.backing.mounted import MountedBacking, MountedContent, difference, stamp_of
from musefs.index.errors import BackingChangedError, ContentError
from musefs.mount.serve.devices import Devices, ReadPath

_OPENAT2 = {"x86_64": 437, "aarch64": 437, "riscv64": 437, "armv7l": 437, "i686": 437}
"""The number is the same on every architecture that got the call when it was new."""

_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_RESOLVE_CACHED = 0x20
_HOW = struct.pack(
    "=QQQ",
    os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW,
    0,
    _RESOLVE_CACHED | _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS,
)


class Original(NamedTuple):
    """An opened original."""

    content: Content
    stamp: Stamp
    """What it was when it was opened, which is what it was when it was scanned."""
    read_path: ReadPath


class Opener(Protocol):
    """Opens originals, in two ways."""

    def open_now(self, ref: ContentRef) -> Original | None:
        """Open without waiting for anything, or return None."""
        ...

    def open(self, ref: ContentRef) -> Original:
        """Open; may wait."""
        ...

    def close(self) -> None:
        """Release what the opener itself holds."""
        ...


class WaitingOpener:
    """For any backing: always in a thread."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    def open_now(self, ref: ContentRef) -> Original | None:
        """Return None: opening may wait."""
        del ref
        return None

    def open(self, ref: ContentRef) -> Original:
        """Open and check the stamp."""
        content = self._backing.open(ref)
        return Original(content, content.stamp(), ReadPath.THREAD)

    def close(self) -> None:
        """Nothing is held."""


class MountedOpener:
    """For originals on a mounted path."""

    def __init__(self, backing: MountedBacking, devices: Devices) -> None:
        self._backing = backing
        self._devices = devices
        self._root_name = os.fsdecode(backing.root)
        self._root = -1
        self._is_local = False
        self._number = _OPENAT2.get(platform.machine())
        self._libc = ctypes.PyDLL(None, use_errno=True)
        # PyDLL keeps the interpreter's lock: the call never waits, letting go would cost more
        self._libc.syscall.argtypes = [
            ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_long,
        ]  # fmt: skip
        self._libc.syscall.restype = ctypes.c_long

    def open_now(self, ref: ContentRef) -> Original | None:
        """Open if the whole path is in the kernel's cache of a local file system."""
        if self._number is None or not self._is_local:
            return None
        path = ref.path.lstrip(b"/")
        descriptor: int = self._libc.syscall(self._number, self._root, path, _HOW, len(_HOW))
        if descriptor < 0:
            if ctypes.get_errno() in (errno.ENOSYS, errno.EPERM):
                self._number = None
            return None
        try:
            return self._checked(descriptor, ref)
        except BaseException:
            os.close(descriptor)
            raise

    def open(self, ref: ContentRef) -> Original:
        """Open and check the stamp."""
        content = self._backing.open(ref)
        descriptor = content.descriptor
        if descriptor is None:
            return Original(content, content.stamp(), ReadPath.THREAD)
        try:
            self._look_at_root()
            return self._checked(descriptor, ref, content)
        except BaseException:
            content.close()
            raise

    def _checked(
        self, descriptor: int, ref: ContentRef, content: Content | None = None
    ) -> Original:
        status = os.fstat(descriptor)
        stamp = stamp_of(status)
        changed = difference(ref.stamp, stamp)
        if not stat.S_ISREG(status.st_mode):
            changed = "it is no plain file"
        name = self._root_name + os.fsdecode(ref.path)
        if changed:
            raise BackingChangedError(f"changed since the scan: {changed}", path=name)
        if content is None:
            content = MountedContent(descriptor, name, stamp.size)
        return Original(content, stamp, self._devices.read_path(status.st_dev))

    def close(self) -> None:
        """Close the root."""
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def _look_at_root(self) -> None:
        """Find out, in a thread, whether opening below the root can wait for another machine."""
        if self._root >= 0:
            return
        try:
            root = os.open(self._backing.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return  # asked again at the next open, which says what is wrong
        device = os.fstat(root).st_dev
        self._is_local = self._devices.read_path(device) is not ReadPath.THREAD
        self._root = root


class NoContent:
    """The original of a file that has none."""

    size = 0
    descriptor = None

    def read_at(self, offset: int, length: int) -> bytes:
        """Refuse: a layout without an original never reads one."""
        raise ContentError(f"no original to read {length} bytes at {offset} from")

    def stamp(self) -> Stamp:
        """Return the stamp of nothing."""
        return Stamp(0, 0)

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


NO_CONTENT = NoContent()
