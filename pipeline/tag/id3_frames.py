"""The frames of an ID3v2 tag: where each lies and what its content is once flags are undone.

Grammar only: versions 2.2, 2.3 and 2.4, extended headers, unsynchronisation, compression, iTunes'
plain sizes in 2.4. Frames are stepped over by their size, so that pictures are never read (but
where a whole tag is unsynchronised, which leaves no other way).
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final

from musefs.index.errors import MediaFormatError
from musefs.pipeline.tag.limits import (
    MAX_INFLATED_BYTES,
    MAX_ITEMS_WALKED,
    MAX_UNSYNC_TAG_BYTES,
)
from musefs.pipeline.tag.window import Window, window_of

_HEAD: Final = Struct(">4sIH")
_UNSYNC_TAG: Final = 0x80
_EXTENDED: Final = 0x40
_FOOTER: Final = 0x10


@dataclass(frozen=True, slots=True)
class Id3Tag:
    """One ID3v2 tag: version, flags and the range of its frames."""

    offset: int
    version: int
    flags: int
    frames_offset: int
    frames_end: int
    end: int

    @property
    def unsynchronised(self) -> bool:
        """Whether the header says so for the whole tag."""
        return bool(self.flags & _UNSYNC_TAG)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its four-character id and where its stored content lies in `window`."""

    id: str
    window: Window
    offset: int
    length: int
    compressed: bool
    encrypted: bool
    unsynchronised: bool
    prefix: int
    """Bytes before the content: group byte and decoded length."""

    def content(self) -> bytes | None:
        """Return the content with all flags undone; None if it is encrypted or forged."""
        if self.encrypted:
            return None
        data = self.window.read_at(self.offset, self.length)
        if not (self.compressed or self.unsynchronised or self.prefix):
            return data
        data = data[self.prefix :]
        if self.unsynchronised:
            data = data.replace(b"\xff\x00", b"\xff")
        return _inflated(data) if self.compressed else data


def _inflated(data: bytes) -> bytes | None:
    engine = zlib.decompressobj()
    try:
        plain = engine.decompress(data, MAX_INFLATED_BYTES)
    except zlib.error:
        return None
    return None if engine.unconsumed_tail else plain


def synchsafe(data: bytes) -> int:
    """Return the number in four bytes of seven bits."""
    return (data[0] & 127) << 21 | (data[1] & 127) << 14 | (data[2] & 127) << 7 | data[3] & 127


def find_tag(window: Window, offset: int = 0) -> Id3Tag | None:
    """Return the tag that begins at `offset`, if one does and its version is known."""
    head = window.read_at(offset, 10)
    if len(head) < 10 or not head.startswith(b"ID3"):
        return None
    version, flags = head[3], head[5]
    if version not in (2, 3, 4) or max(head[6:10]) > 127:
        return None
    frames = offset + 10
    frames_end = frames + synchsafe(head[6:10])
    end = frames_end + (10 if version == 4 and flags & _FOOTER else 0)
    if flags & _EXTENDED and version >= 3:
        frames += _extended_bytes(window.read_at(frames, 4), version)
    return Id3Tag(offset, version, flags, frames, min(frames_end, window.size), end)


def _extended_bytes(data: bytes, version: int) -> int:
    if len(data) < 4:
        raise MediaFormatError("the ID3 tag ends in its extended header")
    if data.isalnum() and data.isupper():
        return 0  # taggers that set the flag and write no extended header: a frame id stands here
    if version == 4:
        return max(synchsafe(data), 4)
    return 4 + int.from_bytes(data)


def frames_of(window: Window, tag: Id3Tag) -> Iterator[Frame]:
    """Yield the frames in order. Raises MediaFormatError for a tag too large to be undone."""
    if tag.version < 4 and tag.unsynchronised:
        window, tag = _resynchronised(window, tag)
    if tag.version == 2:
        yield from _frames_22(window, tag)
    else:
        yield from _frames_23(window, tag)


def _resynchronised(window: Window, tag: Id3Tag) -> tuple[Window, Id3Tag]:
    length = tag.frames_end - tag.frames_offset
    if length > MAX_UNSYNC_TAG_BYTES:
        raise MediaFormatError(f"an unsynchronised ID3 tag of {length} bytes")
    data = window.read_at(tag.frames_offset, length).replace(b"\xff\x00", b"\xff")
    return window_of(data), Id3Tag(0, tag.version, 0, 0, len(data), len(data))


def _frames_22(window: Window, tag: Id3Tag) -> Iterator[Frame]:
    offset = tag.frames_offset
    for _ in range(MAX_ITEMS_WALKED):
        head = window.read_at(offset, 6)
        if offset + 6 > tag.frames_end or len(head) < 6 or head[0] == 0:
            return
        size = int.from_bytes(head[3:6])
        offset += 6
        length = min(size, tag.frames_end - offset)
        name = ID3_22.get(head[:3])
        if name and length:
            yield Frame(name, window, offset, length, False, False, False, 0)
        offset += size


