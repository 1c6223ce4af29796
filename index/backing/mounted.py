"""Originals on a mounted file system, below the root where the volume is mounted here.

Symbolic links are not followed out of the root: every folder of the path is opened relative to
the one before without following links, so that a link planted on the volume reads nothing else.
"""

import errno
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from musefs.index.backing.content import ContentRef, Stamp
from musefs.index.backing.positioned import pread
from musefs.index.errors import (
    BackingChangedError,
    BackingMissingError,
    BackingReadError,
)

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FOLDER_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_FILE_FLAGS = (
    os.O_RDONLY
    | _NO_FOLLOW
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO in place of a file must not hang the open
    | getattr(os, "O_BINARY", 0)
)
TIME_STEP_NS = 100
"""An index keeps times as NTFS does, in steps of 100 ns; other file systems count finer."""

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


def stamp_of(status: os.stat_result) -> Stamp:
    """Return the stamp that a stat result carries."""
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def difference(recorded: Stamp, found: Stamp) -> str | None:
    """Say in words how a stamp on a mounted path differs from the recorded one, if it does."""
    if recorded.size != found.size:
        return f"its size is {found.size} bytes instead of {recorded.size}"
    if recorded.mtime_ns // TIME_STEP_NS != found.mtime_ns // TIME_STEP_NS:
        return "it was modified"
    if recorded.ctime_ns and recorded.ctime_ns // TIME_STEP_NS != found.ctime_ns // TIME_STEP_NS:
        return "its attributes changed"
    if recorded.inode and recorded.inode != found.inode:
        return "it was replaced"
    return None


class MountedContent:
    """One opened file; positioned reads only, so threads may share it."""

    def __init__(self, descriptor: int, path: str | bytes, size: int) -> None:
        self._descriptor = descriptor
        self._path = path
        self._size = size

    @property
    def size(self) -> int:
        """Length in bytes when it was opened."""
        return self._size

    @property
    def descriptor(self) -> int | None:
        """The open file descriptor."""
        return self._descriptor

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end."""
        try:
            data = pread(self._descriptor, length, offset)
            while data and len(data) < length:
                more = pread(self._descriptor, length - len(data), offset + len(data))
                if not more:
                    break
                data += more
        except OSError as error:
            path = os.fsdecode(self._path)
            raise BackingReadError(f"reading failed: {error.strerror}", path=path) from error
        return data

    def stamp(self) -> Stamp:
        """Return what the open file's stamp is now."""
        return stamp_of(os.fstat(self._descriptor))

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class MountedBacking:
    """Opens originals below `root`, the folder where the volume is mounted on this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._root = os.fsencode(root).rstrip(b"/")

    def open(self, ref: ContentRef) -> MountedContent:
        """Open one original and check its stamp."""
        path = self._display(ref)
        try:
            descriptor = self._open_below_root(ref.path)
        except OSError as error:
            raise _explain(error, path) from error
        try:
            _check(descriptor, ref.stamp, path)
        except BaseException:
            os.close(descriptor)
            raise
        return MountedContent(descriptor, path, ref.stamp.size)

    def stamp(self, ref: ContentRef) -> Stamp:
        """Return what the original's stamp is now, by path."""
        try:
            return stamp_of(os.lstat(self._root + ref.path))
        except OSError as error:
            raise _explain(error, self._display(ref)) from error

    def _display(self, ref: ContentRef) -> str:
        return os.fsdecode(self._root + ref.path)

    def _open_below_root(self, path: bytes) -> int:
        *folders, leaf = [part for part in path.split(b"/") if part not in (b"", b".")]
        if b".." in folders or leaf == b"..":
            raise FileNotFoundError(errno.ENOENT, "a path of the index never leads upwards")
        if os.open not in os.supports_dir_fd:
            return os.open(self._root + path, _FILE_FLAGS)
        folder = _open_folder(self._root, folders)
        try:
            return os.open(leaf, _FILE_FLAGS, dir_fd=folder)
        finally:
            os.close(folder)


class FolderOpener:
    """Opens many originals one after the other, as they are now; for one thread.

    The folder of the last one stays open: neighbours on the disk mostly share it.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.fsencode(root).rstrip(b"/")
        self._folder_path: bytes = b""
        self._folder = -1

    def open(self, path: bytes) -> tuple[MountedContent, Stamp]:
        """Open the file at `path` below the root and return it with its stamp."""
        try:
            descriptor = self._open(path)
        except OSError as error:
            raise _explain(error, os.fsdecode(self._root + path)) from error
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise BackingReadError("it is no plain file", path=os.fsdecode(self._root + path))
        return MountedContent(descriptor, self._root + path, status.st_size), stamp_of(status)

    def _open(self, path: bytes) -> int:
        if os.open not in os.supports_dir_fd:
            return os.open(self._root + path, _FILE_FLAGS)
        folder, _, leaf = path.rpartition(b"/")
        if self._folder < 0 or folder != self._folder_path:
            self.close()
            self._folder = _open_folder(self._root, [part for part in folder.split(b"/") if part])
            self._folder_path = folder
        return os.open(leaf, _FILE_FLAGS, dir_fd=self._folder)

    def close(self) -> None:
        """Let go of the folder."""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1


def _open_folder(root: bytes, folders: list[bytes]) -> int:
    """Open a folder below `root` step by step, so that no link on the way is followed."""
    folder = os.open(root or b"/", _FOLDER_FLAGS)
    for part in folders:
        try:
            below = os.open(part, _FOLDER_FLAGS | _NO_FOLLOW, dir_fd=folder)
        finally:
            os.close(folder)
        folder = below
    return folder


def _check(descriptor: int, recorded: Stamp, path: str) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise BackingChangedError("changed since the scan: it is no plain file", path=path)
    changed = difference(recorded, stamp_of(status))
    if changed:
        raise BackingChangedError(f"changed since the scan: {changed}", path=path)


def _explain(error: OSError, path: str) -> BackingMissingError | BackingReadError:
    if error.errno in _GONE:
        return BackingMissingError("the original is not there", path=path)
    return BackingReadError(f"the original cannot be opened: {error.strerror}", path=path)
