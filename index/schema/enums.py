"""The enumerations of the schema; each is a real ENUM type in the index.

The order of members is part of the schema: it is the ENUM's order and so the order of sorting.
"""

from enum import Enum, StrEnum
from functools import cache

from musefs.index.backing.content import ContentKind
from musefs.index.media.facts import AudioFormat, Encoding

__all__ = [
    "AudioFormat",
    "ChangeKind",
    "ContentKind",
    "Encoding",
    "Namespace",
    "PathState",
    "RecordState",
    "TrackState",
    "VolumeKind",
    "code_of",
]


@cache
def code_of(member: Enum) -> int:
    """Return the position of a member, as which it travels where it is kept in bits."""
    return list(type(member)).index(member)


class VolumeKind(StrEnum):
    """What kind of source was scanned."""

    NTFS = "ntfs"
    MFT = "mft"
    DIRECTORY = "directory"


class RecordState(StrEnum):
    """How far a FILE record could be trusted."""

    OK = "ok"
    TORN = "torn"
    DAMAGED = "damaged"
    INCOMPLETE = "incomplete"


class Namespace(StrEnum):
    """The namespace of a $FILE_NAME; other file systems use POSIX."""

    POSIX = "posix"
    WIN32 = "win32"
    DOS = "dos"
    WIN32_DOS = "win32_dos"


class PathState(StrEnum):
    """What the parent chain of a name says about its path."""

    OK = "ok"
    DELETED_PARENT = "deleted_parent"
    ORPHAN = "orphan"
    BROKEN = "broken"


class TrackState(StrEnum):
    """Whether the last scan saw the track's file."""

    PRESENT = "present"
    MISSING = "missing"
    FAILED = "failed"


class ChangeKind(StrEnum):
    """What a line of the change log is about."""

    TAGS = "tags"
    ART = "art"
    TRACK = "track"
    ADDED = "added"
    REMOVED = "removed"
