"""Tables about music: tracks, tags in two layers, art, carried-over blocks, edits and problems.

A `scanned_*` table is what the file said at the last scan; its twin without the prefix is what the
mount serves and what users edit. A rescan merges the two, per track and key.
"""

from musefs.index.schema.column import Column, Kind, Table
from musefs.index.schema.enums import AudioFormat, ChangeKind, Encoding, TrackState

TRACKS = Table(
    "tracks",
    "One row an audio file. track_id is never given to another file.",
    (
        Column("track_id", Kind.BIGINT, "stable number of the track; survives rescans and moves"),
        Column(
            "entry_id", Kind.BIGINT, "its entry in this generation; NULL if missing", nullable=True
        ),
        Column("record_number", Kind.BIGINT, "record number or inode of the file"),
        Column("sequence", Kind.INTEGER, "reuse count of the record"),
        Column("path", Kind.TEXT, "full path on the volume, display text"),
        Column(
            "path_bytes",
            Kind.BLOB,
            "exact path as WTF-8, only where it differs from path",
            nullable=True,
        ),
        Column("format", Kind.TEXT, "container, by content", enum=AudioFormat),
        Column("codec", Kind.TEXT, "codec, such as flac, aac, alac, mp3", nullable=True),
        Column("duration_seconds", Kind.DOUBLE, "playing time", nullable=True),
        Column("bitrate", Kind.INTEGER, "average bits per second", nullable=True),
        Column("sample_rate", Kind.INTEGER, "samples per second", nullable=True),
        Column("bits_per_sample", Kind.INTEGER, "for lossless codecs", nullable=True),
        Column("channels", Kind.INTEGER, "number of channels", nullable=True),
        Column("size", Kind.BIGINT, "stamp: size of the original in bytes"),
        Column("mtime_ns", Kind.BIGINT, "stamp: modification time, ns since 1970"),
        Column("ctime_ns", Kind.BIGINT, "stamp: change time, ns since 1970; 0 if not known"),
        Column("lsn", Kind.BIGINT, "stamp on a raw volume: journal position of the record"),
        Column("audio_offset", Kind.BIGINT, "where the audio begins in the original"),
        Column("audio_length", Kind.BIGINT, "length of the audio in the original"),
        Column("synthesised", Kind.BOOLEAN, "served with a fresh header; false: as it is"),
        Column("reason", Kind.TEXT, "why it is served as it is, or why it failed", nullable=True),
        Column(
            "fingerprint", Kind.TEXT, "hash of samples of the audio, not of the tags", nullable=True
        ),
        Column(
            "audio_hash", Kind.TEXT, "hash of the whole audio (--fingerprint full)", nullable=True
        ),
        Column("state", Kind.TEXT, "present, missing or failed", enum=TrackState),
        Column("missing_since", Kind.BIGINT, "generation that first missed it", nullable=True),
        Column(
            "published_version",
            Kind.BIGINT,
            "its content_version at publication; track_versions has the present one",
            default="1",
        ),
        Column(
            "published_change_at",
            Kind.TIMESTAMP,
            "its last change at publication, UTC; track_versions has the present one",
            default="get_current_timestamp()::TIMESTAMP",
        ),
    ),
    key=("track_id",),
)

_TAG_COLUMNS = (
    Column("track_id", Kind.BIGINT, "the track"),
    Column("key", Kind.TEXT, "lower-case name of the tag, see docs/tags.md"),
    Column("ordinal", Kind.INTEGER, "position among values of the same key, from 0", default="0"),
    Column("value", Kind.TEXT, "the value"),
)

SCANNED_TAGS = Table(
    "scanned_tags",
    "What the file said at the last scan. Do not edit; edit tags.",
    _TAG_COLUMNS,
    key=("track_id", "key", "ordinal"),
)

TAGS = Table(
    "tags",
    "What the mount serves. Edit this table; rescans keep what you changed.",
    _TAG_COLUMNS,
    key=("track_id", "key", "ordinal"),
)

BLOCKS = Table(
    "blocks",
    "What synthesis carries over besides tags and pictures, mostly as ranges of the original.",
    (
        Column("track_id", Kind.BIGINT, "the track"),
        Column("ordinal", Kind.INTEGER, "order within the track"),
        Column("kind", Kind.TEXT, "what it is, see musefs.index.media.facts"),
        Column("key", Kind.TEXT, "frame id, atom path, chunk id or owner"),
        Column("length", Kind.BIGINT, "decoded length in bytes"),
        Column("encoding", Kind.TEXT, "how the spans become the bytes", enum=Encoding),
        Column("spans", Kind.SPANS, "byte ranges of the original", nullable=True),
        Column("body", Kind.BLOB, "the bytes themselves where no range has them", nullable=True),
    ),
    key=("track_id", "ordinal"),
)

