"""Reparse points: tags, and the target of symbolic links and junctions. They are never followed."""

from dataclasses import dataclass

from musefs.pipeline.ntfs.integers import Bytes, u16, u32

TAG_SYMLINK = 0xA000000C
TAG_MOUNT_POINT = 0xA0000003
TAG_LX_SYMLINK = 0xA000001D
TAG_WOF = 0x80000017
TAG_DEDUP = 0x80000013
CLOUD_TAG_MASK = 0xFFFF0FFF
TAG_CLOUD = 0x9000001A
"""Cloud files: the third digit from the left of the lower half varies, so it is masked."""

HEADER_BYTES = 8
_NT_PREFIX = "\\??\\".encode("utf-16-le")


@dataclass(frozen=True, slots=True)
class ReparsePoint:
    """A tag and, for links, the target as UTF-16LE or, for LX links, as plain bytes."""

    tag: int
    target_utf16: bytes | None = None
    target_bytes: bytes | None = None
    damaged: bool = False


def is_cloud(tag: int) -> bool:
    """Say whether `tag` marks a placeholder of a cloud file."""
    return tag & CLOUD_TAG_MASK == TAG_CLOUD


def parse_reparse(value: Bytes) -> ReparsePoint | None:
    """Decode the value; None if not even the tag is there."""
    if len(value) < HEADER_BYTES:
        return None
    tag = u32(value, 0)
    if tag in {TAG_SYMLINK, TAG_MOUNT_POINT}:
        target = _link_target(value, 0x14 if tag == TAG_SYMLINK else 0x10)
        return ReparsePoint(tag, target_utf16=target, damaged=target is None)
    if tag == TAG_LX_SYMLINK:
        target = bytes(value[12 : 8 + u16(value, 4)])
        return ReparsePoint(tag, target_bytes=target or None, damaged=not target)
    return ReparsePoint(tag)


def _link_target(value: Bytes, text_at: int) -> bytes | None:
    """Return the printed name, or where there is none the substitute without its NT prefix."""
    if len(value) < text_at:
        return None
    substitute_at, substitute_bytes, print_at, print_bytes = (
        u16(value, at) for at in (8, 10, 12, 14)
    )
    offset, length = (print_at, print_bytes) if print_bytes else (substitute_at, substitute_bytes)
    if length & 1 or text_at + offset + length > len(value):
        return None
    target = bytes(value[text_at + offset : text_at + offset + length])
    return target if print_bytes else target.removeprefix(_NT_PREFIX)
