"""The structure of a Vorbis comment: where its entries lie. Their meaning is mutagen's.

Entries are walked by their lengths, so that pictures in base64 are stepped over, not read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from musefs.index.errors import MediaFormatError
from musefs.index.media.ogg_page import Packet
from musefs.index.media.reading import ReadAt

ENTRIES_LIMIT = 100_000
"""A track may have 4096 tags; this many lengths are still walked in a fraction of a second."""
_START_BYTES = 64
"""Kept of an entry: its name, as far as names go that are looked for."""

_WINDOW_BYTES = 2048
"""Read ahead in a packet: most comments fit as a whole."""


class Entry(NamedTuple):
    """One `NAME=value`: where it lies in the packet, and its first bytes."""

    offset: int
    length: int
    start: bytes


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

    def number(self, offset: int) -> int:
        """Return the little-endian 32-bit number at `offset`."""
        data = self.read(offset, 4)
        if len(data) < 4:
            raise MediaFormatError("a Vorbis comment is cut off")
        return int.from_bytes(data, "little")


@dataclass(frozen=True, slots=True)
class CommentStructure:
    """The entries of a comment and where it ends in its packet."""

    entries: tuple[Entry, ...]
    end: int


def walk_comment(window: PacketWindow, begin: int, packet_length: int) -> CommentStructure:
    """Walk the comment that stands at `begin` of a packet.

    Raises MediaFormatError where a length leads out of the packet.
    """
    offset = begin + 4 + window.number(begin)
    count = window.number(offset) if offset <= packet_length else ENTRIES_LIMIT + 1
    if count > ENTRIES_LIMIT:
        raise MediaFormatError(f"a Vorbis comment with {count} entries or a broken vendor")
    offset += 4
    entries = tuple(_entries(window, offset, count, packet_length))
    end = entries[-1].offset + entries[-1].length if entries else offset
    return CommentStructure(entries, end)


def _entries(window: PacketWindow, offset: int, count: int, limit: int) -> Iterator[Entry]:
    ahead, first = b"", offset  # small entries stand close together: cut from one stretch
    for _ in range(count):
        at = offset - first
        if at + 4 + _START_BYTES > len(ahead):
            ahead, first, at = window.read(offset, _WINDOW_BYTES), offset, 0
            if len(ahead) < 4:
                raise MediaFormatError("a Vorbis comment is cut off")
        length = int.from_bytes(ahead[at : at + 4], "little")
        offset += 4
        if offset + length > limit:
            raise MediaFormatError("an entry of a Vorbis comment exceeds its packet")
        yield Entry(offset, length, ahead[at + 4 : at + 4 + min(length, _START_BYTES)])
        offset += length
