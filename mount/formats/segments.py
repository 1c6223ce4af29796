"""The kinds of segment a layout consists of: where each byte of a served file comes from.

A segment knows its length without any I/O and reads any part of itself from a `ReadContext`.
Segments are immutable; what had to be computed is kept in the context's caches, never here.
Formats with needs of their own add segments in their own modules (Ogg pages, in `ogg_pages`).
"""

import binascii
import zlib
from array import array
from dataclasses import dataclass
from sys import byteorder
from typing import Protocol

from musefs.index.counters import Counter, degrade
from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Encoding, Span
from musefs.mount.formats.reading import ReadContext, read_exactly, read_spans

DECODED_LIMIT_BYTES = 64 << 20
"""Largest body that is ever decoded as a whole; pictures and blocks end at 16 MiB."""


_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_ZERO_FOR_DAMAGE = bytes(byte if byte in _BASE64 else ord("A") for byte in range(256))


class Segment(Protocol):
    """A run of consecutive bytes of a served file."""

    @property
    def length(self) -> int:
        """Length in bytes, known without reading."""
        ...

    @property
    def originals(self) -> tuple[Span, ...]:
        """Ranges of the original that it reads."""
        ...

    @property
    def uses_art(self) -> bool:
        """Whether it reads pictures that users added."""
        ...

    @property
    def held_bytes(self) -> int:
        """Bytes of the served file that it keeps in memory, for the budget of a cache."""
        ...

    @property
    def is_light(self) -> bool:
        """Whether a part costs about what it is long, and waits for nothing but the original.

        Then it may be read on the loop where the original is in memory.
        """
        ...

    def read(self, offset: int, length: int, context: ReadContext) -> bytes:
        """Return exactly `length` bytes from `offset`, both within the segment."""
        ...


class RangeOfOriginal:
    """What all segments have in common that are one range of the original, changed or not."""

    __slots__ = ()
    offset: int
    length: int

    @property
    def originals(self) -> tuple[Span, ...]:
        """The range itself."""
        return (Span(self.offset, self.length),)

    @property
    def uses_art(self) -> bool:
        """No picture that was added."""
        return False

    @property
    def held_bytes(self) -> int:
        """Nothing."""
        return 0

    @property
    def is_light(self) -> bool:
        """It is."""
        return True


@dataclass(frozen=True, slots=True)
class Generated:
    """Bytes that exist in no file: headers, tags."""

    data: bytes

    @property
    def length(self) -> int:
        """Length in bytes."""
        return len(self.data)

    @property
    def originals(self) -> tuple[Span, ...]:
        """Nothing is read."""
        return ()

    @property
    def uses_art(self) -> bool:
        """No picture."""
        return False

    @property
    def held_bytes(self) -> int:
        """All of it."""
        return len(self.data)

    @property
    def is_light(self) -> bool:
        """It is."""
        return True

    def read(self, offset: int, length: int, context: ReadContext) -> bytes:
        """Return a part of the bytes."""
        del context
        return self.data[offset : offset + length]


@dataclass(frozen=True, slots=True)
class OriginalRange(RangeOfOriginal):
    """A range of the original, byte for byte; readers may fetch it straight into their buffer."""

    offset: int
    length: int

    def read(self, offset: int, length: int, context: ReadContext) -> bytes:
        """Read from the original."""
        return read_exactly(context.original, self.offset + offset, length)


