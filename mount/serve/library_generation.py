"""One state of a loaded index as the core serves it: the named tree and columns beside it.

Rows are tracks: the position in the first snapshot of a mount, then tracks that came later. A
change shares everything with the state before it but what it touched.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from musefs.mount.formats.from_index import track_source
from musefs.mount.formats.synthesise import structure_only, synthesise
from musefs.mount.library import Library
from musefs.mount.serve.generation import Attributes, Served
from musefs.mount.serve.originals import original_of
from musefs.mount.serve.track_columns import TrackColumns
from musefs.mount.tree.difference import difference
from musefs.mount.tree.placement import IDENTITY_MASK, LeafKind, kind_of
from musefs.mount.tree.tree import ROOT, Tree


class Extras(Protocol):
    """What stands beside tracks: covers, sidecars, playlists."""

    def size(self, kind: LeafKind, row: int) -> int:
        """Return the size of a leaf."""
        ...

    def mtime_ns(self, kind: LeafKind, row: int) -> int:
        """Return the time of a leaf."""
        ...

    def served(self, kind: LeafKind, row: int) -> Served:
        """Return what a leaf consists of."""
        ...


class LibraryGeneration:
    """One state."""

    __slots__ = (
        "_compares_inodes", "_mtimes", "_plain", "_sizes", "columns", "extras", "library",
        "number", "served_bytes", "tree",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        library: Library,
        columns: TrackColumns,
        *,
        plain: bool,
        compares_inodes: bool,
        extras: Extras,
    ) -> None:
        self.number = number
        self.library = library
        self.tree: Tree = library.tree
        self.columns = columns
        self.served_bytes = int(columns.sizes.sum())
        self._plain = plain
        self._compares_inodes = compares_inodes
        self.extras = extras
        # memoryviews hand out Python integers about three times as fast as arrays do
        self._sizes = columns.sizes.data
        self._mtimes = columns.mtimes_ns.data

    @property
    def files(self) -> int:
        """Leaves of every kind."""
        return self.tree.file_count

    @property
    def directories(self) -> int:
        """Directories, with the root."""
        return self.tree.directory_count + 1

    def node_of(self, inode: int) -> int | None:
        """Return the node of an inode."""
        return ROOT if inode == 1 else self.tree.node_of(inode)

    def lookup(self, parent: int, name: bytes) -> int | None:
        """Return a child by name."""
        return self.tree.lookup(parent, name)

    def children(self, node: int) -> Sequence[int]:
        """Return the children of a directory."""
        return self.tree.children(node)

    def name(self, node: int) -> bytes:
        """Return a name."""
        return self.tree.name(node)

    def parent(self, node: int) -> int:
        """Return the directory of a node."""
        return self.tree.parent(node)

    def attributes(self, node: int) -> Attributes:
        """Return what `stat` says."""
        tree = self.tree
        row = tree.row(node)
        if row < 0:
            return Attributes(tree.inode(node), True, 0, 0)
        order = tree.order(node)
        if order > IDENTITY_MASK:  # not a track
            kind = kind_of(order)
            size, mtime_ns = self.extras.size(kind, row), self.extras.mtime_ns(kind, row)
            return Attributes(tree.inode(node), False, size, mtime_ns)
        return Attributes(tree.inode(node), False, self._sizes[row], self._mtimes[row])

    def served(self, node: int) -> Served:
        """Return the layout of a leaf and its original."""
        row = self.tree.row(node)
        kind = kind_of(self.tree.order(node))
        if kind is not LeafKind.TRACK:
            return self.extras.served(kind, row)
        snapshot, position = self.columns.find(row)
        source = track_source(snapshot, position)
        layout = structure_only(source) if self._plain else synthesise(source)
        original = original_of(snapshot, position, compares_inodes=self._compares_inodes)
        return Served(layout, original)


def changed_names(old: Tree, new: Tree) -> Iterator[tuple[int, bytes]]:
    """Yield (inode of the directory, name) of everything that differs (row M32).

    Computed only where the kernel has no epochs.
    """
    found = difference(old, new)
    for entry in (*found.gone, *found.come):
        yield entry.parent_inode, entry.name
