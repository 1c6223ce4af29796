"""MP4: the original's structure with moved chunk offsets, a fresh tag list, the audio untouched.

Order: ftyp, moov, other top-level atoms, the header of mdat, its payload. moov holds all of the
original's children but user data, then user data made anew: the tag list, and what else was there
(chapters). Only values of tables change, never their sizes; so all sizes are known first.
"""

from collections.abc import Iterable

from musefs.index.counters import Counter, degrade
from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Block, BlockKind
from musefs.mount.formats.mp4_tags import ATOM_HEAD_BYTES, LARGEST_ATOM_BYTES, tag_list
from musefs.mount.formats.segments import Generated, OriginalRange, Segment, ShiftedOffsets
from musefs.mount.formats.source import TrackSource, block_segments

HANDLER = bytes.fromhex("00000021 68646c72 0000000000000000 6d6469726170706c 000000000000000000")
"""The hdlr atom that makes a meta atom a tag list."""

META_HEAD_BYTES = 12
LARGEST_TABLED_BYTES = 0xFFFF_FFFF
"""Chunk offsets of stco have 32 bits."""

_WIDTHS = {"stco": 4, "co64": 8}


def synthesise(source: TrackSource) -> Iterable[Segment] | None:
    """Return the segments of an MP4 file with the tags of the index.

    None where an atom, or a chunk offset of 32 bits, would be too small for what it must hold.
    """
    atoms = _Atoms(source)
    user_data = _user_data(source, atoms)
    moov_bytes = ATOM_HEAD_BYTES + atoms.structure_bytes + _length(user_data)
    front, behind = atoms.of("ftyp"), atoms.of("top") + atoms.of("mdat")
    head_bytes = _length(front) + moov_bytes + _length(behind)
    if moov_bytes > LARGEST_ATOM_BYTES or not _offsets_fit(source, head_bytes):
        return None
    return [
        *front,
        Generated(moov_bytes.to_bytes(4, "big") + b"moov"),
        *_structure(atoms, head_bytes - source.audio.offset),
        *user_data,
        *behind,
        OriginalRange(source.audio.offset, source.audio.length),
    ]


class _Atoms:
    """The carried blocks of a track, looked through once."""

    def __init__(self, source: TrackSource) -> None:
        self.structure: list[Block] = []
        """Ranges of moov and the tables between them, in order."""
        self.structure_bytes = 0
        self._others: dict[str, list[Segment]] = {}
        for block in source.blocks:
            is_atom = block.kind is BlockKind.MP4_ATOM
            if (is_atom and block.key == "moov") or block.kind is BlockKind.MP4_CHUNK_OFFSETS:
                self.structure.append(block)
                self.structure_bytes += block.length
            elif is_atom:
                self._others.setdefault(block.key, []).extend(block_segments(block))

    def of(self, key: str) -> list[Segment]:
        """Return the atoms carried under a key, in order."""
        return self._others.get(key, [])


def _offsets_fit(source: TrackSource, head_bytes: int) -> bool:
    if head_bytes + source.audio.length <= LARGEST_TABLED_BYTES:
        return True
    if not source.blocks_of(BlockKind.MP4_CHUNK_OFFSETS, "stco"):
        return True
    degrade(
        Counter.TAG_BLOCKS_DROPPED,
        "%s: chunk offsets of 32 bits cannot reach %d bytes",
        source.path,
        head_bytes + source.audio.length,
    )
    return False


def _length(segments: Iterable[Segment]) -> int:
    return sum(segment.length for segment in segments)


def _structure(atoms: _Atoms, delta: int) -> list[Segment]:
    """Return the children of moov in their order, tables shifted."""
    segments: list[Segment] = []
    for block in atoms.structure:
        if block.kind is BlockKind.MP4_ATOM:
            segments += block_segments(block)
            continue
        width = _WIDTHS.get(block.key, 0)
        if not width or len(block.spans) != 1 or block.length % width:
            raise MediaFormatError(f"the index has a table {block.key} that is none")
        span = block.spans[0]
        segments.append(ShiftedOffsets(span.offset, span.length, width, delta))
    return segments


def _user_data(source: TrackSource, atoms: _Atoms) -> list[Segment]:
    items = tag_list(source)
    in_meta, beside = atoms.of("meta"), atoms.of("udta")
    list_bytes = ATOM_HEAD_BYTES + _length(items)
    meta_bytes = META_HEAD_BYTES + len(HANDLER) + list_bytes + _length(in_meta)
    udta_bytes = ATOM_HEAD_BYTES + meta_bytes + _length(beside)
    if udta_bytes > LARGEST_ATOM_BYTES:
        return [*items, *in_meta, *beside]  # refused by the size of moov
    head = udta_bytes.to_bytes(4, "big") + b"udta" + meta_bytes.to_bytes(4, "big") + b"meta"
    ilst = list_bytes.to_bytes(4, "big") + b"ilst"
    return [Generated(head + bytes(4) + HANDLER + ilst), *items, *in_meta, *beside]