_ART_COLUMNS = (
    Column("track_id", Kind.BIGINT, "the track"),
    Column("ordinal", Kind.INTEGER, "order within the track"),
    Column("picture_type", Kind.INTEGER, "0 to 20 as in ID3 and FLAC; 3 is the front cover"),
    Column("mime", Kind.TEXT, "such as image/jpeg"),
    Column("description", Kind.TEXT, "text that came with the picture"),
    Column("width", Kind.INTEGER, "pixels, 0 if not known"),
    Column("height", Kind.INTEGER, "pixels, 0 if not known"),
    Column("depth", Kind.INTEGER, "bits per pixel, 0 if not known"),
    Column("colors", Kind.INTEGER, "palette size, 0 if none"),
    Column("length", Kind.BIGINT, "length of the picture in bytes"),
    Column("encoding", Kind.TEXT, "how the spans become the picture", enum=Encoding),
    Column("skip", Kind.INTEGER, "decoded bytes before the picture begins"),
    Column("spans", Kind.SPANS, "byte ranges of the original", nullable=True),
    Column("art_hash", Kind.TEXT, "key into art_data for a picture that was added", nullable=True),
)

SCANNED_ART = Table(
    "scanned_art",
    "Pictures that the file held at the last scan, by reference.",
    _ART_COLUMNS,
    key=("track_id", "ordinal"),
)

ART = Table(
    "art",
    "Pictures that the mount serves: ranges of the original, or added ones in art_data.",
    _ART_COLUMNS,
    key=("track_id", "ordinal"),
)

ART_DATA = Table(
    "art_data",
    "Pictures that a user added, once each.",
    (
        Column("art_hash", Kind.TEXT, "SHA-256 of data, in hex"),
        Column("mime", Kind.TEXT, "such as image/jpeg"),
        Column("width", Kind.INTEGER, "pixels, 0 if not known"),
        Column("height", Kind.INTEGER, "pixels, 0 if not known"),
        Column("data", Kind.BLOB, "the picture"),
    ),
    key=("art_hash",),
)

PROBLEMS = Table(
    "problems",
    "Files that the last scan could not read fully, with the reason.",
    (
        Column("entry_id", Kind.BIGINT, "the entry", nullable=True),
        Column("track_id", Kind.BIGINT, "the track, if it became one", nullable=True),
        Column("path", Kind.TEXT, "full path"),
        Column("counter", Kind.TEXT, "the counter it was counted under"),
        Column("reason", Kind.TEXT, "what was wrong, in words"),
    ),
)

CHANGES = Table(
    "changes",
    "The change log: one row for each track that a statement touched. The mount replays it, and "
    "versions are counted from it: so it only grows.",
    (
        Column("sequence", Kind.BIGINT, "grows by one", default="nextval('change_sequence')"),
        Column("track_id", Kind.BIGINT, "the track"),
        Column("kind", Kind.TEXT, "what changed", enum=ChangeKind),
        Column(
            "changed_at", Kind.TIMESTAMP, "when, UTC", default="get_current_timestamp()::TIMESTAMP"
        ),
    ),
    key=("sequence",),
)

EDITS = Table(
    "edits",
    "Values before and after each change of tags, for undo; key '=pictures' holds art as JSON.",
    (
        Column("change_set", Kind.BIGINT, "changes of one command or one SQL statement"),
        Column("track_id", Kind.BIGINT, "the track"),
        Column("key", Kind.TEXT, "the tag"),
        Column("ordinal", Kind.INTEGER, "position among the values"),
        Column("before", Kind.TEXT, "value before; NULL if there was none", nullable=True),
        Column("after", Kind.TEXT, "value after; NULL if it was removed", nullable=True),
        Column(
            "edited_at", Kind.TIMESTAMP, "when, UTC", default="get_current_timestamp()::TIMESTAMP"
        ),
    ),
)

LIBRARY_TABLES = (
    TRACKS, SCANNED_TAGS, TAGS, BLOCKS, SCANNED_ART, ART, ART_DATA, PROBLEMS, CHANGES, EDITS,
)  # fmt: skip
