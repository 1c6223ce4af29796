"""$FILE_NAME: one name of a file in one directory. Its sizes and times are stale copies."""

import struct
from dataclasses import dataclass
from enum import IntEnum

from musefs.pipeline.ntfs.integers import Bytes, u32
from musefs.pipeline.ntfs.reference_number import FileReference
from musefs.pipeline.ntfs.wtf8 import to_code_points

NAME_AT = 0x42
_REFERENCE_AND_TIMES = struct.Struct("<5Q")
FORBIDDEN = ("\0", "/")
"""The only units that no file system driver lets into a name; in a record they are damage."""


class NameSpace(IntEnum):
    """Who may see the name; the numbers stand on disk."""

    POSIX = 0
    WIN32 = 1
    DOS = 2
    WIN32_DOS = 3


@dataclass(frozen=True, slots=True)
class FileName:
    """One $FILE_NAME; `utf16` is the name as on disk, times are raw FILETIMEs."""

    parent: FileReference
    created: int
    modified: int
    changed: int
    accessed: int
    reparse_tag: int
    name_space: NameSpace
    utf16: bytes


def parse_file_name(value: Bytes) -> FileName | None:
    """Decode the value; None if it is cut, empty, of no known namespace or impossible."""
    if len(value) < NAME_AT + 2:
        return None
    units, name_space = value[0x40], value[0x41]
    utf16 = bytes(value[NAME_AT : NAME_AT + 2 * units])
    if not units or len(utf16) < 2 * units or name_space > NameSpace.WIN32_DOS:
        return None
    text = to_code_points(utf16)
    if FORBIDDEN[0] in text or FORBIDDEN[1] in text:
        return None
    parent, created, modified, changed, accessed = _REFERENCE_AND_TIMES.unpack_from(value)
    return FileName(
        parent=FileReference.from_raw(parent),
        created=created,
        modified=modified,
        changed=changed,
        accessed=accessed,
        reparse_tag=u32(value, 0x3C),
        name_space=NameSpace(name_space),
        utf16=utf16,
    )
