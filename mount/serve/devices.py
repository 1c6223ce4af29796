"""How the originals of a device are read: at once, at once if cached, or in a thread.

A page that is in memory is read on the loop in microseconds; one that is not would stop every
other request for as long as the disk takes. The kernel tells them apart (`RWF_NOWAIT`), but not
for every file system; what a device answered is remembered.
"""

from enum import Enum

from musefs.mount.serve.mountinfo import kind_of_device

IN_MEMORY = frozenset({"tmpfs", "ramfs"})
"""File systems that never wait, though they may not know RWF_NOWAIT."""

REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "afs", "virtiofs", "fuseblk"}
)
"""File systems where even `open` and `fstat` may wait for another machine or process."""


class ReadPath(Enum):
    """Where reads of a device happen."""

    INLINE = "inline"
    """On the loop: it never waits."""
    CACHED = "cached"
    """On the loop what is in memory, in a thread what is not."""
    THREAD = "thread"
    """Always in a thread."""


class Devices:
    """What is known of each device, by `st_dev`."""

    def __init__(self) -> None:
        self._paths: dict[int, ReadPath] = {}

    def read_path(self, device: int) -> ReadPath:
        """Return how a device is read."""
        found = self._paths.get(device)
        if found is None:
            found = self._paths[device] = _guess(kind_of_device(device))
        return found

    def no_wait_unknown(self, device: int) -> None:
        """Remember that a device does not know RWF_NOWAIT."""
        if self._paths.get(device) is ReadPath.CACHED:
            self._paths[device] = ReadPath.THREAD

    def statistics(self) -> dict[str, int]:
        """Return how many devices are read which way."""
        found = list(self._paths.values())
        return {path.value: found.count(path) for path in ReadPath}


def _guess(kind: str | None) -> ReadPath:
    if kind in IN_MEMORY:
        return ReadPath.INLINE
    if kind is not None and (kind in REMOTE or kind.startswith("fuse.")):
        return ReadPath.THREAD
    return ReadPath.CACHED
