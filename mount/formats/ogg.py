"""Ogg with Vorbis, Opus, FLAC or Speex: fresh header pages before pages that keep their payload.

Comment and setup of Vorbis share pages, as encoders write them, so that mostly the number of header
pages stays what it was; then audio pages are a plain range of the original. In FLAC the comment is
the first packet behind the mapping (RFC 9639), and each block has pages of its own.
"""

from collections.abc import Iterable, Sequence

from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import AudioFormat, Block, BlockKind, Encoding
from musefs.mount.formats.base64_text import Base64Text, base64_length
from musefs.mount.formats.flac import (
    LARGEST_BLOCK_BYTES,
    block_header,
    fitting_pictures,
)
from musefs.mount.formats.flac_picture import picture_head
from musefs.mount.formats.layout import make_layout
from musefs.mount.formats.ogg_pages import PacketPages, RenumberedPages, packet_pages
from musefs.mount.formats.segments import Encoded, Generated, OriginalRange, Segment
from musefs.mount.formats.source import ServedPicture, TrackSource, block_segments
from musefs.mount.formats.vorbis_comment import comment_body

LARGEST_COMMENT_BYTES = 125_829_120
"""A longer comment packet may be refused by decoders (RFC 7845, section 5.2)."""

PICTURE_FIELD = b"METADATA_BLOCK_PICTURE="
COMMENT_FRAME: dict[AudioFormat, tuple[bytes, bytes]] = {
    AudioFormat.OGG_VORBIS: (b"\x03vorbis", b"\x01"),
    AudioFormat.OGG_OPUS: (b"OpusTags", b""),
    AudioFormat.OGG_SPEEX: (b"", b""),
}
"""What stands before and behind the comment in its packet."""

_FLAC_COMMENT = 4
_FLAC_COUNT_AT = 7
_LARGEST_FLAC_COUNT = 0xFFFF

PacketParts = Sequence[Segment]


def synthesise(source: TrackSource) -> Iterable[Segment] | None:
    """Return the segments of an Ogg file with the tags of the index."""
    comment = _comment_packet(source)
    if comment is None:
        return None
    serial, audio_sequence = _stream(source)
    setup = [block_segments(block) for block in _blocks(source, "setup")]
    header = (
        _pages(source, [block_segments(_only(source, "id"))], serial, 0),
        _pages(source, [comment, *setup], serial, 1),
    )
    return [*header, _audio(source, serial, audio_sequence, header)]


def synthesise_flac(source: TrackSource) -> Iterable[Segment] | None:
    """Return the segments of FLAC in Ogg: mapping, comment, carried blocks, audio.

    Pictures are comments here too: mutagen, TagLib and ffmpeg read them there and nowhere else.
    """
    comment = _comment_parts(source, b"")
    length = sum(part.length for part in comment)
    if length > LARGEST_BLOCK_BYTES:
        return None
    serial, audio_sequence = _stream(source)
    bodies: list[tuple[int, int, PacketParts]] = [(_FLAC_COMMENT, length, comment)]
    bodies += [(int(b.key), b.length, block_segments(b)) for b in source.blocks if _is_body(b)]
    header = [_pages(source, [_mapping(source, len(bodies))], serial, 0)]
    sequence = 1
    for number, (block_type, length, body) in enumerate(bodies, start=1):
        first = Generated(block_header(block_type, length, number == len(bodies)))
        header.append(_pages(source, [[first, *body]], serial, sequence))
        sequence += header[-1].page_count
    return [*header, _audio(source, serial, audio_sequence, header)]


def _comment_packet(source: TrackSource) -> list[Segment] | None:
    """Return the comment packet; None if no decoder would take one so long."""
    start, end = COMMENT_FRAME[source.format]
    parts = _comment_parts(source, start)
    if sum(part.length for part in parts) > LARGEST_COMMENT_BYTES:
        return None
    parts.append(Generated(end))
    for block in _blocks(source, "suffix"):
        parts += block_segments(block)
    return parts


