"""What one folder holds, as one scandir and one lstat an entry; runs in the walk's threads.

Paths are bytes throughout: a name that is no UTF-8 is as good as any other.
"""

import os
import stat
from dataclasses import dataclass

from musefs.index.counters import Counter, degrade


@dataclass(frozen=True, slots=True)
class Found:
    """One directory entry."""

    name: bytes
    status: os.stat_result
    target: bytes | None
    """Where a symbolic link points to."""

    @property
    def is_directory(self) -> bool:
        """A folder, or a followed link to one."""
        return stat.S_ISDIR(self.status.st_mode)


def list_folder(path: bytes, *, follow_symlinks: bool) -> list[Found]:
    """Return the entries of a folder in byte order; what cannot be read is counted."""
    try:
        with os.scandir(path) as entries:
            found = [_look(entry, follow_symlinks=follow_symlinks) for entry in entries]
    except OSError as error:
        reason = error.strerror or str(error)
        degrade(Counter.UNREADABLE_FOLDERS, "folder %s: %s", os.fsdecode(path), reason)
        return []
    return sorted((entry for entry in found if entry), key=lambda entry: entry.name)


def _look(entry: os.DirEntry[bytes], *, follow_symlinks: bool) -> Found | None:
    try:
        if entry.is_symlink():
            return _look_at_link(entry, follow_symlinks=follow_symlinks)
        return Found(entry.name, entry.stat(follow_symlinks=False), None)
    except OSError as error:
        reason = error.strerror or str(error)
        degrade(Counter.UNREADABLE_ENTRIES, "entry %s: %s", os.fsdecode(entry.path), reason)
        return None


def _look_at_link(entry: os.DirEntry[bytes], *, follow_symlinks: bool) -> Found:
    target = os.readlink(entry.path)  # noqa: PTH115  bytes, which Path is not
    if follow_symlinks:
        try:
            return Found(entry.name, entry.stat(follow_symlinks=True), target)
        except OSError:  # a dangling link is listed as the link it is
            pass
    return Found(entry.name, entry.stat(follow_symlinks=False), target)
