"""Open files: what each one pinned when it was opened, and when that is let go.

A handle keeps the layout and the original that it opened, for its life, whatever a refresh does
(decision record: an inode is immutable). `add` is the only place that adds one to the count and
`release` the only one that takes one off. The original is closed with the last reference: a read
that runs in a thread holds one, so a release never closes what a read still uses.
"""

import errno
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass

from musefs.index.backing.content import Content, ContentRef, Stamp
from musefs.mount.formats.layout import Layout
from musefs.mount.formats.reading import PageMemo
from musefs.mount.serve.devices import ReadPath
from musefs.mount.serve.generation import Attributes
from musefs.mount.serve.read_ahead import Stream

HANDLE_CAPACITY = 65_536
"""Open files at once; the limit of file descriptors is usually reached before."""

REMEMBERED_RELEASES = 4096
"""Released handles whose inode is still known, for a read that arrives too late."""


@dataclass(slots=True, eq=False)
class OpenFile:
    """One open of one file."""

    attributes: Attributes
    layout: Layout
    content: Content
    stamp: Stamp | None
    """Of the opened original, None if there is none; another one at a read: it changed."""
    descriptor: int
    """The original's, or -1."""
    read_path: ReadPath
    stream: Stream | None
    original: ContentRef | None
    number: int = 0
    references: int = 1
    """The handle itself, and one for each read in a thread."""
    pages: PageMemo | None = None
    """Made by the first read that needs one: most files are opened for a plain range."""

    @property
    def name(self) -> str:
        """The original's path, for messages."""
        return "" if self.original is None else os.fsdecode(self.original.path)

    @property
    def source(self) -> Content:
        """What reads that may wait read from."""
        return self.content if self.stream is None else self.stream

    def page_memo(self) -> PageMemo:
        """Return where readers of this file stopped."""
        if self.pages is None:
            self.pages = PageMemo()
        return self.pages


class HandleTable:
    """All open files by handle number; never 0, never reused."""

    def __init__(self, capacity: int = HANDLE_CAPACITY) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._open: dict[int, OpenFile] = {}
        self._by_inode: dict[int, list[OpenFile]] = {}
        self._released: OrderedDict[int, int] = OrderedDict()
        self._last = 0

    def __len__(self) -> int:
        return len(self._open)

    def add(self, file: OpenFile) -> int:
        """Give `file` a number; raises ENFILE as OSError when the table is full."""
        with self._lock:
            if len(self._open) >= self._capacity:
                raise OSError(errno.ENFILE, f"more than {self._capacity} files are open")
            self._last += 1
            file.number = self._last
            self._open[file.number] = file
            self._by_inode.setdefault(file.attributes.inode, []).append(file)
            return file.number

    def get(self, number: int) -> OpenFile | None:
        """Return the open file, or None for an unknown or released number."""
        return self._open.get(number)

    def of_inode(self, inode: int) -> OpenFile | None:
        """Return any open file of an inode, so that `fstat` works after the inode retired."""
        files = self._by_inode.get(inode)
        return files[0] if files else None

    def released_inode(self, number: int) -> int | None:
        """Return the inode of a handle that was released a short time ago."""
        return self._released.get(number)

    def release(self, number: int) -> bool:
        """Take a handle out; False if it was not there."""
        with self._lock:
            file = self._open.pop(number, None)
            if file is None:
                return False
            inode = file.attributes.inode
            siblings = self._by_inode[inode]
            siblings.remove(file)
            if not siblings:
                del self._by_inode[inode]
            self._released[number] = inode
            if len(self._released) > REMEMBERED_RELEASES:
                self._released.popitem(last=False)
        if file.stream is not None:
            file.stream.void()
        self.let_go(file)
        return True

    def hold(self, file: OpenFile) -> None:
        """Keep `file` usable until `let_go`, whatever is released meanwhile."""
        with self._lock:
            file.references += 1

    def let_go(self, file: OpenFile) -> None:
        """Drop one reference; the last one closes the original and frees the read-ahead."""
        with self._lock:
            file.references -= 1
            last = file.references == 0
        if last:
            close_file(file)

    def close(self) -> None:
        """Release every handle."""
        for number in list(self._open):
            self.release(number)


def close_file(file: OpenFile) -> None:
    """Close what an open file holds."""
    if file.stream is not None:
        file.stream.close()
    else:
        file.content.close()
