"""The input of every synthesiser: what the index says about one track, and nothing else."""

from dataclasses import dataclass

from musefs.index.media.facts import AudioFormat, Block, BlockKind, Encoding, Picture, Span
from musefs.mount.formats.segments import Encoded, Generated, OriginalRange, Segment, StoredArt


@dataclass(frozen=True, slots=True)
class ServedPicture:
    """A picture to serve: from the original, or, with `art_hash`, one that a user added."""

    picture: Picture
    art_hash: str | None = None

    def segments(self) -> tuple[Segment, ...]:
        """Return where the bytes of the picture come from."""
        picture = self.picture
        if self.art_hash is not None:
            return (StoredArt(self.art_hash, picture.length),)
        return _carried(picture.spans, picture.encoding, picture.skip, picture.length)


@dataclass(frozen=True, slots=True)
class TrackSource:
    """One track as the index has it."""

    path: str
    """For messages only."""
    format: AudioFormat
    audio: Span
    size: int
    """Size of the original when it was scanned."""
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Each key once, with its values in order; keys in binary order."""
    blocks: tuple[Block, ...] = ()
    pictures: tuple[ServedPicture, ...] = ()
    synthesised: bool = True
    """False: the original is served as it is."""

    def blocks_of(self, kind: BlockKind, key: str | None = None) -> tuple[Block, ...]:
        """Return the blocks of a kind, and of a key if one is given, in order."""
        return tuple(
            block
            for block in self.blocks
            if block.kind is kind and (key is None or block.key == key)
        )


def block_segments(block: Block) -> tuple[Segment, ...]:
    """Return where the bytes of a carried block come from."""
    if block.body is not None:
        return (Generated(block.body),) if block.body else ()
    return _carried(block.spans, block.encoding, 0, block.length)


def _carried(
    spans: tuple[Span, ...], encoding: Encoding, skip: int, length: int
) -> tuple[Segment, ...]:
    if length == 0:
        return ()
    if encoding is Encoding.RAW and skip == 0 and len(spans) == 1 and spans[0].length == length:
        return (OriginalRange(spans[0].offset, length),)
    if encoding is Encoding.RAW and skip == 0 and sum(span.length for span in spans) == length:
        return tuple(OriginalRange(span.offset, span.length) for span in spans if span.length)
    return (Encoded(spans, encoding, skip, length),)
