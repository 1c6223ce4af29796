"""What changed between two trees, as the kernel has to be told: entries that went and that came.

A file's inode is made of its path and its bytes' version, a directory's of its path; so an entry
changed exactly if its inode is in one tree and not in the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from musefs.mount.tree.tree import Tree


class Entry(NamedTuple):
    """A name in a directory and what it led to."""

    parent_inode: int
    name: bytes
    inode: int


@dataclass(frozen=True, slots=True)
class TreeDifference:
    """Entries by which two trees differ; a re-tagged file is in both lists under one name."""

    gone: tuple[Entry, ...]
    come: tuple[Entry, ...]

    def __bool__(self) -> bool:
        return bool(self.gone or self.come)


def difference(old: Tree, new: Tree) -> TreeDifference:
    """Compare two trees; quick if one was made from the other."""
    if old.columns is new.columns:
        suspects = _overlaid(old) | _overlaid(new)
        gone = [node for node in suspects if _is_live(old, node) and _lacks(new, old, node)]
        come = [node for node in suspects if _is_live(new, node) and _lacks(old, new, node)]
        return TreeDifference(_entries(old, gone), _entries(new, come))
    before, after = _all_inodes(old), _all_inodes(new)
    gone_inodes = np.setdiff1d(before, after, assume_unique=True).tolist()
    come_inodes = np.setdiff1d(after, before, assume_unique=True).tolist()
    return TreeDifference(
        _entries(old, _nodes(old, gone_inodes)), _entries(new, _nodes(new, come_inodes))
    )


def _overlaid(tree: Tree) -> set[int]:
    return {*tree.overlay.nodes, *tree.overlay.gone}


def _is_live(tree: Tree, node: int) -> bool:
    if node in tree.overlay.gone:
        return False
    return node in tree.overlay.nodes or node < tree.columns.node_count


def _lacks(tree: Tree, owner: Tree, node: int) -> bool:
    return tree.node_of(owner.inode(node)) is None


def _all_inodes(tree: Tree) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    inodes = tree.columns.inodes
    changed = _overlaid(tree)
    if changed:
        nodes = np.fromiter((n for n in changed if n < len(inodes)), dtype=np.int64)
        own = (record.inode for record in tree.overlay.nodes.values())
        inodes = np.concatenate((np.delete(inodes, nodes), np.fromiter(own, dtype=np.int64)))
    return inodes


def _nodes(tree: Tree, inodes: Iterable[int]) -> list[int]:
    return [node for node in map(tree.node_of, inodes) if node is not None]


def _entries(tree: Tree, nodes: Iterable[int]) -> tuple[Entry, ...]:
    return tuple(
        Entry(tree.inode(tree.parent(node)), tree.name(node), tree.inode(node)) for node in nodes
    )