def _frames_23(window: Window, tag: Id3Tag) -> Iterator[Frame]:
    offset, end, read_at = tag.frames_offset, tag.frames_end, window.read_at
    plain_sizes = True if tag.version == 3 else None
    for _ in range(MAX_ITEMS_WALKED):
        head = read_at(offset, 10)
        if offset + 10 > end or len(head) < 10 or not head[0]:
            return
        name, size, flags = _HEAD.unpack(head)
        if size > 127 and not plain_sizes:
            if plain_sizes is None:
                plain_sizes = _has_plain_sizes(window, tag)
            size = size if plain_sizes else synchsafe(head[4:8])
        offset += 10
        length = min(size, end - offset)
        if length and name.isascii():
            old = name[3] == 0  # frames of 2.3 with names of 2.2
            named = ID3_22.get(name[:3], "") if old else name.decode("ascii")
            if flags or tag.flags:
                yield _flagged(named, window, offset, length, tag, flags)
            else:
                yield Frame(named, window, offset, length, False, False, False, 0)
        offset += size


def _flagged(name: str, window: Window, offset: int, length: int, tag: Id3Tag, flags: int) -> Frame:
    if tag.version == 3:
        compressed, encrypted = bool(flags & 0x80), bool(flags & 0x40)
        prefix = (4 if compressed else 0) + (1 if flags & 0x20 else 0)
        return Frame(name, window, offset, length, compressed, encrypted, False, prefix)
    compressed, encrypted = bool(flags & 0x08), bool(flags & 0x04)
    prefix = (4 if flags & 0x09 else 0) + (1 if flags & 0x40 else 0)
    unsynchronised = tag.unsynchronised or bool(flags & 0x02)
    return Frame(name, window, offset, length, compressed, encrypted, unsynchronised, prefix)


def _has_plain_sizes(window: Window, tag: Id3Tag) -> bool:
    """Decide whether a 2.4 tag has plain sizes, as old iTunes wrote, the way mutagen does.

    Both readings are followed; the one that meets more known frames is right, and on a tie the
    one that ends where the tag ends.
    """
    safe, safe_past = _follow(window, tag, plain=False)
    plain, plain_past = _follow(window, tag, plain=True)
    return plain > safe or (plain == safe and safe_past >= 1 and plain_past <= 1)


def _follow(window: Window, tag: Id3Tag, *, plain: bool) -> tuple[int, int]:
    offset, end, known = tag.frames_offset, tag.frames_end, 0
    for _ in range(MAX_ITEMS_WALKED):
        if offset >= end - 10:
            break
        head = window.read_at(offset, 10)
        if head == bytes(10):
            return known, -((end - offset) % 10)
        offset += 10 + (int.from_bytes(head[4:8]) if plain else synchsafe(head[4:8]))
        if head[:4].isalnum() and head[:4].isupper():
            known += 1
    return known, offset - end


ID3_22: Final = {
    b"BUF": "RBUF", b"CNT": "PCNT", b"COM": "COMM", b"CRA": "AENC", b"ETC": "ETCO",
    b"GEO": "GEOB", b"IPL": "IPLS", b"LNK": "LINK", b"MCI": "MCDI", b"MLL": "MLLT",
    b"PIC": "APIC", b"POP": "POPM", b"REV": "RVRB", b"RVA": "RVAD", b"SLT": "SYLT",
    b"STC": "SYTC", b"TAL": "TALB", b"TBP": "TBPM", b"TCM": "TCOM", b"TCO": "TCON",
    b"TCP": "TCMP", b"TCR": "TCOP", b"TDA": "TDAT", b"TDY": "TDLY", b"TEN": "TENC",
    b"TFT": "TFLT", b"TIM": "TIME", b"TKE": "TKEY", b"TLA": "TLAN", b"TLE": "TLEN",
    b"TMT": "TMED", b"TOA": "TOPE", b"TOF": "TOFN", b"TOL": "TOLY", b"TOR": "TORY",
    b"TOT": "TOAL", b"TP1": "TPE1", b"TP2": "TPE2", b"TP3": "TPE3", b"TP4": "TPE4",
    b"TPA": "TPOS", b"TPB": "TPUB", b"TRC": "TSRC", b"TRD": "TRDA", b"TRK": "TRCK",
    b"TS2": "TSO2", b"TSA": "TSOA", b"TSC": "TSOC", b"TSI": "TSIZ", b"TSP": "TSOP",
    b"TSS": "TSSE", b"TST": "TSOT", b"TT1": "TIT1", b"TT2": "TIT2", b"TT3": "TIT3",
    b"TXT": "TEXT", b"TXX": "TXXX", b"TYE": "TYER", b"UFI": "UFID", b"ULT": "USLT",
    b"WAF": "WOAF", b"WAR": "WOAR", b"WAS": "WOAS", b"WCM": "WCOM", b"WCP": "WCOP",
    b"WPB": "WPUB", b"WXX": "WXXX", b"GP1": "GRP1", b"MVN": "MVNM", b"MVI": "MVIN",
}  # fmt: skip
"""Frame ids of ID3v2.2 and what they became."""
