"""Recognise the same audio under other tags: a hash of samples, or of all of it on request.

Ogg pages carry a number and a checksum that change when the comments in front of them grow; both
are blanked, so that a re-tagged file keeps its fingerprint.
"""

from hashlib import blake2b, sha256
from typing import Final

from musefs.index.media.facts import Span
from musefs.pipeline.tag.window import ReadAt, Window

SAMPLE_BYTES: Final = 1024
"""Bytes of each sample: two recordings of one length that agree in three of them are one."""

_DIGEST_BYTES: Final = 16
_PIECE_BYTES: Final = 1 << 20
_PAGE_MARK: Final = b"OggS\0"
PAGE_LEAD_BYTES: Final = 27
"""An Ogg page head that begins before a sample reaches into it."""

_NUMBERS: Final = slice(18, 26)


def fingerprint(window: Window, read_at: ReadAt, audio: Span, *, paged: bool) -> str | None:
    """Return a hash of the audio's length and of samples at its start, middle and end.

    The middle is read past the window: it is used once and would push out what is needed again.
    """
    if audio.length <= 0:
        return None
    offset, length = audio
    last = max(0, length - SAMPLE_BYTES)
    places = ((0, window.read_at), (last // 2, read_at), (last, window.read_at))
    size = min(SAMPLE_BYTES, length)
    if paged:
        samples = [_paged_sample(read, offset, place, size) for place, read in places]
    else:
        samples = [read(offset + place, size) for place, read in places]
    samples.insert(0, length.to_bytes(8))
    return blake2b(b"".join(samples), digest_size=_DIGEST_BYTES).hexdigest()


def _paged_sample(read_at: ReadAt, offset: int, place: int, size: int) -> bytes:
    lead = min(place, PAGE_LEAD_BYTES)
    return _without_numbers(read_at(offset + place - lead, size + lead))[lead:]


def audio_hash(read_at: ReadAt, audio: Span, *, paged: bool) -> str:
    """Return the SHA-256 of all of the audio."""
    digest = sha256()
    offset, end, kept = audio.offset, audio.offset + audio.length, b""
    while offset < end:
        data = read_at(offset, min(_PIECE_BYTES, end - offset))
        if not data:
            break
        offset += len(data)
        if paged:
            data = _without_numbers(kept + data)
            kept = data[-PAGE_LEAD_BYTES:] if offset < end else b""
            data = data[: len(data) - len(kept)]
        digest.update(data)
    digest.update(kept)
    return digest.hexdigest()


def _without_numbers(data: bytes) -> bytes:
    at = data.find(_PAGE_MARK)
    if at < 0:
        return data
    blanked = bytearray(data)
    while at >= 0:
        blanked[at + _NUMBERS.start : at + _NUMBERS.stop] = bytes(8)
        at = data.find(_PAGE_MARK, at + PAGE_LEAD_BYTES)
    return bytes(blanked[: len(data)])
