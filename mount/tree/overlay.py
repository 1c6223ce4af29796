"""What a changed tree has besides the columns that it shares with the tree it was changed from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class NodeRecord(NamedTuple):
    """One node outside the columns."""

    parent: int
    name: bytes
    rendered: bytes
    row: int
    order: int
    inode: int
    version: int


@dataclass(frozen=True, slots=True)
class Overlay:
    """What differs from the columns."""

    nodes: Mapping[int, NodeRecord] = field(default_factory=dict[int, NodeRecord])
    children: Mapping[int, Sequence[int]] = field(default_factory=dict[int, Sequence[int]])
    gone: frozenset[int] = frozenset()
    by_inode: Mapping[int, int] = field(default_factory=dict[int, int])
    node_count: int = 0
    """Nodes ever made on top of the columns; their numbers follow the columns'."""
    live_delta: int = 0
    """Change in the number of live nodes against the columns, and in that of directories."""
    directory_delta: int = 0
