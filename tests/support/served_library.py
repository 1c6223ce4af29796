"""A library in memory for the mount's tests: real files as originals, headers made up.

`MemoryGeneration` is the smallest thing that a core can serve; the real one is made from the index.
"""

import hashlib
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from musefs.index.backing.content import ContentRef
from musefs.index.backing.mounted import stamp_of
from musefs.mount.formats.layout import make_layout
from musefs.mount.formats.segments import Generated, OriginalRange, Segment
from musefs.mount.serve.generation import ROOT_INODE, Attributes, Served

HEADER_BYTES = 5000


def pattern(seed: int, length: int) -> bytes:
    """Return bytes that differ for each seed and place."""
    return hashlib.shake_128(f"{seed}".encode()).digest(length)  # one call: benchmarks use it too


@dataclass
class MemoryFile:
    """One served file: a generated header of `version` before an original."""

    path: bytes
    original: ContentRef | None
    version: int = 1
    header_bytes: int = HEADER_BYTES
    audio: tuple[int, int] | None = None
    """Part of the original that is served; None for all of it."""

    def header(self) -> bytes:
        return pattern(zlib.crc32(b"%s:%d" % (self.path, self.version)), self.header_bytes)

    def segments(self) -> list[Segment]:
        segments: list[Segment] = []
        if self.header_bytes:
            segments.append(Generated(self.header()))
        if self.original is not None:
            size = self.original.stamp.size
            segments.append(OriginalRange(*(self.audio or (0, size))))
        return segments

    def served(self) -> Served:
        size = 0 if self.original is None else self.original.stamp.size
        return Served(make_layout(self.segments(), size), self.original)

    @property
    def size(self) -> int:
        size = 0 if self.original is None else self.original.stamp.size
        return self.header_bytes + (size if self.audio is None else self.audio[1])

    def inode(self) -> int:
        return inode_of(self.path, self.version)


def inode_of(path: bytes, version: int = 0) -> int:
    digest = hashlib.blake2b(path + b"\0%d" % version, digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1 or 2


def reference(root: Path, name: str) -> ContentRef:
    """Return the reference to a file below `root` as a scan would record it."""
    return ContentRef(b"/" + name.encode(), 0, 0, stamp_of((root / name).stat()))


@dataclass
class MemoryGeneration:
    """A state of the library made from a list of files."""

    number: int
    contents: list[MemoryFile]
    served_calls: int = 0
    _nodes: list[tuple[int, bytes, MemoryFile | None, int]] = field(default_factory=list)
    _children: dict[int, list[int]] = field(default_factory=dict)
    _by_inode: dict[int, int] = field(default_factory=dict)
    _by_name: dict[tuple[int, bytes], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._add(0, b"", None, ROOT_INODE)
        directories = {b"": 0}
        for file in self.contents:
            parent, path = 0, b""
            *folders, leaf = file.path.split(b"/")
            for folder in folders:
                path = path + b"/" + folder
                if path not in directories:
                    directories[path] = self._add(parent, folder, None, inode_of(path))
                parent = directories[path]
            self._add(parent, leaf, file, file.inode())
        for children in self._children.values():
            children.sort(key=self.name)

    def _add(self, parent: int, name: bytes, file: MemoryFile | None, inode: int) -> int:
        node = len(self._nodes)
        self._nodes.append((parent, name, file, inode))
        self._by_inode[inode] = node
        if node:
            self._by_name[parent, name] = node
            self._children.setdefault(parent, []).append(node)
        return node

    @property
    def files(self) -> int:
        return len(self.contents)

    @property
    def directories(self) -> int:
        return len(self._nodes) - len(self.contents)

    @property
    def served_bytes(self) -> int:
        return sum(file.size for file in self.contents)

    def node_of(self, inode: int) -> int | None:
        return self._by_inode.get(inode)

    def lookup(self, parent: int, name: bytes) -> int | None:
        return self._by_name.get((parent, name))

    def children(self, node: int) -> list[int]:
        return self._children.get(node, [])

    def name(self, node: int) -> bytes:
        return self._nodes[node][1]

    def parent(self, node: int) -> int:
        return self._nodes[node][0]

    def attributes(self, node: int) -> Attributes:
        _, _, file, inode = self._nodes[node]
        if file is None:
            return Attributes(inode, True, 0, 0)
        return Attributes(inode, False, file.size, 1_600_000_000_000_000_000 + file.version)

    def served(self, node: int) -> Served:
        self.served_calls += 1
        file = self._nodes[node][2]
        assert file is not None
        return file.served()
