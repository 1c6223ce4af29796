"""Originals as far as they are in memory: read on the loop, given up where one would have to wait.

The kernel tells cached pages from others by `RWF_NOWAIT`; a file system that does not know it is
remembered and read in threads from then on. On file systems in memory nothing ever waits.
"""

import errno
import os
from types import TracebackType
from typing import Self

from musefs.index.backing.content import Stamp
from musefs.index.backing.mounted import stamp_of
from musefs.mount.serve.devices import Devices, ReadPath
from musefs.mount.serve.handles import OpenFile

NO_WAIT = getattr(os, "RWF_NOWAIT", 0)
_NOT_KNOWN = frozenset({errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS})


class AtOnce:
    """Reads of the loop's thread; never waits."""

    def __init__(self, devices: Devices, buffer_bytes: int) -> None:
        self._devices = devices
        self._buffer = memoryview(bytearray(buffer_bytes))

    def fill(self, file: OpenFile, target: memoryview, offset: int) -> bool:
        """Fill `target` from the original; False if not all of it is in memory."""
        flags = NO_WAIT if file.read_path is ReadPath.CACHED else 0
        try:
            return os.preadv(file.descriptor, [target], offset, flags) == len(target)
        except BlockingIOError:
            return False
        except OSError as error:
            if flags and error.errno in _NOT_KNOWN:
                device = os.fstat(file.descriptor).st_dev
                self._devices.no_wait_unknown(device)
                file.read_path = self._devices.read_path(device)
            return False  # an error that is none of these is met again, and counted, in a thread

    def content(self, file: OpenFile) -> "CachedContent":
        """Return the original for segments that compute something from it."""
        return CachedContent(self, file)

    def read(self, file: OpenFile, offset: int, length: int) -> bytes | None:
        """Return bytes of the original; None if not all of them are in memory."""
        target = self._buffer[:length]
        return bytes(target) if self.fill(file, target, offset) else None


class CachedContent:
    """An open original of which only what is in memory can be read: BlockingIOError else."""

    descriptor = None
    """None, so that nobody reads past the check."""

    def __init__(self, at_once: AtOnce, file: OpenFile) -> None:
        self._at_once = at_once
        self._file = file

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._file.content.size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end."""
        length = max(0, min(length, self.size - offset))
        data = self._at_once.read(self._file, offset, length)
        if data is None:
            raise BlockingIOError(errno.EAGAIN, "not in memory")
        return data

    def stamp(self) -> Stamp:
        """Return what the original's stamp is now."""
        return stamp_of(os.fstat(self._file.descriptor))

    def close(self) -> None:
        """Nothing: the file is not ours."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held."""
