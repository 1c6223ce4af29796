"""Taking a mount away: by system call as root, with fusermount3 otherwise."""

import ctypes
import errno
import os
import shutil
import subprocess
from pathlib import Path

MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

_FUSERMOUNT_NAMES = ("fusermount3", "fusermount")
_FUSERMOUNT_SECONDS = 10
_SEARCH = "/usr/bin:/bin:/usr/local/bin"


def fusermount() -> str | None:
    """Return the path of the set-uid helper; well-known places come before PATH."""
    for name in _FUSERMOUNT_NAMES:
        found = shutil.which(name, path=_SEARCH) or shutil.which(name)
        if found:
            return found
    return None


def unmount(mountpoint: Path, *, lazy: bool = False) -> bool:
    """Unmount and say whether it is gone; False means that somebody still uses it."""
    if os.geteuid() == 0:
        return _by_system_call(mountpoint, lazy=lazy)
    return _by_helper(mountpoint, lazy=lazy)


def _by_system_call(mountpoint: Path, *, lazy: bool) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    flags = UMOUNT_NOFOLLOW | (MNT_DETACH if lazy else 0)
    if libc.umount2(os.fsencode(mountpoint), flags) == 0:
        return True
    return ctypes.get_errno() in (errno.EINVAL, errno.ENOENT)  # nothing is mounted there any more


def _by_helper(mountpoint: Path, *, lazy: bool) -> bool:
    helper = fusermount()
    if helper is None:
        return False
    command = [helper, "-u", *(["-z"] if lazy else []), "--", str(mountpoint)]
    done = subprocess.run(  # noqa: S603 - a helper of the system and a path, no shell
        command, capture_output=True, timeout=_FUSERMOUNT_SECONDS, check=False
    )
    return done.returncode == 0
