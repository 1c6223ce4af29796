"""The structure of a Vorbis comment: where its entries lie. Their meaning is mutagen's.

Entries are walked by their lengths, so that pictures in base64 are stepped over, not read.
"""

from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from musefs.index.errors import MediaFormatError
from musefs.index.media.ogg_page import Packet
from musefs.index.media.reading import ReadAt

ENTRIES_LIMIT = 100_000
"""A track may have 4096 tags; this many lengths are still walked in a fraction of a second."""
_START_BYTES = 64
"""Kept of a long entry: its name, as far as names go that are looked for."""

_WHOLE_BYTES = 1024
"""An entry up to this length is kept whole, as whoever walks reads it on the way."""

_WHOLE_LIMIT_BYTES = 1 << 20
"""Kept of all entries together; what comes behind it is kept as if it were long."""

_LENGTH = Struct("<I")

_WINDOW_BYTES = 2048
"""Read ahead in a packet: most comments fit as a whole."""


Entry = tuple[int, int, bytes]
"""One `NAME=value`: its offset in the packet, its length, and its first bytes, mostly all of them.
A plain tuple: a library has millions."""


class PacketWindow:
    """Reads parts of one packet through a small window, so that tiny reads cost nothing."""

    def __init__(self, read_at: ReadAt, packet: Packet) -> None:
        self._read_at = read_at
        self._packet = packet
        self._begin = 0
        self._data = b""

    def read(self, offset: int, length: int) -> bytes:
        """Return a part of the packet; fewer bytes only at its end."""
        if not self._begin <= offset <= offset + length <= self._begin + len(self._data):
            self._begin = offset
            self._data = self._packet.read(self._read_at, offset, max(length, _WINDOW_BYTES))
        return self._data[offset - self._begin : offset - self._begin + length]

    def ahead(self, offset: int) -> bytes:
        """Return what is in memory from `offset`, or the next stretch."""
        if not self._begin <= offset <= self._begin + len(self._data) - _START_BYTES:
            return self.read(offset, _WINDOW_BYTES)
        return self._data[offset - self._begin :]

    def number(self, offset: int) -> int:
        """Return the little-endian 32-bit number at `offset`."""
        data = self.read(offset, 4)
        if len(data) < 4:
            raise MediaFormatError("a Vorbis comment is cut off")
        return int.from_bytes(data, "little")


class CommentStructure(NamedTuple):
    """The entries of a comment, where it ends in its packet, and who reads the packet."""

    entries: list[Entry]
    end: int
    window: PacketWindow


@dataclass(slots=True)
class XiphParts:
    """What readers of tags need of the walk through a FLAC or Ogg file."""

    head: bytes = b""
    """The STREAMINFO block, or the beginning of the first Ogg packet."""
    comment: CommentStructure | None = None
    """The first comment, if it is whole."""
    serial: int = 0
    last_granule: int | None = None
    """Granule position of the last page, if that page ends the audio."""


def walk_comment(window: PacketWindow, begin: int, packet_length: int) -> CommentStructure:
    """Walk the comment that stands at `begin` of a packet.

    Raises MediaFormatError where a length leads out of the packet.
    """
    offset = begin + 4 + window.number(begin)
    count = window.number(offset) if offset <= packet_length else ENTRIES_LIMIT + 1
    if count > ENTRIES_LIMIT:
        raise MediaFormatError(f"a Vorbis comment with {count} entries or a broken vendor")
    entries = _entries(window, offset + 4, count, packet_length)
    end = entries[-1][0] + entries[-1][1] if entries else offset + 4
    return CommentStructure(entries, end, window)


def _entries(window: PacketWindow, offset: int, count: int, limit: int) -> list[Entry]:
    """Return the entries; flat, as every comment of FLAC and Ogg passes here (ADR 0040)."""
    entries: list[Entry] = []
    ahead, first = b"", offset  # small entries stand close together: cut from one stretch
    budget = _WHOLE_LIMIT_BYTES
    for _ in range(count):
        at = offset - first
        if at + 4 > len(ahead):
            ahead, first, at = window.ahead(offset), offset, 0
            if len(ahead) < 4:
                raise MediaFormatError("a Vorbis comment is cut off")
        (length,) = _LENGTH.unpack_from(ahead, at)
        offset += 4
        if offset + length > limit:
            raise MediaFormatError("an entry of a Vorbis comment exceeds its packet")
        kept = length if length <= _WHOLE_BYTES and budget > 0 else min(length, _START_BYTES)
        if at + 4 + kept > len(ahead):
            ahead, first, at = window.read(offset, _WINDOW_BYTES), offset, -4
        entries.append((offset, length, ahead[at + 4 : at + 4 + kept]))
        budget -= kept
        offset += length
    return entries