def _comment_parts(source: TrackSource, start: bytes) -> list[Segment]:
    """Return `start` and the comment with its pictures."""
    pictures = fitting_pictures(source)
    parts: list[Segment] = [Generated(start + comment_body(source, len(pictures)))]
    for served in pictures:
        parts += _picture_entry(served, source.size)
    return parts


def _picture_entry(served: ServedPicture, original_size: int) -> Iterable[Segment]:
    head = picture_head(served.picture)
    text = _same_text(served, head, original_size)
    if text is None:
        text = [Base64Text(make_layout((Generated(head), *served.segments()), original_size))]
    length = len(PICTURE_FIELD) + base64_length(len(head) + served.picture.length)
    return Generated(length.to_bytes(4, "little") + PICTURE_FIELD), *text


def _same_text(served: ServedPicture, head: bytes, original_size: int) -> list[Segment] | None:
    """Return the picture's text as the original has it, where a head of the same length allows.

    Only the groups of the head are made anew; an image need not be decoded to be encoded again.
    """
    picture = served.picture
    is_text = served.art_hash is None and picture.encoding is Encoding.BASE64
    border = -(-len(head) // 3) * 3 - len(head)
    if not is_text or picture.skip != len(head) or picture.length <= border:
        return None
    front: list[Segment] = [Generated(head)]
    if border:
        front.append(Encoded(picture.spans, Encoding.BASE64, picture.skip, border))
    made = Base64Text(make_layout(front, original_size))
    whole = base64_length(len(head) + picture.length)
    stored = min(sum(span.length for span in picture.spans), whole)
    kept = Encoded(picture.spans, Encoding.RAW, made.length, stored - made.length)
    return [made, kept, Generated(b"=" * (whole - stored))]


def _mapping(source: TrackSource, count: int) -> list[Segment]:
    """Return the first packet of FLAC in Ogg, with the number of packets that follow it."""
    block = _only(source, "id")
    if len(block.spans) != 1:
        raise MediaFormatError("the mapping packet of FLAC in Ogg is not in one piece")
    begin, behind = block.spans[0].offset, _FLAC_COUNT_AT + 2
    known = count if count <= _LARGEST_FLAC_COUNT else 0
    return [
        OriginalRange(begin, _FLAC_COUNT_AT),
        Generated(known.to_bytes(2, "big")),
        OriginalRange(begin + behind, block.length - behind),
    ]


def _pages(
    source: TrackSource, packets: Sequence[PacketParts], serial: int, first_sequence: int
) -> PacketPages:
    lengths = [sum(part.length for part in packet) for packet in packets]
    payload = make_layout((part for packet in packets for part in packet), source.size)
    return packet_pages(lengths, payload, serial, first_sequence)


def _audio(
    source: TrackSource, serial: int, old_sequence: int, header: Sequence[PacketPages]
) -> Segment:
    """Return the audio: the original's pages, renumbered only if their numbers change."""
    delta = (sum(pages.page_count for pages in header) - old_sequence) & 0xFFFF_FFFF
    audio = source.audio
    if delta == 0 or audio.length == 0:
        return OriginalRange(audio.offset, audio.length)
    return RenumberedPages(audio.offset, audio.length, serial, delta)


def _stream(source: TrackSource) -> tuple[int, int]:
    """Return the serial and the number of the first audio page."""
    body = _only(source, "stream").body
    if body is None or len(body) != 8:
        raise MediaFormatError("the index does not know the page numbers of this track")
    return int.from_bytes(body[:4], "little"), int.from_bytes(body[4:], "little")


def _blocks(source: TrackSource, key: str) -> tuple[Block, ...]:
    return source.blocks_of(BlockKind.OGG_PACKET, key)


def _only(source: TrackSource, key: str) -> Block:
    found = _blocks(source, key)
    if len(found) != 1:
        raise MediaFormatError(f"the index has {len(found)} header packets {key!r} for this track")
    return found[0]


def _is_body(block: Block) -> bool:
    return block.kind is BlockKind.OGG_PACKET and block.key.isdigit()