@dataclass(frozen=True, slots=True)
class StoredArt:
    """A picture that a user added, from the index."""

    art_hash: str
    length: int

    @property
    def originals(self) -> tuple[Span, ...]:
        """Nothing is read from the original."""
        return ()

    @property
    def uses_art(self) -> bool:
        """It is one."""
        return True

    @property
    def held_bytes(self) -> int:
        """Nothing."""
        return 0

    @property
    def is_light(self) -> bool:
        """No: its pages may have to come from a disk that the original knows nothing of."""
        return False

    def read(self, offset: int, length: int, context: ReadContext) -> bytes:
        """Read from the provider."""
        data = context.art.read_art(self.art_hash, offset, length)
        if len(data) != length:
            raise MediaFormatError(
                f"stored picture {self.art_hash} has not {offset + length} bytes",
                hint="Add the picture again with musefs-tag.",
            )
        return data


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Part of the original that must be decoded to be served."""

    spans: tuple[Span, ...]
    encoding: Encoding
    skip: int
    """Decoded bytes before the segment begins."""
    length: int

    @property
    def originals(self) -> tuple[Span, ...]:
        """The encoded ranges."""
        return self.spans

    @property
    def uses_art(self) -> bool:
        """No picture that was added."""
        return False

    @property
    def held_bytes(self) -> int:
        """Nothing."""
        return 0

    @property
    def is_light(self) -> bool:
        """Only where a part can be decoded alone."""
        return self.encoding in (Encoding.RAW, Encoding.BASE64)

    def read(self, offset: int, length: int, context: ReadContext) -> bytes:
        """Decode; base64 only where asked, the other encodings once as a whole."""
        if self.encoding is Encoding.RAW:
            return read_spans(context.original, self.spans, self.skip + offset, length)
        if self.encoding is Encoding.BASE64:
            return self._read_base64(self.skip + offset, length, context)
        body = context.decoded.get(self, lambda: self._decode(context))
        return body[offset : offset + length]

    def _read_base64(self, start: int, length: int, context: ReadContext) -> bytes:
        first = start // 3 * 4
        last = min(-(-(start + length) // 3) * 4, sum(span.length for span in self.spans))
        text = read_spans(context.original, self.spans, first, last - first)
        text += b"=" * (-len(text) % 4)
        try:
            data = binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error:
            data = b""
        if len(data) < start % 3 + length:
            # zeros where no base64 is: the rest of the picture, and of the file, is still right
            degrade(Counter.PICTURES_DROPPED, "the base64 of an embedded picture is damaged")
            data = binascii.a2b_base64(text.translate(_ZERO_FOR_DAMAGE))
        return _exactly(data[start % 3 :], length)

    def _decode(self, context: ReadContext) -> bytes:
        stored = sum(span.length for span in self.spans)
        if max(stored, self.skip + self.length) > DECODED_LIMIT_BYTES:
            raise MediaFormatError(f"a block of {self.length} bytes is too large to decode")
        data = read_spans(context.original, self.spans, 0, stored)
        if self.encoding in (Encoding.UNSYNC, Encoding.UNSYNC_ZLIB):
            data = data.replace(b"\xff\x00", b"\xff")
        if self.encoding in (Encoding.ZLIB, Encoding.UNSYNC_ZLIB):
            data = _inflate(data, self.skip + self.length)
        return _exactly(data[self.skip :], self.length)


@dataclass(frozen=True, slots=True, eq=False)
class ShiftedOffsets(RangeOfOriginal):
    """Big-endian chunk offsets of an MP4 table, each moved by `delta`."""

    offset: int
    length: int
    width: int
    """Bytes of an entry: 4 in stco, 8 in co64."""
    delta: int

    def read(self, offset: int, length: int, context: ReadContext) -> bytes:
        """Shift the entries that the range touches."""
        first = offset // self.width * self.width
        last = -(-(offset + length) // self.width) * self.width
        stored = read_exactly(context.original, self.offset + first, last - first)
        entries = array("I" if self.width == array("I").itemsize else "Q", stored)
        if byteorder == "little":
            entries.byteswap()
        delta = self.delta
        try:
            shifted = array(entries.typecode, [entry + delta for entry in entries])
        except OverflowError as error:
            raise MediaFormatError(
                f"a chunk offset does not fit in {8 * self.width} bits when moved by {delta}"
            ) from error
        if byteorder == "little":
            shifted.byteswap()
        return shifted.tobytes()[offset - first : offset - first + length]


@dataclass(frozen=True, slots=True, eq=False)
class Patched(RangeOfOriginal):
    """A range of the original in which a few bytes are replaced."""

    offset: int
    length: int
    patches: tuple[tuple[int, bytes], ...]
    """(position within the segment, new bytes), in order, not overlapping."""

    def read(self, offset: int, length: int, context: ReadContext) -> bytes:
        """Read and put the new bytes in."""
        data = bytearray(read_exactly(context.original, self.offset + offset, length))
        for position, new in self.patches:
            begin = max(position, offset)
            end = min(position + len(new), offset + length)
            if begin < end:
                data[begin - offset : end - offset] = new[begin - position : end - position]
        return bytes(data)


def _inflate(data: bytes, limit_bytes: int) -> bytes:
    """Decompress no more than `limit_bytes`: a small block must not become a large memory."""
    try:
        return zlib.decompressobj().decompress(data, limit_bytes)
    except zlib.error as error:
        raise MediaFormatError(f"compressed block: {error}") from error


def _exactly(data: bytes, length: int) -> bytes:
    if len(data) < length:
        raise MediaFormatError(f"decoded to {len(data)} bytes where {length} were expected")
    return data[:length]
