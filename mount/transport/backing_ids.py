"""Registering originals with the kernel, which then reads them without us (row M27).

All opens of an inode share one id: the kernel refuses to mix, also cached with uncached opens, so
an inode that began without an id goes on without one until its last release. The id is closed
there and not earlier: closing right after the open made most opens fail.

What is checked is checked at the open only: a later change of the original in place is seen by
readers at once, as on the original itself.
"""

import fcntl
import threading
from dataclasses import dataclass

from musefs.index.counters import Counter, degrade
from musefs.mount.transport.fuse_protocol import (
    BACKING_CLOSE,
    BACKING_ID,
    BACKING_MAP,
    BACKING_OPEN,
)

NO_BACKING = 0


@dataclass(slots=True)
class _Shared:
    backing_id: int
    opens: int


class BackingIds:
    """The ids of one session; safe to share."""

    def __init__(self, session: int) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._shared: dict[int, _Shared] = {}
        self.enabled = False
        """Set when kernel and mode allow passthrough; the first failure clears it for good."""

    def __len__(self) -> int:
        return sum(1 for shared in self._shared.values() if shared.backing_id)

    def opened(self, inode: int, descriptor: int, *, plain: bool) -> int:
        """Return the id for one more open of `inode`, or NO_BACKING to serve it ourselves."""
        with self._lock:
            shared = self._shared.get(inode)
            if shared is None:
                backing_id = self._register(descriptor) if plain and self.enabled else NO_BACKING
                shared = self._shared[inode] = _Shared(backing_id, 0)
            shared.opens += 1
            return shared.backing_id

    def released(self, inode: int) -> None:
        """Note the end of one open; the last one closes the id."""
        with self._lock:
            shared = self._shared.get(inode)
            if shared is None:
                return
            shared.opens -= 1
            if shared.opens:
                return
            del self._shared[inode]
        if shared.backing_id:
            fcntl.ioctl(self._session, BACKING_CLOSE, BACKING_ID.pack(shared.backing_id))

    def _register(self, descriptor: int) -> int:
        try:
            request = bytearray(BACKING_MAP.pack(descriptor, 0, 0))  # mutable: the id is returned
            backing_id: int = fcntl.ioctl(self._session, BACKING_OPEN, request)
        except OSError as error:
            self.enabled = False
            degrade(
                Counter.PASSTHROUGH_FALLBACKS,
                "the kernel does not read originals itself (%s); they are served through us",
                error.strerror,
            )
            return NO_BACKING
        return backing_id
