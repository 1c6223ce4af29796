"""Opening /dev/fuse and mounting it, without libfuse: the raw transport's way in.

Root mounts with the system call. Others ask fusermount3, which mounts and sends the descriptor
back over a socket.
"""

import array
import ctypes
import os
import socket
import stat
import subprocess
from pathlib import Path

from musefs.index.errors import FuseMissingError
from musefs.mount.transport.fuse_protocol import LARGEST_REQUEST_BYTES
from musefs.mount.transport.unmounting import fusermount

_MS_RDONLY, _MS_NOSUID, _MS_NODEV = 1, 2, 4
_HELPER_SECONDS = 20


def open_and_mount(mountpoint: Path, options: tuple[str, ...]) -> int:
    """Mount and return the session's descriptor; raises OSError or FuseMissingError."""
    if os.geteuid() == 0:
        return _by_system_call(mountpoint, options)
    return _by_helper(mountpoint, options)


def _by_system_call(mountpoint: Path, options: tuple[str, ...]) -> int:
    named = {name: value for name, _, value in (option.partition("=") for option in options)}
    source = named.get("fsname", "musefs")
    kind = f"fuse.{named['subtype']}" if "subtype" in named else "fuse"
    descriptor = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    mode = stat.S_IFMT(mountpoint.stat().st_mode)
    data = [f"fd={descriptor}", f"rootmode={mode:o}", "user_id=0", "group_id=0"]
    data += [name for name in ("default_permissions", "allow_other") if name in named]
    data.append(f"max_read={LARGEST_REQUEST_BYTES}")
    flags = _MS_NOSUID | _MS_NODEV | (_MS_RDONLY if "ro" in named else 0)
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = [os.fsencode(part) for part in (source, mountpoint, kind)]
    if libc.mount(*arguments, ctypes.c_ulong(flags), ",".join(data).encode()) != 0:
        number = ctypes.get_errno()
        os.close(descriptor)
        raise OSError(number, os.strerror(number), str(mountpoint))
    return descriptor


def _by_helper(mountpoint: Path, options: tuple[str, ...]) -> int:
    helper = fusermount()
    if helper is None:
        raise FuseMissingError("fusermount3 was not found", path=mountpoint)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(  # noqa: S603 - a helper of the system, no shell
            [helper, "-o", ",".join(options), "--", str(mountpoint)],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "_FUSE_COMMFD": str(theirs.fileno())},
            capture_output=True,
            timeout=_HELPER_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            text = done.stderr.decode(errors="replace").strip()
            raise OSError(text or f"{helper} failed")
        descriptor = _received(ours)
    os.set_blocking(descriptor, False)
    return descriptor


def _received(channel: socket.socket) -> int:
    numbers = array.array("i")
    _, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(numbers.itemsize))
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(data[: numbers.itemsize])
            return numbers[0]
    raise OSError("fusermount3 sent no descriptor")
