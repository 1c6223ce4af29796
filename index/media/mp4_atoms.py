"""Walking MP4 atoms: sizes of 32 and 64 bits, sizes to the end, and a budget for hostile trees."""

from collections.abc import Iterator
from dataclasses import dataclass

from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Span
from musefs.index.media.reading import ReadAt

ATOMS_LIMIT = 20_000
"""Atoms looked at in one file: 4096 pieces of cover art and as many tags leave room."""


@dataclass(frozen=True, slots=True)
class Atom:
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

    def atoms(self, begin: int, end: int) -> Iterator[Atom]:
        """Walk the atoms between two places.

        Raises MediaFormatError for a size that cannot be; a few stray bytes at the end are none.
        """
        offset = begin
        while offset + 8 <= end:
            self._left -= 1
            if self._left < 0:
                raise MediaFormatError(f"more than {ATOMS_LIMIT} atoms")
            atom = self._atom(offset, end)
            if atom is None:
                return
            yield atom
            offset = atom.end

    def _atom(self, offset: int, end: int) -> Atom | None:
        head = self.read_at(offset, 16)
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

    def child(self, parent: Atom | None, *names: bytes) -> Atom | None:
        """Return the first atom below `parent` along a path of names."""
        for name in names:
            if parent is None:
                return None
            parent = next((atom for atom in self.children(parent) if atom.name == name), None)
        return parent
