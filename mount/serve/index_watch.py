"""Waiting until the index may have changed: the kernel says so, and a time-out makes sure.

A writer that closes the file, and a scan that puts another in its place, wake the wait at once
(inotify on the folder). What the kernel cannot see, a writer on another machine, is found when the
time is over; where there is no inotify at all, that is the only way, and it is said.

Whoever closes an index often opens it again at once: two commands of a script. While the mount
looks they would be locked out, so it lets the file rest a moment before, and while somebody else
has it open it waits on, up to the time it would have waited anyhow.
"""

import ctypes
import errno
import os
import select
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from musefs.index.counters import Counter, degrade

_IN_CLOSE_WRITE: Final = 0x8
_IN_CLOSE_NOWRITE: Final = 0x10
_IN_OPEN: Final = 0x20
_IN_MOVED_TO: Final = 0x80
_IN_DELETE_SELF: Final = 0x400
_IN_MOVE_SELF: Final = 0x800
_IN_UNMOUNT: Final = 0x2000
_IN_Q_OVERFLOW: Final = 0x4000
_IN_IGNORED: Final = 0x8000
_IN_ONLYDIR: Final = 0x0100_0000

_MASK: Final = (
    _IN_CLOSE_WRITE | _IN_CLOSE_NOWRITE | _IN_OPEN | _IN_MOVED_TO | _IN_DELETE_SELF
    | _IN_MOVE_SELF | _IN_ONLYDIR
)  # fmt: skip
_CLOSED: Final = _IN_CLOSE_WRITE | _IN_CLOSE_NOWRITE
_WRITTEN: Final = _IN_CLOSE_WRITE | _IN_MOVED_TO | _IN_Q_OVERFLOW
_ENDED: Final = _IN_DELETE_SELF | _IN_MOVE_SELF | _IN_UNMOUNT | _IN_IGNORED

_EVENT: Final = struct.Struct("iIII")
_BUFFER_BYTES: Final = 64 << 10
"""Some thousand events; DuckDB makes about ten a commit."""

GRACE_S: Final = 0.01
"""How long an index rests after a writer before it is looked at: the next statement of a script
opens it within a millisecond or two, and nobody sees ten."""


class Waits(Protocol):
    """What a refresher waits with."""

    def wait(self, seconds: float) -> bool:
        """Wait; True if something happened before the time was over."""
        ...

    def wake(self) -> None:
        """End the wait, from any thread or signal handler."""
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


class TimedWait:
    """Waits for the time alone."""

    def __init__(self) -> None:
        self._woken = threading.Event()

    def wait(self, seconds: float) -> bool:
        """Wait until woken or until the time is over."""
        woken = self._woken.wait(seconds)
        self._woken.clear()
        return woken

    def wake(self) -> None:
        """End the wait."""
        self._woken.set()

    def close(self) -> None:
        """Hold nothing."""


class IndexWatch:
    """Waits for one index; one thread waits, any may wake it."""

    def __init__(self, index: Path) -> None:
        # the folder of the file itself: a link to it changes seldom, and the time-out sees it
        self._file = Path(os.path.realpath(index))
        self._name = os.fsencode(self._file.name)
        self._woken = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._events = -1
        try:
            self._events = _watch_folder(self._file.parent)
        except OSError as error:
            self._give_up(error.strerror or str(error))

    @property
    def is_told(self) -> bool:
        """Whether the kernel tells of changes."""
        return self._events >= 0

    def wait(self, seconds: float) -> bool:
        """Wait until a writer is done with the index, until woken, or until the time is over."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready = self._ready(left)
            if self._woken in ready:
                self._drain()
                return True
            if self._events in ready:
                written, opened = self._seen()
                if written:
                    return self._rest(deadline, opened=opened)
        return False

    def wake(self) -> None:
        """End the wait."""
        os.eventfd_write(self._woken, 1)

    def close(self) -> None:
        """Stop watching; `wake` must not be called any more."""
        self._stop_watching()
        if self._woken >= 0:
            os.close(self._woken)
            self._woken = -1

    def _rest(self, deadline: float, *, opened: bool) -> bool:
        """Wait until nobody has had the file open for `GRACE_S`, at most until the deadline."""
        while True:
            left = deadline - time.monotonic()
            ready = self._ready(left if opened else min(GRACE_S, left))
            if self._woken in ready:
                self._drain()
                return True
            if self._events not in ready:
                return True  # it rested, or there is no more time
            opened = self._seen(opened=opened)[1]

    def _ready(self, seconds: float) -> list[int]:
        poll = select.poll()  # select() knows no descriptors above 1023
        poll.register(self._woken, select.POLLIN)
        if self._events >= 0:
            poll.register(self._events, select.POLLIN)
        return [descriptor for descriptor, _ in poll.poll(max(0.0, seconds) * 1000)]

    def _drain(self) -> None:
        os.eventfd_read(self._woken)

    def _seen(self, *, opened: bool = False) -> tuple[bool, bool]:
        """Return whether the index was written, and whether somebody has it open now."""
        written = False
        for mask in self._masks():
            written |= bool(mask & _WRITTEN)
            if mask & (_IN_OPEN | _CLOSED):
                opened = bool(mask & _IN_OPEN)
        return written, opened

    def _masks(self) -> Iterator[int]:
        """Yield what happened to the index, in order; give up if the folder itself went."""
        data = os.read(self._events, _BUFFER_BYTES)
        at = 0
        while at < len(data):
            _, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size + length
            name = data[at - length : at].rstrip(b"\0")
            if mask & _ENDED:
                self._give_up("its folder was moved or removed")
                yield _IN_Q_OVERFLOW  # look once more
                return
            if name == self._name or mask & _IN_Q_OVERFLOW:
                yield mask

    def _give_up(self, reason: str) -> None:
        self._stop_watching()
        degrade(
            Counter.INDEX_WATCH_FALLBACKS,
            "%s cannot be watched (%s); it is looked at in intervals only",
            self._file,
            reason,
        )

    def _stop_watching(self) -> None:
        if self._events >= 0:
            os.close(self._events)
            self._events = -1


def _watch_folder(folder: Path) -> int:
    """Return a descriptor of inotify events of a folder; raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        init, add = libc.inotify_init1, libc.inotify_add_watch
    except AttributeError as error:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error
    add.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
    descriptor: int = init(os.O_CLOEXEC | os.O_NONBLOCK)
    if descriptor < 0:
        raise _last_error()
    if add(descriptor, os.fsencode(folder), _MASK) < 0:
        refused = _last_error()
        os.close(descriptor)
        raise refused
    return descriptor


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
