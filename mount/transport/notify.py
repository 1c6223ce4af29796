"""Telling the kernel that names changed: one message on the session's descriptor.

With an epoch (Linux 6.16) every cached name is looked at again before it is used, at the cost of
16 bytes. Older kernels are told each changed name, from one thread of its own: that call waits
for every lookup in the directory, and on the loop it would wait for itself. Contents are never
invalidated: an inode's bytes do not change, and asking for it can hang a mount for good.
"""

import errno
import os
import struct
import threading
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from musefs.index.counters import Counter, degrade

_HEADER = struct.Struct("<IiQ")
_INVALIDATE_ENTRY = struct.Struct("<QII")
_CODE_INVALIDATE_ENTRY = 3
_CODE_EPOCH = 8

QUEUED_NAMES = 65_536
"""Names that may wait for the thread; more are left to their time-out."""

ChangedName = tuple[int, bytes]
"""The inode of a directory and a name in it."""


class Notifier:
    """Expires names in the kernel's cache."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._epochs = True
        self._names: deque[ChangedName] = deque(maxlen=QUEUED_NAMES)
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.epochs_sent = 0
        self.names_sent = 0

    def expire(self, names: Iterable[ChangedName]) -> None:
        """Have the kernel look at names again; `names` are used where epochs are not known."""
        if self._closed:
            return
        if self._epochs and self._send_epoch():
            return
        with self._wake:
            self._names.extend(names)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._serve, name="musefs-notify", daemon=True
                )
                self._thread.start()
            self._wake.notify()

    def close(self) -> None:
        """End the thread; it may sit in the kernel, so it is not waited for long."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout=0.5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send_epoch(self) -> bool:
        try:
            os.write(self._descriptor, _HEADER.pack(_HEADER.size, _CODE_EPOCH, 0))
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.ENOTCONN, errno.EBADF, errno.EPERM):
                return True  # unmounted meanwhile: there is no cache left
            self._epochs = False
            degrade(
                Counter.NOTIFY_FALLBACKS,
                "this kernel has no epochs (%s); changed names are expired one by one",
                error.strerror,
            )
            return False
        self.epochs_sent += 1
        return True

    def _serve(self) -> None:
        while True:
            with self._wake:
                while not self._names and not self._closed:
                    self._wake.wait()
                if self._closed:
                    return
                parent, name = self._names.popleft()
            self._invalidate(parent, name)

    def _invalidate(self, parent: int, name: bytes) -> None:
        body = _INVALIDATE_ENTRY.pack(parent, len(name), 0) + name + b"\0"
        header = _HEADER.pack(_HEADER.size + len(body), _CODE_INVALIDATE_ENTRY, 0)
        try:
            os.write(self._descriptor, header + body)
        except OSError as error:
            if error.errno != errno.ENOENT:  # the kernel did not know the name: nothing to expire
                degrade(Counter.NOTIFY_FALLBACKS, "a name could not be expired: %s", error)
        else:
            self.names_sent += 1
