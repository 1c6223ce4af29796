"""What the core serves from: one immutable state of the library, and what a file consists of.

The core knows no template, no index and no tree beyond this. The library gives one of these for
each state of the index; the core holds one and swaps it between two requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from musefs.index.backing.content import ContentRef
from musefs.mount.formats.layout import Layout

ROOT_INODE = 1
"""The kernel's number for the root of every FUSE mount."""


class Attributes(NamedTuple):
    """What a `stat` says besides owner and mode, which are the same for the whole mount."""

    inode: int
    is_directory: bool
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Served:
    """What one file consists of, for as long as its inode means something."""

    layout: Layout
    original: ContentRef | None
    """None: every byte is generated or stored in the index."""


class Generation(Protocol):
    """One state of the library. Node 0 is the root; nodes are numbers of this state only."""

    @property
    def number(self) -> int:
        """Which state this is; grows with every change."""
        ...

    @property
    def files(self) -> int:
        """How many files it has."""
        ...

    @property
    def directories(self) -> int:
        """How many directories it has, with the root."""
        ...

    @property
    def served_bytes(self) -> int:
        """Sum of the sizes of all files."""
        ...

    def node_of(self, inode: int) -> int | None:
        """Return the node that an inode means, or None if it means nothing in this state."""
        ...

    def lookup(self, parent: int, name: bytes) -> int | None:
        """Return the child of a directory by its name."""
        ...

    def children(self, node: int) -> Sequence[int]:
        """Return the children of a directory in byte order of their names."""
        ...

    def name(self, node: int) -> bytes:
        """Return the name of a node."""
        ...

    def parent(self, node: int) -> int:
        """Return the directory of a node; the root is its own."""
        ...

    def attributes(self, node: int) -> Attributes:
        """Return what `stat` says of a node."""
        ...

    def served(self, node: int) -> Served:
        """Return what a file consists of; computed from columns, without a disk."""
        ...
