"""The lock file beside an index: one scanner for each `--out` at a time.

The operating system's own lock on that file is what counts, so a killed scanner never leaves a
stale one; the pid inside is for the message only. Where a file system knows no locks (some
network shares), the file's existence counts and a pid that is gone makes it stale.
"""

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from musefs.index.errors import IndexBusyError, IndexWriteError

LOCK_SUFFIX = ".lock"

_PID_BYTES = 32
"""More than any pid in decimal digits."""


def lock_path(index: Path) -> Path:
    """Return the lock file of an index."""
    return index.with_name(index.name + LOCK_SUFFIX)


def process_exists(pid: int) -> bool:
    """Tell whether a process of this machine has the number `pid`."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, pid)
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    else:  # noqa: RET505 - or the type checkers call the rest unreachable on Windows
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def _lock_now(descriptor: int) -> bool | None:
    """Take the system's lock: True taken, False held by another, None where there are none."""
    if sys.platform == "win32":
        import msvcrt

        try:
            os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # behind the pid, which stays readable
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    else:  # noqa: RET505 - as above
        import errno
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                return None
            raise
        return True


class IndexLock:
    """Holds the lock of one index between `acquire` and `release`, or as a context."""

    def __init__(self, index: Path) -> None:
        self.index = index
        self.path = lock_path(index)
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise IndexBusyError with the holder's pid."""
        while self._descriptor is None:
            descriptor = self._open()
            taken = _lock_now(descriptor)
            pid = self._holder(descriptor)
            if taken is None:
                taken = pid in (0, os.getpid()) or not process_exists(pid)
            if not taken:
                os.close(descriptor)
                raise IndexBusyError(f"in use by pid {pid}", path=self.index)
            if self._is_current(descriptor):
                self._descriptor = descriptor
                self._sign(descriptor)
            else:  # the former holder removed the file after we had opened it
                os.close(descriptor)

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            raise IndexWriteError(
                f"cannot make the lock file {self.path.name}: {error.strerror}", path=self.index
            ) from error

    @staticmethod
    def _holder(descriptor: int) -> int:
        os.lseek(descriptor, 0, os.SEEK_SET)
        text = os.read(descriptor, _PID_BYTES).strip()
        return int(text) if text.isdigit() else 0

    @staticmethod
    def _sign(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, b"%d\n" % os.getpid())

    def _is_current(self, descriptor: int) -> bool:
        try:
            now = self.path.stat()
        except FileNotFoundError:
            return False
        held = os.fstat(descriptor)
        return (now.st_dev, now.st_ino) == (held.st_dev, held.st_ino)

    def release(self) -> None:
        """Remove the lock file and let go of it; harmless if it is not held."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        if sys.platform != "win32":  # an open file cannot be removed there: close it first
            self.path.unlink(missing_ok=True)
            os.close(descriptor)
        else:
            os.close(descriptor)
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
