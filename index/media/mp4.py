"""MP4: where structure, chunk offsets, user data, pictures and audio lie in one original.

Blocks, in the order in which they are served:

* MP4_ATOM ``ftyp``, then ``top`` (uuid and the like) and ``mdat`` (the header of the first one);
* MP4_ATOM ``moov``: ranges of its children, cut at the MP4_CHUNK_OFFSETS tables between them;
* MP4_ATOM ``udta`` and ``meta``: what lies beside the tags (Nero chapters for one);
* MP4_TAG: atoms of the tag list that are no text.

Only tables of offsets depend on where the audio is; all of them, of sound and chapter tracks,
are found. Files whose offsets stand elsewhere (fragments, auxiliary data) are refused by name.
"""

from collections.abc import Iterator
from typing import TypeVar

from musefs.index.counters import Counter, degrade
from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Anatomy, AudioFormat, Block, BlockKind, Picture, Span
from musefs.index.media.mp4_atoms import Atom, AtomReader
from musefs.index.media.mp4_tags import Item, read_items, read_pictures, read_tag_blocks
from musefs.index.media.reading import ReadAt, read_exact

BLOCKS_LIMIT = 4096
"""Carried blocks of one file."""

T = TypeVar("T")

_PADDING = frozenset({b"free", b"skip", b"wide", b"\0\0\0\0"})
_FRAGMENTS = frozenset({b"moof", b"styp", b"sidx", b"ssix", b"mfra", b"emsg"})
_TABLES = {b"stco": 4, b"co64": 8}


class _Found:
    """What the top level holds."""

    __slots__ = ("ftyp", "mdats", "moov", "others")

    def __init__(self) -> None:
        self.ftyp: Atom | None = None
        self.moov: Atom | None = None
        self.mdats: list[Atom] = []
        self.others: list[Atom] = []


class Mp4Parts:
    """What who reads tags needs of the same walk."""

    __slots__ = ("items", "reader", "tracks")

    def __init__(self) -> None:
        self.items: list[Item] = []
        """The tag list."""
        self.tracks: list[Atom] = []
        self.reader: AtomReader | None = None


def read_anatomy(read_at: ReadAt, size: int, parts: Mp4Parts | None = None) -> Anatomy:
    """Return where the parts of an MP4 file lie; `parts` takes what readers of tags need.

    Raises MediaFormatError for fragmented files and for anything that cannot be followed.
    """
    reader = AtomReader(read_at)
    if parts is not None:
        parts.reader = reader
    found = _top_level(reader, size)
    if found.moov is None or not found.mdats:
        raise MediaFormatError("no moov atom" if found.moov is None else "no mdat atom")
    audio = _audio(found)
    blocks = [_block("ftyp", found.ftyp.span)] if found.ftyp else []
    structure = _Structure(reader, audio, parts or Mp4Parts())
    structure.read(found.moov)
    blocks += structure.blocks
    blocks += [_block("top", atom.span) for atom in found.others]
    first = found.mdats[0]
    blocks.append(_block("mdat", Span(first.begin, first.payload - first.begin)))
    if len(blocks) > BLOCKS_LIMIT:
        raise MediaFormatError(f"{len(blocks)} parts to carry over")
    return Anatomy(AudioFormat.MP4, audio, tuple(blocks), tuple(structure.pictures))


def _top_level(reader: AtomReader, size: int) -> _Found:
    found = _Found()
    for atom in reader.atoms(0, size):
        if atom.name in _FRAGMENTS:
            raise MediaFormatError("a fragmented MP4 file")
        if atom.name == b"ftyp" and found.ftyp is None:
            found.ftyp = atom
        elif atom.name == b"moov":
            if found.moov is not None:
                raise MediaFormatError("two moov atoms")
            found.moov = atom
        elif atom.name == b"mdat":
            found.mdats.append(atom)
        elif atom.name == b"meta":
            degrade(Counter.TAG_BLOCKS_DROPPED, "a meta atom beside moov may hold offsets")
        elif atom.name not in _PADDING:
            found.others.append(atom)
    return found


def _audio(found: _Found) -> Span:
    """Return the payload of the mdat atoms, from the first to the last, with what is between."""
    begin, end = found.mdats[0].payload, found.mdats[-1].end
    moov = found.moov
    if moov is not None and begin < moov.begin < end:
        raise MediaFormatError("moov lies between two mdat atoms")
    found.others = [atom for atom in found.others if not begin < atom.begin < end]
    return Span(begin, end - begin)


def _block(key: str, span: Span, kind: BlockKind = BlockKind.MP4_ATOM) -> Block:
    return Block(kind, key, span.length, (span,))


