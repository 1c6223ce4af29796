"""The tree that is served: answers about nodes, from columns and a small overlay of changes.

A tree is immutable. A change makes a new tree that shares the columns and carries an overlay:
nodes that are new or other than in the columns, child lists that differ, nodes that are gone.
`musefs.mount.tree.change` makes overlays and folds them into new columns when they have grown.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from musefs.mount.tree.build import build_columns
from musefs.mount.tree.change import change_tree
from musefs.mount.tree.folding import fold_bytes
from musefs.mount.tree.inodes import INODE_BITS
from musefs.mount.tree.listing import all_leaves
from musefs.mount.tree.overlay import NodeRecord, Overlay
from musefs.mount.tree.placement import IDENTITY_MASK, LeafKind, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

    from musefs.mount.tree.columns import TreeColumns

ROOT: Final = 0


class Tree:
    """Names, children, inodes and payloads of one generation of the mounted library."""

    __slots__ = (
        "_by_inode", "_by_key", "_count", "_ends", "_first_child", "_inodes", "_names", "_orders",
        "_parents", "_rows", "case_insensitive", "columns", "inode_bits", "overlay", "placements",
    )  # fmt: skip

    def __init__(
        self,
        columns: TreeColumns,
        *,
        case_insensitive: bool = False,
        overlay: Overlay | None = None,
        placements: pl.DataFrame | None = None,
        inode_bits: int = INODE_BITS,
    ) -> None:
        """Serve `columns`; `placements` are kept only by case-insensitive trees, for changes."""
        self.columns = columns
        self.case_insensitive = case_insensitive
        self.overlay = Overlay() if overlay is None else overlay
        self.placements = placements
        self.inode_bits = inode_bits
        self._count = columns.node_count
        # memoryviews hand out Python integers about three times as fast as arrays do
        self._names = columns.names
        self._ends = columns.name_ends.data
        self._parents = columns.parents.data
        self._rows = columns.rows.data
        self._orders = columns.orders.data
        self._inodes = columns.inodes.data
        self._by_inode = columns.by_inode.data
        self._first_child = columns.first_child.data
        self._by_key = None if columns.by_key is None else columns.by_key.data

    @classmethod
    def build(
        cls,
        placements: pl.DataFrame,
        *,
        case_insensitive: bool = False,
        inode_bits: int = INODE_BITS,
    ) -> Self:
        """Build from placements (PLACEMENT_SCHEMA), in any order."""
        columns = build_columns(
            placements, case_insensitive=case_insensitive, inode_bits=inode_bits
        )
        kept = placements if case_insensitive else None
        return cls(
            columns, case_insensitive=case_insensitive, placements=kept, inode_bits=inode_bits
        )

    def name(self, node: int) -> bytes:
        """Return the node's name; the root's is empty."""
        if self.overlay.nodes and (record := self.overlay.nodes.get(node)) is not None:
            return record.name
        return self._names[self._ends[node] : self._ends[node + 1]]

    def parent(self, node: int) -> int:
        """Return the parent; the root is its own."""
        if self.overlay.nodes and (record := self.overlay.nodes.get(node)) is not None:
            return record.parent
        return self._parents[node]

    def children(self, node: int) -> Sequence[int]:
        """Return the children in byte order of their names; a leaf has none."""
        if self.overlay.children and (children := self.overlay.children.get(node)) is not None:
            return children
        if node >= self._count or (row := self._rows[node]) >= 0:
            return ()
        return range(self._first_child[-1 - row], self._first_child[-row])

    def lookup(self, parent: int, name: bytes) -> int | None:
        """Return the child of that name."""
        if self._by_key is not None:
            return self._lookup_folded(parent, name)
        children = self.children(parent)
        position = bisect_left(children, name, key=self.name)
        if position < len(children) and self.name(children[position]) == name:
            return children[position]
        return None

    def _lookup_folded(self, parent: int, name: bytes) -> int | None:
        if self._by_key is None:
            return None
        # children lie together, so the same stretch of by_key holds them in the other order
        children = self.children(parent)
        if not children:
            return None
        folded = fold_bytes(name)
        stretch = self._by_key[children[0] : children[-1] + 1]
        position = bisect_left(stretch, folded, key=self._folded_name)
        if position < len(stretch) and self._folded_name(stretch[position]) == folded:
            return stretch[position]
        return None

    def _folded_name(self, node: int) -> bytes:
        return fold_bytes(self.name(node))

    def row(self, node: int) -> int:
        """Return the row of a leaf in the columns of its kind; negative for a directory."""
        if self.overlay.nodes and (record := self.overlay.nodes.get(node)) is not None:
            return record.row
        return self._rows[node]

    def is_directory(self, node: int) -> bool:
        """Say whether the node is a directory."""
        return self.row(node) < 0

    def order(self, node: int) -> int:
        """Return the rank of the node in contests: its own, or the lowest in a directory."""
        if self.overlay.nodes and (record := self.overlay.nodes.get(node)) is not None:
            return record.order
        return self._orders[node]

    def kind(self, node: int) -> LeafKind | None:
        """Return what a leaf stands for; None for a directory."""
        return None if self.is_directory(node) else kind_of(self.order(node))

    def track(self, node: int) -> int:
        """Return the row of a track, -1 for anything else."""
        row = self.row(node)
        return row if row >= 0 and kind_of(self.order(node)) is LeafKind.TRACK else -1

    def inode(self, node: int) -> int:
        """Return the inode number: 1 for the root, never 0, below 2^63."""
        if self.overlay.nodes and (record := self.overlay.nodes.get(node)) is not None:
            return record.inode
        return self._inodes[node]

    def identity(self, node: int) -> int:
        """Return the number of what a leaf stands for, such as its track_id."""
        return self.order(node) & IDENTITY_MASK

    def version(self, node: int) -> int:
        """Return the content version of a leaf; 0 for a directory."""
        if self.overlay.nodes and (record := self.overlay.nodes.get(node)) is not None:
            return record.version
        return int(self.columns.versions[node])

    def rendered_name(self, node: int) -> bytes:
        """Return the name that was asked for; `name` differs if that one was taken."""
        if self.overlay.nodes and (record := self.overlay.nodes.get(node)) is not None:
            return record.rendered
        return self.columns.rendered.get(node) or self.name(node)

    def node_of(self, inode: int) -> int | None:
        """Return the node with this inode number."""
        overlay = self.overlay
        if overlay.by_inode and (node := overlay.by_inode.get(inode)) is not None:
            return node
        found = self.column_node_of(inode)
        if found is None or found in overlay.gone:
            return None
        record = overlay.nodes.get(found)
        return found if record is None or record.inode == inode else None

    def column_node_of(self, inode: int) -> int | None:
        """Return the node that had this number when the columns were built."""
        position = bisect_left(self._by_inode, inode, key=self._inodes.__getitem__)
        if position == self._count:
            return None
        node: int = self._by_inode[position]
        return node if self._inodes[node] == inode else None

    def record(self, node: int) -> NodeRecord:
        """Return all about a node."""
        return self.overlay.nodes.get(node) or NodeRecord(
            self.parent(node),
            self.name(node),
            self.rendered_name(node),
            self.row(node),
            self.order(node),
            self.inode(node),
            self.version(node),
        )

    def leaves_of(self, orders: set[int]) -> list[int]:
        """Return the leaves with these orders (see placement.order_of)."""
        if not orders:
            return []
        columns, overlay = self.columns, self.overlay
        wanted = np.fromiter(orders, dtype=np.int64, count=len(orders))
        found = np.flatnonzero(np.isin(columns.orders, wanted) & (columns.rows >= 0))
        nodes: list[int] = [node for node in found.tolist() if node not in overlay.gone]
        nodes += [
            node
            for node, record in overlay.nodes.items()
            if node >= self._count and record.row >= 0 and record.order in orders
        ]
        return nodes

    def count_of(self, orders: Iterable[int]) -> int:
        """Return how many of these orders have at least one leaf."""
        return len({self.order(node) for node in self.leaves_of(set(orders))})

    def apply(self, orders: Iterable[int], placements: pl.DataFrame) -> Tree:
        """Return the tree without the leaves of `orders`, and with `placements`.

        Exactly what a fresh build would give, in a time that depends on the change.
        """
        return change_tree(self, orders, placements)

    def with_overlay(self, overlay: Overlay) -> Tree:
        """Return a tree over the same columns."""
        return Tree(self.columns, overlay=overlay, inode_bits=self.inode_bits)

    def rebuilt(self, placements: pl.DataFrame) -> Tree:
        """Return a fresh tree with the same settings."""
        return Tree.build(
            placements, case_insensitive=self.case_insensitive, inode_bits=self.inode_bits
        )

    def all_placements(self) -> pl.DataFrame:
        """Return the placements that a fresh build of this tree would be made from."""
        if self.placements is not None:
            return self.placements
        return all_leaves(self.columns, self.overlay)

    def path(self, node: int) -> bytes:
        """Return the path below the root, without a slash in front; empty for the root."""
        parts: list[bytes] = []
        while node != ROOT:
            parts.append(self.name(node))
            node = self.parent(node)
        return b"/".join(reversed(parts))

    def find(self, path: bytes) -> int | None:
        """Return the node at a path below the root."""
        node: int | None = ROOT
        for part in path.split(b"/"):
            if part and node is not None:
                node = self.lookup(node, part)
        return node

    @property
    def node_count(self) -> int:
        """Live nodes, the root included."""
        return self._count + self.overlay.live_delta

    @property
    def directory_count(self) -> int:
        """Directories, the root not included."""
        return len(self._first_child) - 2 + self.overlay.directory_delta

    @property
    def file_count(self) -> int:
        """Leaves of every kind."""
        return self.node_count - 1 - self.directory_count

    @property
    def nbytes(self) -> int:
        """Resident size in bytes, shared columns included."""
        kept = 0 if self.placements is None else int(self.placements.estimated_size())
        overlaid = sum(200 + 2 * len(record.name) for record in self.overlay.nodes.values())
        lists = sum(8 * len(children) + 64 for children in self.overlay.children.values())
        return self.columns.nbytes + kept + overlaid + lists
