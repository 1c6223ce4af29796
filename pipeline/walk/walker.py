"""The walk itself: folders are listed in threads, rows are made in one fixed order.

Entry ids follow a breadth-first walk in byte order of names, whatever the number of threads:
listings are asked for ahead and taken in the order in which their folders were found.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import pyarrow as pa

from musefs.index.counters import Counter, degrade
from musefs.index.errors import CancelledError, VolumeError, VolumeNotFoundError
from musefs.index.schema.column import Table
from musefs.pipeline.ntfs.extensions import READABLE_EXTENSIONS
from musefs.pipeline.walk.listing import Found, list_folder
from musefs.pipeline.walk.rows import HIDDEN, ROWS_PER_BATCH, VolumeRows, attributes, content_size

LISTING_THREADS = 8
"""Folders listed at once: a guess that suits network shares; local disks need two."""

ALIAS_BASE = 1 << 62
"""Record numbers from here are given to entries whose inode another device may also use."""

DEEPEST = 1024
"""Folders below this depth are not entered: no real path is as long, a loop is."""

Device = int
Inode = int


@dataclass(frozen=True, slots=True)
class WalkOptions:
    """How a directory is walked."""

    follow_symlinks: bool = False
    one_file_system: bool = False
    exclude: tuple[str, ...] = ()
    """Shell patterns; a matching name is left out with all below it."""


@dataclass(slots=True)
class WalkTotals:
    """What the walk has seen so far."""

    folders: int = 0
    files: int = 0
    excluded: int = 0
    formats: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Files and bytes by readable extension, each file once."""

    def count_format(self, found: Found) -> bool:
        """Count a file by its extension; False if that is none of ours."""
        stem, _, extension = found.name.rpartition(b".")
        text, size = extension.lower().decode("ascii", "replace"), content_size(found.status)
        if not stem or text not in READABLE_EXTENSIONS or size is None:
            return False
        files, length = self.formats.get(text, (0, 0))
        self.formats[text] = files + 1, length + size
        return True


@dataclass(frozen=True, slots=True)
class _Folder:
    entry_id: int
    record: int
    path: bytes
    below_root: bytes
    depth: int
    hidden: bool


