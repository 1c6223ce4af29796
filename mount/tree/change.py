"""Apply a change to a tree: the result is the tree that a fresh build would give.

The columns are shared; what differs goes into the overlay. A contest for a name concerns only the
names that begin like the contested one, so a change costs about as much as the folders it touches
have names like that. Three cases build anew from the tree's own placements: a case-insensitive
tree (a change may respell folders), clashing inode numbers, and an overlay grown too large.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import polars as pl

from musefs.mount.tree.components import normalise_path
from musefs.mount.tree.inodes import ROOT_INODE, inode_of, path_hash, root_path_hash
from musefs.mount.tree.naming import SHORT_NAME_BYTES, Wish, assign_names, base_of
from musefs.mount.tree.overlay import NodeRecord, Overlay
from musefs.mount.tree.placement import DIRECTORY_ROW, LeafKind, order_expression, order_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from musefs.mount.tree.tree import Tree

MAX_OVERLAY_NODES: Final = 20_000
"""Overlaid nodes above which new columns are cheaper than copying the overlay again and again."""

_UNSET: Final = -1
_BEHIND: Final = b"\xff"
"""No UTF-8 name contains it, so a prefix with it sorts behind all names with that prefix."""


class Change:
    """A working copy of one tree's overlay."""

    def __init__(self, tree: Tree) -> None:
        """Begin with the tree as it is."""
        self._tree = tree
        overlay = tree.overlay
        self.nodes: dict[int, NodeRecord] = dict(overlay.nodes)
        self.children: dict[int, list[int]] = {}
        self._old_children = dict(overlay.children)
        self.gone = set(overlay.gone)
        self.by_inode = dict(overlay.by_inode)
        self.next_node = tree.columns.node_count + overlay.node_count
        self.live = overlay.live_delta
        self.directories = overlay.directory_delta
        self._touched: dict[int, set[bytes]] = {}
        self._fresh: set[int] = set()
        self._reordered: set[int] = set()
        self._renamed: set[int] = set()
        self._numbers: dict[int, int] = {}

    # reading, through the change

    def record(self, node: int) -> NodeRecord:
        """Return a node as it now is."""
        return self.nodes.get(node) or self._tree.record(node)

    def _list(self, node: int) -> list[int]:
        """Return the children as a list that may be changed, in order of names."""
        if node not in self.children:
            old = self._old_children.get(node)
            if old is None:
                old = () if node in self._fresh else self._tree.children(node)
            self.children[node] = list(old)
        return self.children[node]

    def _name(self, node: int) -> bytes:
        record = self.nodes.get(node)
        return self._tree.name(node) if record is None else record.name

    def _rendered(self, node: int) -> bytes:
        record = self.nodes.get(node)
        return self._tree.rendered_name(node) if record is None else record.rendered

    def _order(self, node: int) -> int:
        record = self.nodes.get(node)
        return self._tree.order(node) if record is None else record.order

    def _row(self, node: int) -> int:
        record = self.nodes.get(node)
        return self._tree.row(node) if record is None else record.row

    def _reorder(self, node: int, order: int) -> None:
        self.nodes[node] = self.record(node)._replace(order=order)

    def _rename(self, node: int, name: bytes) -> None:
        record = self.record(node)
        siblings = self._list(record.parent)
        siblings.pop(self._position(siblings, node, record.name))
        self.nodes[node] = record._replace(name=name)
        siblings.insert(bisect_left(siblings, name, key=self._name), node)
        self._renamed.add(node)

    # taking away and adding leaves

    def remove(self, node: int) -> None:
        """Take a node out of its folder."""
        record = self.record(node)
        siblings = self._list(record.parent)
        siblings.pop(self._position(siblings, node, record.name))
        self._touch(record.parent, record.rendered)
        if record.order <= self._order(record.parent):
            self._reordered.add(record.parent)
        self.by_inode.pop(record.inode, None)
        self.nodes.pop(node, None)
        if node < self._tree.columns.node_count:
            self.gone.add(node)
        self._touched.pop(node, None)
        self.children.pop(node, None)
        self._old_children.pop(node, None)
        self._renamed.discard(node)
        self.live -= 1
        self.directories -= record.row < 0

    def _position(self, siblings: list[int], node: int, name: bytes) -> int:
        position = bisect_left(siblings, name, key=self._name)
        # while a folder is changed, several entries may have the same name for a moment
        return position + siblings[position:].index(node)

    def add(self, path: bytes, order: int, row: int, version: int) -> None:
        """Put a leaf at a normalised path, with the folders that it needs."""
        *parts, leaf = path.split(b"/")
        folder = 0
        for part in parts:
            folder = self._folder(folder, part, order)
        for sibling in self._named(folder, leaf):
            if self._row(sibling) >= 0 and self._order(sibling) == order:
                return  # the same leaf at the same place once more
        self._insert(folder, leaf, order, row, version)

    def _folder(self, parent: int, rendered: bytes, order: int) -> int:
        for node in self._named(parent, rendered):
            if self._row(node) < 0:
                if order < self._order(node):
                    self._reorder(node, order)
                    self._touch(parent, rendered)
                return node
        return self._insert(parent, rendered, order, DIRECTORY_ROW, 0)

    def _insert(self, parent: int, name: bytes, order: int, row: int, version: int) -> int:
        node = self.next_node
        self.next_node += 1
        self._fresh.add(node)
        self.nodes[node] = NodeRecord(parent, name, name, row, order, _UNSET, version)
        siblings = self._list(parent)
        siblings.insert(bisect_left(siblings, name, key=self._name), node)
        self._touch(parent, name)
        self._renamed.add(node)
        self.live += 1
        self.directories += row < 0
        return node

    def _named(self, parent: int, rendered: bytes) -> list[int]:
        """Return the entries of a folder that asked for a name."""
        group = self._group(parent, rendered)
        return [node for node in group if self._rendered(node) == rendered]

    def _group(self, parent: int, rendered: bytes) -> list[int]:
        """Return every entry that may have to do with a name: all that begin like it."""
        siblings = self._list(parent)
        if len(rendered) > SHORT_NAME_BYTES:
            return siblings
        beginning = base_of(rendered)
        start = bisect_left(siblings, beginning, key=self._name)
        end = bisect_left(siblings, beginning + _BEHIND, lo=start, key=self._name)
        group = siblings[start:end]
        if any(len(self._rendered(node)) > SHORT_NAME_BYTES for node in group):
            return siblings  # long names are trimmed and may end up anywhere
        return group

    def _touch(self, folder: int, rendered: bytes) -> None:
        self._touched.setdefault(folder, set()).add(rendered)

    # settling

    def settle(self) -> bool:
        """Remove empty folders, correct orders, give names away, number what moved.

        False if two nodes would share an inode: only a whole build can settle that.
        """
        for folder in self._deepest_first():
            self._settle_folder(folder)
        for folder in list(self._touched):
            self._settle_names(folder)
        for node in sorted(self._renamed, key=self._depth):
            self._number(node)
        return self._take_numbers()

    def _deepest_first(self) -> Iterable[int]:
        pending = set(self._touched)
        done: set[int] = set()
        while pending:
            folder = max(pending, key=self._depth)
            pending.discard(folder)
            done.add(folder)
            parent = self.record(folder).parent
            yield folder
            if parent in self._touched and parent not in done:
                pending.add(parent)

    def _depth(self, node: int) -> int:
        depth = 0
        while node:
            node = self.record(node).parent
            depth += 1
        return depth

    def _settle_folder(self, folder: int) -> None:
        if folder == 0:
            return
        children = self._list(folder)
        if not children:
            self.remove(folder)
        elif folder in self._reordered:
            order = min(map(self._order, children))
            record = self.record(folder)
            if order != record.order:
                if record.order <= self._order(record.parent):
                    self._reordered.add(record.parent)
                self._reorder(folder, order)
                self._touch(record.parent, record.rendered)

    def _settle_names(self, folder: int) -> None:
        waiting = set(self._touched[folder])
        while waiting:
            group = self._group(folder, waiting.pop())
            waiting.difference_update(map(self._rendered, group))
            wishes = [Wish(self._order(n), self._row(n) >= 0, self._rendered(n), n) for n in group]
            varied = assign_names(wishes)
            for wish in wishes:
                name = varied.get(wish.key, wish.name)
                if name != self._name(wish.key):
                    self._rename(wish.key, name)

    # inode numbers

    def _number(self, node: int) -> None:
        """Give a node, and what lies below it, the numbers of their paths."""
        pending = [(node, self._hash(self.record(node).parent))]
        while pending:
            current, parent_hash = pending.pop()
            record = self.record(current)
            own = path_hash(parent_hash, record.name)
            version = record.version if record.row >= 0 else None
            inode = inode_of(own, version, bits=self._tree.inode_bits)
            if inode != record.inode:
                self._numbers[current] = inode
            if record.row < 0:
                pending += [(child, own) for child in self._children(current)]

    def _children(self, node: int) -> Iterable[int]:
        if node in self.children:
            return self.children[node]
        return self._old_children.get(node) or self._tree.children(node)

    def _hash(self, node: int) -> int:
        names: list[bytes] = []
        while node:
            record = self.record(node)
            names.append(record.name)
            node = record.parent
        value = root_path_hash()
        for name in reversed(names):
            value = path_hash(value, name)
        return value

    def _take_numbers(self) -> bool:
        # all old numbers are given back first: a folder may take over its neighbour's path
        for node in self._numbers:
            record = self.record(node)
            if self.by_inode.get(record.inode) == node:
                del self.by_inode[record.inode]
            self.nodes[node] = record._replace(inode=_UNSET)
        return all(self._take_number(node, inode) for node, inode in self._numbers.items())

    def _take_number(self, node: int, inode: int) -> bool:
        if inode <= ROOT_INODE or self.by_inode.setdefault(inode, node) != node:
            return False
        other = self._tree.column_node_of(inode)
        if other is not None and other != node and other not in self.gone:
            record = self.nodes.get(other)
            if record is None or record.inode == inode:
                return False
        self.nodes[node] = self.nodes[node]._replace(inode=inode)
        return True

    def overlay(self) -> Overlay:
        """Return the finished overlay."""
        children = {node: tuple(nodes) for node, nodes in self.children.items()}
        return Overlay(
            nodes=self.nodes,
            children={**self._old_children, **children},
            gone=frozenset(self.gone),
            by_inode=self.by_inode,
            node_count=self.next_node - self._tree.columns.node_count,
            live_delta=self.live,
            directory_delta=self.directories,
        )


