"""The file system itself, with no kernel protocol in it: synchronous functions on one state.

Transports call these and put the answers on the wire. What ends in `_now` may run on the loop;
its twin without may wait for a disk and runs in a thread. The state is one reference that a
refresh replaces between two requests; every function takes it once, so none sees half of each.
"""

import errno
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from musefs.index.backing.content import ContentRef
from musefs.index.counters import Counter, degrade
from musefs.index.errors import BackingChangedError, BackingMissingError
from musefs.mount.formats.layout import make_layout
from musefs.mount.formats.reading import ArtProvider, DecodedCache, NoArt
from musefs.mount.formats.segments import Generated
from musefs.mount.serve.devices import Devices, ReadPath
from musefs.mount.serve.directory_handles import WITHOUT_LISTING, DirectoryTable, Listing
from musefs.mount.serve.generation import ROOT_INODE, Attributes, Generation, Served
from musefs.mount.serve.handles import HANDLE_CAPACITY, HandleTable, OpenFile, close_file
from musefs.mount.serve.layouts import HEADER_BUDGET_BYTES, LayoutCache
from musefs.mount.serve.opening import NO_CONTENT, Opener, Original
from musefs.mount.serve.ownership import Ownership
from musefs.mount.serve.pool import Pool
from musefs.mount.serve.read_ahead import BUDGET_BYTES, Budget, Stream
from musefs.mount.serve.reads import Reader
from musefs.mount.serve.statfs import FREE_IF_UNKNOWN_BYTES, NAME_MAX_BYTES, Space, space_of

if TYPE_CHECKING:
    from musefs.mount.serve.prefetch import Prefetcher

METRICS_DIRECTORY_NAME: Final = b".musefs-metrics"
METRICS_FILE_NAME: Final = b"metrics"
METRICS_DIRECTORY_INODE: Final = (1 << 64) - 2
METRICS_FILE_INODE: Final = (1 << 64) - 3
"""Above all numbers that the tree gives (below 2^63)."""

OPEN_ATTEMPTS: Final = 4
"""How often an open starts again when refreshes overtake it; then it fails rather than mix."""

RETIRED_S: Final = 2.0
"""How long inodes of a former state are answered; a lookup and its open lie milliseconds apart."""

RETIRED_STATES: Final = 256
"""Former states kept at most; they share all that did not change."""

OPENING_LANE: Final = 0
"""All opens that must wait share a lane, so that a stalled disk never takes every thread."""


class Entry(NamedTuple):
    """One line of a listing."""

    offset: int
    """Where the listing goes on after this line."""
    name: bytes
    attributes: Attributes


class Opened(NamedTuple):
    """The answer to an open."""

    handle: int
    direct: bool
    """The kernel must neither cache the file nor trust its size."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The sizes of everything that is bounded."""

    handles: int = HANDLE_CAPACITY
    header_budget_bytes: int = HEADER_BUDGET_BYTES
    read_ahead_budget_bytes: int = BUDGET_BYTES