class Walk:
    """One walk over one root; iterate `batches`."""

    def __init__(
        self, root: Path, options: WalkOptions, cancelled: threading.Event | None = None
    ) -> None:
        self.totals = WalkTotals()
        self._root = root
        self._options = options
        self._cancelled = cancelled or threading.Event()
        self._rows = VolumeRows()
        self._next_id = 0
        self._next_alias = ALIAS_BASE
        self._linked: dict[tuple[Device, Inode], _Linked] = {}
        self._entered: set[tuple[Device, Inode]] = set()
        self._pending: deque[tuple[_Folder, Future[list[Found]]]] = deque()
        self._submit: Callable[[_Folder], Future[list[Found]]]

    def batches(self) -> Iterator[tuple[Table, pa.RecordBatch]]:
        """Yield the rows of the walk as they come."""
        status = self._look_at_root()
        self._device = status.st_dev
        with ThreadPoolExecutor(LISTING_THREADS, thread_name_prefix="musefs-walk") as pool:
            follow = self._options.follow_symlinks
            self._submit = lambda f: pool.submit(list_folder, f.path, follow_symlinks=follow)
            try:
                self._enter_root(Found(b"", status, None))
                while self._pending:
                    folder, listing = self._pending.popleft()
                    self._check_cancelled()
                    self._take(folder, listing.result())
                    yield from self._rows.drain(least=ROWS_PER_BATCH)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        self._finish_linked()
        yield from self._rows.drain()

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise CancelledError("the walk was stopped", path=self._root)

    def _look_at_root(self) -> os.stat_result:
        try:
            status = self._root.stat()
            os.scandir(self._root).close()
        except FileNotFoundError as error:
            raise VolumeNotFoundError("no such directory", path=self._root) from error
        except OSError as error:
            raise VolumeError(f"cannot be listed: {error.strerror}", path=self._root) from error
        return status

    def _enter_root(self, root: Found) -> None:
        entry_id, record = self._number(root)
        self._rows.add_entry(entry_id, record, root, 1)
        self._rows.add_name(entry_id, 0, b".", record)
        self._rows.add_directory(entry_id, record, None, b"/", 0, hidden=False)
        self._entered.add((root.status.st_dev, root.status.st_ino))
        path = os.fsencode(self._root)
        self._list(_Folder(entry_id, record, path, b"/", 0, hidden=False))

    def _list(self, folder: _Folder) -> None:
        self.totals.folders += 1
        self._pending.append((folder, self._submit(folder)))

    def _take(self, folder: _Folder, listing: list[Found]) -> None:
        for found in listing:
            if self._is_excluded(found):
                self.totals.excluded += 1
            elif found.is_directory:
                self._take_folder(folder, found)
            else:
                self._take_file(folder, found)

    def _is_excluded(self, found: Found) -> bool:
        if self._options.one_file_system and found.status.st_dev != self._device:
            return True
        name = os.fsdecode(found.name)
        return any(fnmatch(name, pattern) for pattern in self._options.exclude)

    def _take_folder(self, parent: _Folder, found: Found) -> None:
        entry_id, record = self._number(found)
        self._rows.add_entry(entry_id, record, found, 1)
        self._rows.add_name(entry_id, 0, found.name, parent.record)
        below_root = parent.below_root + found.name + b"/"
        hidden = parent.hidden or bool(attributes(found) & HIDDEN)
        depth = parent.depth + 1
        self._rows.add_directory(
            entry_id, record, parent.entry_id, below_root, depth, hidden=hidden
        )
        identity = (found.status.st_dev, found.status.st_ino)
        path = os.path.join(parent.path, found.name)  # noqa: PTH118  bytes, which Path is not
        if identity in self._entered:
            degrade(Counter.PARENT_LOOPS, "folder %s was met before", os.fsdecode(path))
        elif depth > DEEPEST:
            degrade(Counter.PATHS_TOO_DEEP, "folder %s is not entered", os.fsdecode(path))
        else:
            self._entered.add(identity)
            self._list(_Folder(entry_id, record, path, below_root, depth, hidden))

    def _take_file(self, folder: _Folder, found: Found) -> None:
        self.totals.files += 1
        if found.status.st_nlink < 2:
            entry_id, record = self._number(found)
            self._rows.add_entry(entry_id, record, found, 1)
            self._rows.add_name(entry_id, 0, found.name, folder.record)
            self.totals.count_format(found)
            return
        identity = (found.status.st_dev, found.status.st_ino)
        linked = self._linked.get(identity)
        if linked is None:
            linked = self._linked[identity] = _Linked(*self._number(found), found)
        self._rows.add_name(linked.entry_id, linked.names, found.name, folder.record)
        linked.names += 1
        linked.counted = linked.counted or self.totals.count_format(found)

    def _finish_linked(self) -> None:
        for linked in self._linked.values():
            self._rows.add_entry(linked.entry_id, linked.record, linked.found, linked.names)

    def _number(self, found: Found) -> tuple[int, int]:
        """Return the next entry id and a record number that no other entry has."""
        entry_id, self._next_id = self._next_id, self._next_id + 1
        inode = found.status.st_ino
        via_link = found.target is not None and found.is_directory
        if found.status.st_dev == self._device and 0 < inode < ALIAS_BASE and not via_link:
            return entry_id, inode
        alias, self._next_alias = self._next_alias, self._next_alias + 1
        return entry_id, alias


@dataclass(slots=True)
class _Linked:
    """A file with several names: its entry waits until all of them were counted."""

    entry_id: int
    record: int
    found: Found
    names: int = 0
    counted: bool = False
    """Whether a name with a readable extension was met."""
