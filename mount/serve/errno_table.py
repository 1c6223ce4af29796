"""The one table that turns errors into what a system call returns.

Fault             errno    why
original changed  EIO      what was scanned is not there any more; never a mixture
original gone     ENOENT   as on any file system whose file was removed
table full        ENFILE   not this process's fault, and it passes
retired inode     ESTALE   the kernel then looks the name up again by itself
"""

import errno
from collections.abc import Mapping

from musefs.index.errors import (
    BackingChangedError,
    BackingMissingError,
    BackingReadError,
    CancelledError,
    ContentError,
    ContentRefusedError,
    IndexBusyError,
    MediaFormatError,
    MusefsError,
    NotElevatedError,
)

ERRNO_BY_ERROR: Mapping[type[MusefsError], int] = {
    BackingChangedError: errno.EIO,
    BackingMissingError: errno.ENOENT,
    BackingReadError: errno.EIO,
    ContentRefusedError: errno.EIO,
    MediaFormatError: errno.EIO,
    ContentError: errno.EIO,
    IndexBusyError: errno.EAGAIN,
    CancelledError: errno.EINTR,
    NotElevatedError: errno.EACCES,
    MusefsError: errno.EIO,
}
"""Classes that are not here answer as the nearest class above them."""


def errno_of(error: BaseException) -> int | None:
    """Return what a system call answers for `error`; None for what nobody expected."""
    if isinstance(error, MusefsError):
        return next(ERRNO_BY_ERROR[kind] for kind in type(error).__mro__ if kind in ERRNO_BY_ERROR)
    if isinstance(error, OSError):
        return error.errno or errno.EIO
    return None
