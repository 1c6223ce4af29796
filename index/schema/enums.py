"""The enumerations of the schema; each is a real ENUM type in the index.

The order of members is part of the schema: it is the ENUM's order and so the order of sorting.
"""

from enum import StrEnum


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


class ContentKind(StrEnum):
    """Where the bytes of an entry's unnamed $DATA are, or why they cannot be had."""

    RESIDENT = "resident"
    RUNS = "runs"
    COMPRESSED = "compressed"
    ENCRYPTED = "encrypted"
    DEDUPLICATED = "deduplicated"
    CLOUD = "cloud"
    WOF = "wof"
    DAMAGED = "damaged"


class AudioFormat(StrEnum):
    """The container of a track; which of them are synthesised is said in musefs.index.media."""

    FLAC = "flac"
    MP3 = "mp3"
    MP4 = "mp4"
    OGG_VORBIS = "ogg_vorbis"
    OGG_OPUS = "ogg_opus"
    OGG_FLAC = "ogg_flac"
    OGG_SPEEX = "ogg_speex"
    WAV = "wav"
    AIFF = "aiff"
    APE = "ape"
    WAVPACK = "wavpack"
    MUSEPACK = "musepack"
    TTA = "tta"
    DSF = "dsf"
    DFF = "dff"
    ASF = "asf"
    AAC = "aac"
    AC3 = "ac3"
    MATROSKA = "matroska"
    UNKNOWN = "unknown"


class TrackState(StrEnum):
    """Whether the last scan saw the track's file."""

    PRESENT = "present"
    MISSING = "missing"
    FAILED = "failed"


class Encoding(StrEnum):
    """How stored spans of an original become the bytes they stand for."""

    RAW = "raw"
    BASE64 = "base64"
    UNSYNC = "unsync"
    ZLIB = "zlib"
    UNSYNC_ZLIB = "unsync_zlib"


class ChangeKind(StrEnum):
    """What a line of the change log is about."""

    TAGS = "tags"
    ART = "art"
    TRACK = "track"
    ADDED = "added"
    REMOVED = "removed"