class Core:
    """One mounted library."""

    def __init__(
        self,
        generation: Generation,
        opener: Opener,
        ownership: Ownership,
        pool: Pool,
        *,
        devices: Devices | None = None,
        art: ArtProvider | None = None,
        limits: Limits | None = None,
    ) -> None:
        limits = Limits() if limits is None else limits
        self.ownership = ownership
        self.pool = pool
        self.devices = Devices() if devices is None else devices
        self.handles = HandleTable(limits.handles)
        self.directories = DirectoryTable()
        self.layouts = LayoutCache(limits.header_budget_bytes)
        self.budget = Budget(limits.read_ahead_budget_bytes)
        self.decoded = DecodedCache()
        self.reader = Reader(self.devices, NoArt() if art is None else art, self.decoded)
        self.free_bytes = FREE_IF_UNKNOWN_BYTES
        self.started_ns = time.time_ns()
        self.metrics_text: Callable[[], str] | None = None
        """Set when the metrics file is to be shown."""
        self.passthrough = False
        """Whether the kernel may read plain files itself (structure-only mode)."""
        self.prefetcher: Prefetcher | None = None
        """Set when windows shall be fetched ahead in threads."""
        self._opener = opener
        self._generation = generation
        self._retired: deque[tuple[float, Generation]] = deque(maxlen=RETIRED_STATES)
        self._drifted: dict[int, str] = {}
        self._counts = threading.Lock()
        self._waiting_reads = 0
        self.read_errors = 0

    # the state

    @property
    def generation(self) -> Generation:
        """The state that is served now."""
        return self._generation

    def swap(self, generation: Generation) -> None:
        """Serve another state from the next request on; open handles keep what they opened.

        Inodes of the state before are answered for a moment longer: a program that looked a name
        up just before the swap opens what it found.
        """
        self._retired.append((time.monotonic(), self._generation))
        self._generation = generation
        self._drifted = {}
        self.tidy()

    def tidy(self) -> None:
        """Let go of states that retired a while ago."""
        expired = time.monotonic() - RETIRED_S
        while self._retired and self._retired[0][0] < expired:
            self._retired.popleft()

    # names and attributes

    def lookup(self, parent: int, name: bytes) -> Attributes | None:
        """Return what a name in a directory stands for, or None."""
        if len(name) > NAME_MAX_BYTES:
            raise OSError(errno.ENAMETOOLONG, "the name is too long")
        if parent >= METRICS_FILE_INODE:
            found = parent == METRICS_DIRECTORY_INODE and name == METRICS_FILE_NAME
            return self._special(METRICS_FILE_INODE) if found else None
        if parent == ROOT_INODE and name == METRICS_DIRECTORY_NAME and self.metrics_text:
            return self._special(METRICS_DIRECTORY_INODE)
        generation, directory = self._find(parent)
        node = generation.lookup(directory, name)
        if node is not None:
            return generation.attributes(node)
        if not generation.attributes(directory).is_directory:
            raise NotADirectoryError(errno.ENOTDIR, "not a directory")
        return None

    def getattr(self, inode: int) -> Attributes:
        """Return the attributes of an inode, also of a retired one that is still open."""
        if inode >= METRICS_FILE_INODE:
            return self._special(inode)
        if self._drifted and inode in self._drifted:
            raise BackingChangedError("changed since the scan", path=self._drifted[inode])
        generation = self._generation
        node = generation.node_of(inode)
        if node is not None:
            return generation.attributes(node)
        file = self.handles.of_inode(inode)
        if file is not None:
            return file.attributes
        generation, node = self._find(inode)
        return generation.attributes(node)

    def mtime_ns(self, attributes: Attributes) -> int:
        """Return the time to show: the mount's start where nothing better is known."""
        return attributes.mtime_ns if attributes.mtime_ns > 0 else self.started_ns

    # directories

    def opendir(self, inode: int) -> int:
        """Open a directory on the listing that it has now."""
        return self.directories.add(self._listing(inode))

    def readdir(self, handle: int, offset: int, inode: int | None = None) -> Iterator[Entry]:
        """Yield the listing from `offset` on; `inode` is needed for a handle without a listing."""
        listing = self.directories.get(handle)
        if listing is None:
            if inode is None:
                raise OSError(errno.EBADF, "the directory is not open")
            listing = self._listing(inode)
        elif offset == 0:
            fresh = self._listing(listing.inode, fallback=listing)
            listing.generation, listing.children = fresh.generation, fresh.children
        return self._entries(listing, offset)

    def releasedir(self, handle: int) -> None:
        """Close a directory."""
        if handle != WITHOUT_LISTING:
            self.directories.release(handle)

    # files

    def open_now(self, inode: int) -> Opened | None:
        """Open a file if that cannot wait for anything, else return None."""
        if inode >= METRICS_FILE_INODE:
            return self._open_special(inode)
        return self._open(inode, self._opener.open_now)

    def open(self, inode: int) -> Opened:
        """Open a file; may wait."""
        opened = self._open(inode, self._opener.open)
        if opened is None:
            raise AssertionError("only open_now may decline")
        return opened

    def file(self, handle: int) -> OpenFile | None:
        """Return an open file, or None if the handle is gone."""
        return self.handles.get(handle)

    def read_now(self, file: OpenFile, offset: int, size: int) -> memoryview | bytes | None:
        """Return bytes of an open file if that cannot wait for anything, else None."""
        try:
            return self.reader.now(file, offset, size)
        except BackingChangedError as error:
            self._drift(file.attributes.inode, error)
            raise

    def read(self, file: OpenFile, offset: int, size: int) -> bytes | memoryview:
        """Return bytes of an open file; may wait."""
        with self._counts:
            self._waiting_reads += 1
        try:
            return self.reader.waiting(file, offset, size)
        except BackingChangedError as error:
            self._drift(file.attributes.inode, error)
            raise
        finally:
            with self._counts:
                self._waiting_reads -= 1

    def read_late(
        self, handle: int, offset: int, size: int, inode: int | None = None
    ) -> bytes | memoryview:
        """Read by a handle that is gone: by its inode, opened for this one read; may wait."""
        known = self.handles.released_inode(handle) if inode is None else inode
        if known is None:
            raise OSError(errno.EBADF, "the file is not open")
        opened = self.open(known)
        file = self.handles.get(opened.handle)
        try:
            return b"" if file is None else self.read(file, offset, size)
        finally:
            self.release(opened.handle)

    def release(self, handle: int) -> None:
        """Close a handle; an unknown one is no error."""
        self.handles.release(handle)

    # the rest

    def statfs(self) -> Space:
        """Return what `df` shows."""
        return space_of(self._generation, self.free_bytes)

    def access(self, mode: int) -> bool:
        """Say whether the mount allows `mode`; the kernel checks owners and modes."""
        return not mode & os.W_OK

    @property
    def waiting_reads(self) -> int:
        """Reads that are in a thread now."""
        return self._waiting_reads

    def close(self) -> None:
        """Close every handle and what the opener holds."""
        self.handles.close()
        self._opener.close()

    # inside

    def _find(self, inode: int) -> tuple[Generation, int]:
        """Return what an inode means, in this state or in one that retired a moment ago."""
        generation = self._generation
        node = generation.node_of(inode)
        if node is not None:
            return generation, node
        for _, generation in reversed(tuple(self._retired)):
            node = generation.node_of(inode)
            if node is not None:
                return generation, node
        raise OSError(errno.ESTALE, "the inode is of an earlier state")

    def _special(self, inode: int) -> Attributes:
        if self.metrics_text is None:
            raise FileNotFoundError(errno.ENOENT, "metrics are not shown")
        return Attributes(inode, inode == METRICS_DIRECTORY_INODE, 0, 0)

    def _listing(self, inode: int, *, fallback: Listing | None = None) -> Listing:
        generation = self._generation
        if inode == METRICS_DIRECTORY_INODE:
            return Listing(inode, generation, ())
        if fallback is not None and generation.node_of(inode) is None:
            return fallback
        generation, node = self._find(inode)
        if not generation.attributes(node).is_directory:
            raise NotADirectoryError(errno.ENOTDIR, "not a directory")
        return Listing(inode, generation, generation.children(node))

    def _entries(self, listing: Listing, offset: int) -> Iterator[Entry]:
        generation, children = listing.generation, listing.children
        name, attributes = generation.name, generation.attributes
        for position in range(offset, len(children)):
            node = children[position]
            yield Entry(position + 1, name(node), attributes(node))
        if offset <= len(children) and self.metrics_text is not None:
            after = len(children) + 1
            if listing.inode == ROOT_INODE:
                special = self._special(METRICS_DIRECTORY_INODE)
                yield Entry(after, METRICS_DIRECTORY_NAME, special)
            elif listing.inode == METRICS_DIRECTORY_INODE:
                yield Entry(after, METRICS_FILE_NAME, self._special(METRICS_FILE_INODE))

    def _open(self, inode: int, opener: Callable[[ContentRef], Original | None]) -> Opened | None:
        """Open what an inode means; starts again if a refresh explains why that failed."""
        for attempt in range(OPEN_ATTEMPTS):
            current = self._generation
            generation, node = self._find(inode)
            attributes = generation.attributes(node)
            if attributes.is_directory:
                raise IsADirectoryError(errno.EISDIR, "a directory")
            served = self._served(generation, node, inode)
            try:
                original = None if served.original is None else opener(served.original)
            except BackingChangedError as error:
                # a rescan may have given the same bytes another stamp: then the kept one is old
                outdated = self.layouts.drop(inode) and attempt == 0
                if outdated or self._generation is not current:
                    continue
                self._drift(inode, error)
                degrade(Counter.BACKING_CHANGED, "%s", error)
                raise
            except BackingMissingError as error:
                degrade(Counter.BACKING_MISSING, "%s", error)
                raise
            if original is None and served.original is not None:
                return None
            self._drifted.pop(inode, None)
            return Opened(self._store(attributes, served, original), direct=False)
        raise BackingChangedError(f"refreshed {OPEN_ATTEMPTS} times while it was being opened")

    def _served(self, generation: Generation, node: int, inode: int) -> Served:
        served = self.layouts.get(inode)
        if served is None:
            served = generation.served(node)
            self.layouts.put(inode, served)
        return served

    def _store(self, attributes: Attributes, served: Served, original: Original | None) -> int:
        content, stamp, path = original or (NO_CONTENT, None, ReadPath.INLINE)
        descriptor = -1 if content.descriptor is None else content.descriptor
        stream = None
        if original is not None and (path is ReadPath.THREAD or descriptor < 0):
            stream = Stream(content, self.budget, self.prefetcher)
        file = OpenFile(
            attributes, served.layout, content, stamp, descriptor, path, stream, served.original
        )
        try:
            return self.handles.add(file)
        except OSError:
            close_file(file)
            raise

    def _open_special(self, inode: int) -> Opened:
        attributes = self._special(inode)
        if attributes.is_directory:
            raise IsADirectoryError(errno.EISDIR, "a directory")
        text = "" if self.metrics_text is None else self.metrics_text()
        layout = make_layout((Generated(text.encode()),), 0)
        return Opened(self._store(attributes, Served(layout, None), None), direct=True)

    def _drift(self, inode: int, error: BackingChangedError) -> None:
        """Remember that the original behind an inode is not the one that was scanned."""
        self.read_errors += 1
        self._drifted[inode] = error.path or error.message
