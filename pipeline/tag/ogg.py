"""Ogg: Vorbis, Opus, FLAC and Speex; comments of the second packet and facts of the first."""

import struct
from struct import Struct
from typing import Final

from musefs.index.errors import MediaFormatError
from musefs.index.media import ogg as walker
from musefs.index.media.facts import AudioFormat, Technical
from musefs.index.media.vorbis_comment import XiphParts
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.flac import streaminfo_facts
from musefs.pipeline.tag.ogg_packets import first_packets, first_page, last_granule
from musefs.pipeline.tag.vorbis_comments import add_entries, read_comments
from musefs.pipeline.tag.window import Window

_VORBIS: Final = Struct("<IBI")
_OPUS: Final = Struct("<BBHI")
_SPEEX: Final = Struct("<IIIIII")
_OPUS_RATE: Final = 48_000

_MARKS: Final = (
    (b"\x01vorbis", AudioFormat.OGG_VORBIS),
    (b"OpusHead", AudioFormat.OGG_OPUS),
    (b"\x7fFLAC", AudioFormat.OGG_FLAC),
    (b"Speex   ", AudioFormat.OGG_SPEEX),
)
_COMMENT_HEADS: Final = {
    AudioFormat.OGG_VORBIS: b"\x03vorbis",
    AudioFormat.OGG_OPUS: b"OpusTags",
    AudioFormat.OGG_SPEEX: b"",
}


def ogg_format(first_packet: bytes) -> AudioFormat | None:
    """Return which codec the first packet of a stream announces."""
    for mark, format_ in _MARKS:
        if first_packet.startswith(mark):
            return format_
    return None


def read_ogg(window: Window, tags: Collected) -> Technical:
    """Add the comments and return the stream's facts."""
    parts = XiphParts()
    try:
        tags.anatomy = walker.read_anatomy(window.read_at, window.size, parts)
    except MediaFormatError as error:
        tags.refusal = error.message
    if tags.anatomy is None or parts.comment is None:
        return _read_refused(window, tags)
    add_entries(parts.comment, tags)
    granule = parts.last_granule
    if granule is None:
        granule = last_granule(window, parts.serial) or 0
    return _facts(tags.anatomy.format, parts.head, granule, window.size)


def _read_refused(window: Window, tags: Collected) -> Technical:
    """Read what a file says that the walker refused: it is damaged or has several streams."""
    serial, head = first_page(window, 0)
    format_ = ogg_format(head)
    if format_ is None:
        raise MediaFormatError("an Ogg stream that is no music")
    _read_comment_packet(window, format_, tags)
    granule = last_granule(window, serial) or 0
    return _facts(format_, head, granule, window.size)


def _read_comment_packet(window: Window, format_: AudioFormat, tags: Collected) -> None:
    packets = first_packets(window, 0, 2)
    if len(packets) < 2:
        raise MediaFormatError("the Ogg comment packet is missing")
    packet = packets[1]
    if format_ is AudioFormat.OGG_FLAC:
        skip = 4
        if packet.fetch(0, 1)[:1] not in (b"\x04", b"\x84"):
            raise MediaFormatError("the first FLAC block in Ogg is not the comments")
    else:
        mark = _COMMENT_HEADS[format_]
        skip = len(mark)
        if packet.fetch(0, skip) != mark:
            raise MediaFormatError("the second Ogg packet is not the comments")
    read_comments(lambda at, size: packet.fetch(skip + at, size), packet.length - skip, tags)


def _facts(format_: AudioFormat, head: bytes, granule: int, size: int) -> Technical:
    try:
        if format_ is AudioFormat.OGG_FLAC:
            return _flac_facts(head, granule, size)
        if format_ is AudioFormat.OGG_OPUS:
            _, channels, pre_skip, _ = _OPUS.unpack_from(head, 8)
            samples, rate, codec = max(0, granule - pre_skip), _OPUS_RATE, "opus"
        elif format_ is AudioFormat.OGG_VORBIS:
            _, channels, rate = _VORBIS.unpack_from(head, 7)
            samples, codec = granule, "vorbis"
        else:
            rate, _, _, channels, _, _ = _SPEEX.unpack_from(head, 36)
            samples, codec = granule, "speex"
    except struct.error as error:
        raise MediaFormatError(f"the first Ogg packet is truncated ({error})") from error
    if not rate:
        raise MediaFormatError("the first Ogg packet has a sample rate of zero")
    return _technical(codec, samples, rate, channels, size)


def _flac_facts(head: bytes, granule: int, size: int) -> Technical:
    facts = streaminfo_facts(head[17:51], size)
    if facts.duration_seconds is not None or not facts.sample_rate:
        return facts
    known = _technical("flac", granule, facts.sample_rate, facts.channels or 0, size)
    return Technical(
        known.codec, known.duration_seconds, known.bitrate, facts.sample_rate,
        facts.bits_per_sample, facts.channels,
    )  # fmt: skip


def _technical(codec: str, samples: int, rate: int, channels: int, size: int) -> Technical:
    duration = samples / rate if samples else None
    return Technical(
        codec=codec,
        duration_seconds=duration,
        bitrate=int(size * 8 / duration) if duration else None,
        sample_rate=rate,
        channels=channels,
    )
