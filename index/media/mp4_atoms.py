"""Walking MP4 atoms: sizes of 32 and 64 bits, sizes to the end, and a budget for hostile trees."""

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Span
from musefs.index.media.reading import ReadAt

_READ_AHEAD = 512
"""Bytes of atoms read together: the children of most."""

_ITEMS_AHEAD = 1024
"""Bytes of a tag list read together: a dozen items; longer ones are read by themselves."""

_HEAD = Struct(">I4s")

ATOMS_LIMIT = 20_000
"""Atoms looked at in one file: 4096 pieces of cover art and as many tags leave room."""


class Atom(NamedTuple):
    """One atom: its name, where it begins, where its payload does, where it ends."""

    name: bytes
    begin: int
    payload: int
    end: int

    @property
    def span(self) -> Span:
        """The whole atom."""
        return Span(self.begin, self.end - self.begin)

    @property
    def content(self) -> Span:
        """The payload."""
        return Span(self.payload, self.end - self.payload)


class AtomReader:
    """Reads atoms of one file and stops when it has seen too many."""

    def __init__(self, read_at: ReadAt) -> None:
        self.read_at = read_at
        self._left = ATOMS_LIMIT
        self._children: dict[int, list[Atom]] = {}
        """Of parents on a path that was asked for: several paths share their beginning."""

    def atoms(self, begin: int, end: int) -> Iterator[Atom]:
        """Walk the atoms between two places.

        Raises MediaFormatError for a size that cannot be; a few stray bytes at the end are none.
        """
        offset = begin
        ahead, first = b"", 0  # a stretch in memory: small atoms stand close together
        while offset + 8 <= end:
            self._left -= 1
            if self._left < 0:
                raise MediaFormatError(f"more than {ATOMS_LIMIT} atoms")
            at = offset - first
            if at + 16 > len(ahead):
                ahead, first, at = self.read_at(offset, min(_READ_AHEAD, end - offset)), offset, 0
                if len(ahead) < 8:
                    ahead = ahead.ljust(8, b"\0")  # the file ends here
            size, name = _HEAD.unpack_from(ahead, at)
            if 8 <= size <= end - offset:
                atom = Atom(name, offset, offset + 8, offset + size)
            else:
                unusual = self._unusual(ahead[at : at + 16], offset, end)
                if unusual is None:
                    return
                atom = unusual
            yield atom
            offset = atom.end

    def contents(self, parent: Atom) -> Iterator[tuple[Atom, bytes | None]]:
        """Walk the atoms inside `parent`, with the payload of small ones, which lies in memory.

        Flat, as every item of every tag list passes here (ADR 0040).
        """
        offset, end = parent.payload, parent.end
        ahead, first = b"", offset
        while offset + 8 <= end and self._left > 0:
            at = offset - first
            if at + 8 > len(ahead):
                ahead, first, at = self.read_at(offset, min(_ITEMS_AHEAD, end - offset)), offset, 0
                if len(ahead) < 8:
                    break
            size, name = _HEAD.unpack_from(ahead, at)
            if not 8 <= size <= end - offset:
                break
            self._left -= 1
            content: bytes | None = None
            if size <= _ITEMS_AHEAD:
                if at + size > len(ahead):
                    ahead, first, at = self.read_at(offset, _ITEMS_AHEAD), offset, 0
                content = ahead[at + 8 : at + size]
            yield Atom(name, offset, offset + 8, offset + size), content
            offset += size
        for atom in self.atoms(offset, end):  # knows the unusual sizes, and how to complain
            yield atom, None

    def _unusual(self, head: bytes, offset: int, end: int) -> Atom | None:
        """Return an atom whose size is not simply said; None for the zeros that end a list."""
        size, used = int.from_bytes(head[:4], "big"), 8
        name = head[4:8]
        if name == b"\0\0\0\0" and size == 0:
            return None  # the four zero bytes that end a QuickTime user data list, or padding
        if size == 1:
            size, used = int.from_bytes(head[8:16], "big"), 16
        elif size == 0:
            size = end - offset
        if len(head) < used or size < used or offset + size > end:
            raise MediaFormatError(f"the atom {name!r} at byte {offset} has {size} bytes")
        return Atom(name, offset, offset + used, offset + size)

    def children(self, parent: Atom) -> Iterator[Atom]:
        """Walk the atoms inside `parent`."""
        begin = parent.payload
        if parent.name == b"meta" and self.read_at(begin + 4, 4) != b"hdlr":
            begin += 4  # version and flags, which QuickTime files leave out
        return self.atoms(begin, parent.end)

    def listed(self, parent: Atom) -> list[Atom]:
        """Return the atoms inside `parent`, which are walked once."""
        known = self._children.get(parent.begin)
        if known is None:
            known = self._children[parent.begin] = list(self.children(parent))
        return known

    def child(self, parent: Atom | None, *names: bytes) -> Atom | None:
        """Return the first atom below `parent` along a path of names."""
        for name in names:
            if parent is None:
                return None
            for atom in self.listed(parent):
                if atom.name == name:
                    parent = atom
                    break
            else:
                return None
        return parent