def change_tree(tree: Tree, orders: Iterable[int], placements: pl.DataFrame) -> Tree:
    """Return the tree without the leaves of `orders`, and with `placements`."""
    wanted = set(orders)
    too_many = len(wanted) + len(placements) + len(tree.overlay.nodes) > MAX_OVERLAY_NODES
    if tree.case_insensitive or tree.columns.clashes or too_many:
        return _rebuilt(tree, wanted, placements)
    change = Change(tree)
    for node in tree.leaves_of(wanted):
        change.remove(node)
    columns = placements.select("path", "kind", "identity", "row", "version")
    for path, kind, identity, row, version in columns.iter_rows():
        is_ours = kind == int(LeafKind.METRICS)  # the only one with a right to the reserved name
        normal = path if is_ours or not path else normalise_path(path)
        if normal:
            change.add(normal.encode(), order_of(LeafKind(kind), identity), row, version)
    if not change.settle():
        return _rebuilt(tree, wanted, placements)
    return tree.with_overlay(change.overlay())


def _rebuilt(tree: Tree, orders: set[int], placements: pl.DataFrame) -> Tree:
    kept = tree.all_placements()
    order = kept.select(order_expression()).to_series()
    gone = pl.Series(sorted(orders), dtype=pl.Int64)
    kept = kept.filter(~order.is_in(gone.implode()))
    return tree.rebuilt(pl.concat([kept, placements.select(kept.columns)]))
