"""Ogg with Vorbis, Opus, FLAC or Speex: header packets, pictures and where audio pages begin.

A file with several streams, one after the other or one beside the other, is refused by name and
served as it is: one set of tags does not describe it. Tags are mutagen's.
"""

from collections.abc import Iterator
from typing import NamedTuple

from musefs.index.errors import MediaFormatError
from musefs.index.media import ogg_flac
from musefs.index.media.comment_pictures import read_pictures
from musefs.index.media.facts import Anatomy, AudioFormat, Block, BlockKind, Picture, Span
from musefs.index.media.foreign_tags import skip_leading_id3, trim_trailing_tags
from musefs.index.media.ogg_chain import check_one_stream
from musefs.index.media.ogg_page import (
    LARGEST_HEADER_BYTES,
    OggPage,
    Packet,
    PacketCollector,
    parse_page,
    walk_header_pages,
)
from musefs.index.media.reading import ReadAt
from musefs.index.media.vorbis_comment import PacketWindow, XiphParts, walk_comment

_SPEEX_EXTRA_HEADERS_AT = 68
_HEAD_BYTES = 255
"""Of the first packet: the longest, that of Speex, has 80."""
_SUFFIX_LIMIT_BYTES = 1 << 20
"""Of binary data behind an Opus comment that is carried over; a guess, none larger was seen."""


class _Headers(NamedTuple):
    """The header packets of a stream, and the page that ends them."""

    packets: tuple[Packet, ...]
    last_page: OggPage


_COMMENT_STARTS = {
    AudioFormat.OGG_VORBIS: b"\x03vorbis",
    AudioFormat.OGG_OPUS: b"OpusTags",
    AudioFormat.OGG_SPEEX: b"",
}


def read_anatomy(read_at: ReadAt, size: int, parts: XiphParts | None = None) -> Anatomy:
    """Return where the parts of an Ogg file lie; `parts` takes what readers of tags need.

    Raises MediaFormatError for other codecs, several streams, and damage in the headers.
    """
    parts = XiphParts() if parts is None else parts
    begin = skip_leading_id3(read_at)
    pages = walk_header_pages(read_at, begin)
    first = next(pages)
    parts.serial, parts.head = first.serial, read_at(first.body_offset, _HEAD_BYTES)
    audio_format = codec_of(parts.head)
    headers = _read_headers(read_at, audio_format, first, pages)
    audio_begin = headers.last_page.end
    if audio_begin > size:
        raise MediaFormatError("the Ogg headers are cut off")
    audio_end = trim_trailing_tags(read_at, audio_begin, size)
    parts.last_granule = check_one_stream(read_at, first.serial, audio_begin, audio_end)
    if audio_format is AudioFormat.OGG_FLAC:
        blocks, pictures = ogg_flac.parts(read_at, headers.packets, parts)
    else:
        blocks, pictures = _parts(read_at, audio_format, headers.packets, parts)
    stream = _stream_block(read_at, headers.last_page, audio_begin, audio_end)
    audio = Span(audio_begin, audio_end - audio_begin)
    return Anatomy(audio_format, audio, (stream, *blocks), pictures)


def codec_of(first_packet: bytes) -> AudioFormat:
    """Return the format that a stream's first packet announces."""
    if first_packet.startswith(b"\x01vorbis"):
        return AudioFormat.OGG_VORBIS
    if first_packet.startswith(b"OpusHead"):
        return AudioFormat.OGG_OPUS
    if first_packet.startswith(b"\x7fFLAC"):
        return AudioFormat.OGG_FLAC
    if first_packet.startswith(b"Speex   "):
        return AudioFormat.OGG_SPEEX
    if first_packet.startswith((b"fishead\0", b"\x80theora")):
        raise MediaFormatError("several streams are multiplexed in one Ogg file")
    raise MediaFormatError(f"an Ogg stream of unknown codec {first_packet[:8]!r}")


def _read_headers(
    read_at: ReadAt, audio_format: AudioFormat, first: OggPage, pages: Iterator[OggPage]
) -> _Headers:
    collector = PacketCollector()
    collector.add(first)
    last = first
    while not _is_complete(read_at, audio_format, collector.packets):
        last = next(pages)
        collector.add(last)
    if not collector.is_between_packets or _is_complete(
        read_at, audio_format, collector.packets[:-1]
    ):
        raise MediaFormatError("audio begins on the page of an Ogg header")
    return _Headers(tuple(collector.packets), last)


def _is_complete(read_at: ReadAt, audio_format: AudioFormat, packets: list[Packet]) -> bool:
    """Tell whether all header packets are among `packets`."""
    if audio_format is AudioFormat.OGG_VORBIS:
        return len(packets) >= 3
    if audio_format is AudioFormat.OGG_OPUS:
        return len(packets) >= 2
    if audio_format is AudioFormat.OGG_FLAC:
        return ogg_flac.is_complete(read_at, packets)
    if not packets:
        return False
    extra = packets[0].read(read_at, _SPEEX_EXTRA_HEADERS_AT, 4)
    return len(packets) >= 2 + int.from_bytes(extra, "little")


def _parts(
    read_at: ReadAt, audio_format: AudioFormat, packets: tuple[Packet, ...], parts: XiphParts
) -> tuple[tuple[Block, ...], tuple[Picture, ...]]:
    """Return the carried packets and the pictures of Vorbis, Opus and Speex."""
    identification, comment, *others = packets
    window = PacketWindow(read_at, comment)
    start = _COMMENT_STARTS[audio_format]
    if window.read(0, len(start)) != start:
        raise MediaFormatError("the second packet of the Ogg stream is not its comment")
    structure = parts.comment = walk_comment(window, len(start), comment.length)
    blocks = [packet_block("id", identification)]
    blocks += [packet_block("setup", packet) for packet in others]
    suffix_length = comment.length - structure.end
    if audio_format is AudioFormat.OGG_OPUS and _is_carried_suffix(
        window.read(structure.end, 1), suffix_length
    ):
        spans = comment.part(structure.end, suffix_length)
        blocks.append(Block(BlockKind.OGG_PACKET, "suffix", suffix_length, spans))
    return tuple(blocks), read_pictures(comment, structure)


def _is_carried_suffix(first_byte: bytes, length: int) -> bool:
    """Tell whether what follows an Opus comment is data: its lowest bit says so, else padding."""
    return bool(first_byte) and bool(first_byte[0] & 1) and length <= _SUFFIX_LIMIT_BYTES


def packet_block(key: str, packet: Packet) -> Block:
    """Return a header packet that is carried as it is."""
    return Block(BlockKind.OGG_PACKET, key, packet.length, packet.spans)


def _stream_block(read_at: ReadAt, last: OggPage, audio_begin: int, audio_end: int) -> Block:
    """Return what page numbers are computed from: the serial and the first audio page's number."""
    sequence = (last.sequence + 1) & 0xFFFF_FFFF
    if audio_begin < audio_end:
        page = parse_page(read_at(audio_begin, LARGEST_HEADER_BYTES), audio_begin)
        if page is None or page.serial != last.serial:
            raise MediaFormatError(f"no Ogg page of the same stream at byte {audio_begin}")
        sequence = page.sequence
    body = last.serial.to_bytes(4, "little") + sequence.to_bytes(4, "little")
    return Block(BlockKind.OGG_PACKET, "stream", len(body), body=body)
