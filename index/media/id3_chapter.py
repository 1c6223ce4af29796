"""Chapter frames of ID3 (CHAP, CTOC) in the form that a served v2.4 tag needs.

They hold frames inside, whose sizes v2.3 writes plainly, and byte offsets into the file, which no
longer hold once its tag has another size; readers use the times when the offsets are all ones.
"""

_NO_OFFSETS = b"\xff" * 8
_TIMES_BYTES = 8
_EMBEDDED_LIMIT = 256
"""Frames inside one chapter; players know a title, a description, a link and a picture."""


def chapter_in_24(frame_id: str, content: bytes, version: int) -> bytes | None:
    """Return the content in v2.4 form; None if it is malformed."""
    length = _chapter_head(content) if frame_id == "CHAP" else _toc_head(content)
    if length is None:
        return None
    head = content[:length]
    if frame_id == "CHAP":
        head = head[: -len(_NO_OFFSETS)] + _NO_OFFSETS
    inside = content[length:] if version == 4 else _embedded(content[length:])
    return None if inside is None else head + inside


def _chapter_head(content: bytes) -> int | None:
    name_end = content.find(b"\0")
    length = name_end + 1 + _TIMES_BYTES + len(_NO_OFFSETS)
    return length if name_end >= 0 and length <= len(content) else None


def _toc_head(content: bytes) -> int | None:
    name_end = content.find(b"\0")
    if name_end < 0 or name_end + 3 > len(content):
        return None
    offset = name_end + 3
    for _ in range(content[name_end + 2]):
        offset = content.find(b"\0", offset) + 1
        if offset == 0:
            return None
    return offset


def _embedded(data: bytes) -> bytes | None:
    """Return frames of v2.3 with the sizes and flags of v2.4; flagged ones are not understood."""
    made: list[bytes] = []
    offset = 0
    for _ in range(_EMBEDDED_LIMIT):
        header = data[offset : offset + 10]
        if len(header) < 10 or header[0] == 0:
            return b"".join(made)
        size = int.from_bytes(header[4:8], "big")
        if header[9] or offset + 10 + size > len(data):
            return None
        safe = bytes((size >> shift) & 127 for shift in (21, 14, 7, 0))
        made.append(header[:4] + safe + b"\0\0" + data[offset + 10 : offset + 10 + size])
        offset += 10 + size
    return None
