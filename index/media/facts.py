"""What the container of one audio file says: the result of every walker, the input of synthesis.

Everything is a reference into the original wherever its bytes lie there as they are needed, so a
scan reads no pictures and an index stays small (decision record: art by reference).
"""

from enum import StrEnum
from typing import NamedTuple


class AudioFormat(StrEnum):
    """The container of a track."""

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


class Encoding(StrEnum):
    """How stored spans of an original become the bytes they stand for."""

    RAW = "raw"
    BASE64 = "base64"
    UNSYNC = "unsync"
    ZLIB = "zlib"
    UNSYNC_ZLIB = "unsync_zlib"


class Span(NamedTuple):
    """A byte range of the original. A tuple: scans make millions of them."""

    offset: int
    length: int


class BlockKind(StrEnum):
    """What a carried-over block is; which kinds a format uses is said in its walker."""

    FLAC_BLOCK = "flac_block"
    """Body of a FLAC metadata block; key = block type number (all but 1, 4 and 6)."""
    ID3_FRAME = "id3_frame"
    """Content of an ID3 frame in v2.4 form; key = frame id, with its flags if encrypted."""
    MP4_ATOM = "mp4_atom"
    """Atoms copied as they are; key = ftyp, moov, udta, meta, top or mdat, see mp4."""
    MP4_CHUNK_OFFSETS = "mp4_chunk_offsets"
    """The entries of a stco or co64 table, shifted when served; key = stco or co64."""
    MP4_TAG = "mp4_tag"
    """Content of an ilst atom that is not text; key = atom name or ----:mean:name."""
    OGG_PACKET = "ogg_packet"
    """Of an Ogg header; key = id, setup, suffix (behind an Opus comment), a FLAC block type
    number (the body alone), or stream (serial and number of the first audio page, 4 bytes each)."""
    RIFF_CHUNK = "riff_chunk"
    """Payload of a chunk copied as it is; key = four-character id, or after:ID behind the audio."""


class Block(NamedTuple):
    """Something that a served file carries over; `spans` or, where none has it, `body`."""

    kind: BlockKind
    key: str
    length: int
    spans: tuple[Span, ...] = ()
    encoding: Encoding = Encoding.RAW
    body: bytes | None = None


class Picture(NamedTuple):
    """An embedded picture, by reference."""

    length: int
    spans: tuple[Span, ...]
    picture_type: int = 3
    mime: str = "image/jpeg"
    description: str = ""
    width: int = 0
    height: int = 0
    depth: int = 0
    colors: int = 0
    encoding: Encoding = Encoding.RAW
    skip: int = 0
    """Decoded bytes before the picture begins (the head of a FLAC picture inside base64)."""


class Anatomy(NamedTuple):
    """Where the parts of one original lie; a *layout* is what the mount makes of it."""

    format: AudioFormat
    audio: Span
    blocks: tuple[Block, ...] = ()
    pictures: tuple[Picture, ...] = ()


class Technical(NamedTuple):
    """What the audio is; None where the container does not say."""

    codec: str | None = None
    duration_seconds: float | None = None
    bitrate: int | None = None
    sample_rate: int | None = None
    bits_per_sample: int | None = None
    channels: int | None = None


class MediaFacts(NamedTuple):
    """All that the scan learns of one audio file."""

    anatomy: Anatomy
    technical: Technical
    tags: tuple[tuple[str, str], ...] = ()
    """(key, value) in order; keys as in musefs.index.edit.vocabulary."""
    synthesised: bool = True
    reason: str | None = None
    """Why the file is served as it is."""
    notes: tuple[tuple[str, str], ...] = ()
    """(counter, words) of what was repaired or dropped while reading."""