class _Structure:
    """The moov atom: ranges to copy, tables to shift, user data beside the tags."""

    def __init__(self, reader: AtomReader, audio: Span, parts: Mp4Parts) -> None:
        self._reader = reader
        self._parts = parts
        self._audio = audio
        self._copied: list[Block] = []
        self._beside: list[Block] = []
        self._tags: list[Block] = []
        self.pictures: list[Picture] = []

    @property
    def blocks(self) -> list[Block]:
        return self._copied + self._beside + self._tags

    def read(self, moov: Atom) -> None:
        cut = moov.payload
        for atom in self._reader.children(moov):
            if atom.name in (b"mvex", b"cmov"):
                kind = "a fragmented" if atom.name == b"mvex" else "a compressed"
                raise MediaFormatError(f"{kind} MP4 file")
            if atom.name == b"trak":
                self._parts.tracks.append(atom)
                cut = self._read_track(atom, cut)
            elif atom.name == b"udta" or atom.name in _PADDING:
                self._copy(cut, atom.begin)
                cut = atom.end
                if atom.name == b"udta":
                    self._read_user_data(atom)
        self._copy(cut, moov.end)

    def _copy(self, begin: int, end: int) -> None:
        if begin < end:
            self._copied.append(_block("moov", Span(begin, end - begin)))

    def _read_track(self, track: Atom, cut: int) -> int:
        """Cut the range that began at `cut` at the track's tables; return where the next begins."""
        samples = self._reader.child(track, b"mdia", b"minf", b"stbl")
        if samples is None:
            return cut
        self._check_reference(track)
        for atom in self._reader.listed(samples):
            if atom.name == b"saio":
                raise MediaFormatError("a track has auxiliary data with offsets of its own")
            width = _TABLES.get(atom.name)
            if width is not None:
                entries = self._entries(atom, width)
                self._copy(cut, entries.offset)
                key = atom.name.decode("ascii")
                if entries.length:
                    self._copied.append(_block(key, entries, BlockKind.MP4_CHUNK_OFFSETS))
                cut = entries.offset + entries.length
        return cut

    def _check_reference(self, track: Atom) -> None:
        """Refuse a track whose samples lie in another file: its offsets must not be shifted."""
        table = self._reader.child(track, b"mdia", b"minf", b"dinf", b"dref")
        if table is None:
            return
        head = self._reader.read_at(table.payload, 20)
        if len(head) == 20 and head[4:8] != bytes(4) and not head[19] & 1:
            raise MediaFormatError("a track lies in another file")

    def _entries(self, atom: Atom, width: int) -> Span:
        """Return where the entries of a table are; the first and last must point at audio."""
        read_at = self._reader.read_at
        head = read_exact(read_at, atom.payload, 8, "a table of chunk offsets")
        count = int.from_bytes(head[4:], "big")
        begin = atom.payload + 8
        if begin + count * width > atom.end:
            raise MediaFormatError(f"the table at byte {atom.begin} cannot have {count} entries")
        for place in (begin, begin + (count - 1) * width) if count else ():
            offset = int.from_bytes(read_exact(read_at, place, width, "a chunk offset"), "big")
            if not self._audio.offset <= offset <= self._audio.offset + self._audio.length:
                raise MediaFormatError(f"a chunk offset points at byte {offset}, outside of mdat")
        return Span(begin, count * width)

    def _read_user_data(self, udta: Atom) -> None:
        for atom in _patiently(self._reader.children(udta)):
            if atom.name == b"meta" and self._is_tag_list(atom):
                self._read_meta(atom)
            elif atom.name not in _PADDING:
                self._beside.append(_block("udta", atom.span))

    def _is_tag_list(self, meta: Atom) -> bool:
        handler = self._reader.child(meta, b"hdlr")
        return handler is None or self._reader.read_at(handler.payload + 8, 4) == b"mdir"

    def _read_meta(self, meta: Atom) -> None:
        for atom in self._reader.listed(meta):
            if atom.name == b"ilst":
                items = list(_patiently(read_items(self._reader, atom)))
                self._parts.items += items
                self._tags += read_tag_blocks(self._reader, items)
                self.pictures += read_pictures(self._reader, items)
            elif atom.name != b"hdlr" and atom.name not in _PADDING:
                self._beside.append(_block("meta", atom.span))


def _patiently(atoms: Iterator[T]) -> Iterator[T]:
    """Walk atoms whose damage costs only what follows them, as no offset is among them."""
    try:
        yield from atoms
    except MediaFormatError as error:
        degrade(Counter.TAG_BLOCKS_DROPPED, "%s", error.message)
