"""What is mounted where, from the kernel's own list."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class MountEntry:
    """One line of the list."""

    device: int
    mountpoint: str
    kind: str
    """Name of the file system, such as ext4 or fuse.musefs."""
    source: str


def mounts(path: Path = MOUNTINFO) -> Iterator[MountEntry]:
    """Yield all mounts in the order in which they were made."""
    try:
        lines = path.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        major, minor = fields[2].split(":")
        yield MountEntry(
            os.makedev(int(major), int(minor)), _unescape(fields[4]), rest[0], _unescape(rest[1])
        )


def mount_at(mountpoint: Path) -> MountEntry | None:
    """Return the topmost mount at exactly this path.

    The path is not resolved with `stat`: on a dead mount that fails or hangs.
    """
    wanted = os.path.normpath(os.path.abspath(mountpoint))  # noqa: PTH100 - resolve() would stat
    found = None
    for entry in mounts():
        if entry.mountpoint == wanted:
            found = entry
    return found


def kind_of_device(device: int) -> str | None:
    """Return the name of the file system that a `st_dev` belongs to."""
    return next((entry.kind for entry in mounts() if entry.device == device), None)


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
