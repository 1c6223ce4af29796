"""The tree's arrays: what one node costs, and nothing that belongs to a single request.

Nodes are numbered so that the children of a directory lie together, in byte order of their names.
Directories also have an index of their own (in order of depth); `row` of a directory is
-1 - index, and `first_child[index]` to `first_child[index + 1]` are its children.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TreeColumns:
    """One whole tree as arrays; node 0 is the root."""

    names: bytes
    """All names, one after the other."""
    name_ends: npt.NDArray[np.uint32]
    """name_ends[node] to name_ends[node + 1] is a node's name."""
    parents: Int32s
    rows: Int32s
    orders: Int64s
    inodes: Int64s
    versions: Int64s
    by_inode: Int32s
    """Nodes in ascending order of their inodes."""
    first_child: Int32s
    by_key: Int32s | None
    """In a case-insensitive tree: the children of each directory in order of folded names."""
    rendered: Mapping[int, bytes]
    """What a node asked to be called, for those that are called otherwise."""
    clashes: int
    """Nodes whose inode had to be settled."""

    @property
    def node_count(self) -> int:
        """Nodes, the root included."""
        return len(self.parents)

    @property
    def nbytes(self) -> int:
        """Resident size in bytes."""
        arrays = (
            self.name_ends, self.parents, self.rows, self.orders, self.inodes,
            self.versions, self.by_inode, self.first_child,
        )  # fmt: skip
        by_key = 0 if self.by_key is None else self.by_key.nbytes
        return sum(array.nbytes for array in arrays) + by_key + len(self.names) + self._sparse_bytes

    @property
    def _sparse_bytes(self) -> int:
        # a dict entry with its int key; the texts themselves are shared between equal names
        return 110 * len(self.rendered) + sum(
            len(name) + 33 for name in set(self.rendered.values())
        )
