"""Tables about the volume: what was scanned, when, and every record, name and stream on it."""

from musefs.index.schema.column import Column, Kind, Table, filetime
from musefs.index.schema.enums import (
    ContentKind,
    Namespace,
    PathState,
    RecordState,
    VolumeKind,
)

META = Table(
    "meta",
    "One row about this file: what wrote it and which generation it is.",
    (
        Column("schema_version", Kind.INTEGER, "version of these tables"),
        Column("tool_version", Kind.TEXT, "musefs version that published this generation"),
        Column("generation", Kind.BIGINT, "counts publications to this path, from 1"),
        Column("index_id", Kind.TEXT, "random id given at the first scan; survives rescans"),
        Column("scan_id", Kind.TEXT, "the scan that published this generation"),
        Column("published_at", Kind.TIMESTAMP, "when this generation was published, UTC"),
        Column("entries", Kind.BIGINT, "rows in entries at publication"),
        Column("names", Kind.BIGINT, "rows in names at publication"),
        Column("streams", Kind.BIGINT, "rows in streams at publication"),
        Column("directories", Kind.BIGINT, "rows in directories at publication"),
        Column("tracks", Kind.BIGINT, "rows in tracks at publication"),
        Column("track_high_water", Kind.BIGINT, "highest track_id ever given; new ones are above"),
        Column("published_sequence", Kind.BIGINT, "last line of changes at publication"),
    ),
)

VOLUMES = Table(
    "volumes",
    "The volume of this index, as one row.",
    (
        Column("volume_id", Kind.INTEGER, "always 1: one index is one volume; ATTACH several"),
        Column("kind", Kind.TEXT, "ntfs volume, saved $MFT, or directory", enum=VolumeKind),
        Column("source", Kind.TEXT, "what was scanned, as an absolute path or a drive"),
        Column("partition_offset", Kind.BIGINT, "first byte of the volume inside the source"),
        Column(
            "root_path",
            Kind.TEXT,
            "where its files can be opened on the scanning machine",
            nullable=True,
        ),
        Column("serial", Kind.TEXT, "volume serial number, 16 hex digits", nullable=True),
        Column("label", Kind.TEXT, "volume label", nullable=True),
        *filetime("formatted", "when the volume was formatted", nullable=True),
        Column("ntfs_version", Kind.TEXT, "such as 3.1", nullable=True),
        Column("bytes_per_sector", Kind.INTEGER, "sector size in bytes", nullable=True),
        Column("bytes_per_cluster", Kind.INTEGER, "cluster size in bytes", nullable=True),
        Column("bytes_per_record", Kind.INTEGER, "FILE record size in bytes", nullable=True),
        Column("total_bytes", Kind.BIGINT, "size of the volume in bytes", nullable=True),
        Column("free_bytes", Kind.BIGINT, "unused bytes at scan time, if known", nullable=True),
        Column("mft_bytes", Kind.BIGINT, "size of the $MFT in bytes", nullable=True),
        Column(
            "mft_runs",
            Kind.SPANS,
            "where the $MFT lies, as byte ranges of the volume",
            nullable=True,
        ),
        Column(
            "upcase",
            Kind.BLOB,
            "the volume's $UpCase table, 128 KiB, if it differs from the usual one",
            nullable=True,
        ),
    ),
)

SCANS = Table(
    "scans",
    "One row a scan that was published to this path, newest last.",
    (
        Column("scan_id", Kind.TEXT, "random id of the scan"),
        Column("generation", Kind.BIGINT, "the generation that it published"),
        Column("tool_version", Kind.TEXT, "musefs version"),
        Column("host", Kind.TEXT, "name of the scanning machine"),
        Column("started_at", Kind.TIMESTAMP, "start, UTC"),
        Column("finished_at", Kind.TIMESTAMP, "end, just before publication, UTC"),
        Column("options", Kind.TEXT, "JSON of the options that were not at their default"),
        Column("records", Kind.BIGINT, "record slots that were read"),
        Column("bytes_read", Kind.BIGINT, "bytes of the $MFT that were read"),
        Column("peak_rss_bytes", Kind.BIGINT, "peak memory of the scan", nullable=True),
    ),
    key=("scan_id",),
)

SCAN_COUNTERS = Table(
    "scan_counters",
    "What each scan counted: fallbacks and damage by kind. Zero counters have no row.",
    (
        Column("scan_id", Kind.TEXT, "the scan"),
        Column("counter", Kind.TEXT, "name of the counter, see docs/counters.md"),
        Column("value", Kind.BIGINT, "how often"),
    ),
    key=("scan_id", "counter"),
)

SCAN_PHASES = Table(
    "scan_phases",
    "When each phase of a scan ran. Phases overlap: read, parse and write run side by side.",
    (
        Column("scan_id", Kind.TEXT, "the scan"),
        Column("phase", Kind.TEXT, "layout, compile, read, parse, resolve, tag, write or publish"),
        Column("started_seconds", Kind.DOUBLE, "first activity, seconds after the scan's start"),
        Column("ended_seconds", Kind.DOUBLE, "last activity, seconds after the scan's start"),
        Column("busy_seconds", Kind.DOUBLE, "time spent working, summed over threads"),
        Column("items", Kind.BIGINT, "records, names or files handled"),
        Column("bytes", Kind.BIGINT, "bytes handled"),
    ),
    key=("scan_id", "phase"),
)

SCAN_CHUNKS = Table(
    "scan_chunks",
    "How fast the table of file records was read and parsed along its length, one row a chunk of "
    "16 MiB. Directories are walked, not read in chunks: their scans have no rows.",
    (
        Column("scan_id", Kind.TEXT, "the scan"),
        Column("chunk", Kind.INTEGER, "position of the chunk in the $MFT, from 0"),
        Column("first_record", Kind.BIGINT, "record number at which the chunk begins"),
        Column("records", Kind.BIGINT, "record slots in the chunk"),
        Column("bytes", Kind.BIGINT, "bytes of the $MFT in the chunk"),
        Column("read_started_ns", Kind.BIGINT, "its reading began, ns after the scan's start"),
        Column("read_ended_ns", Kind.BIGINT, "its reading ended, ns after the scan's start"),
        Column("parse_started_ns", Kind.BIGINT, "its first part began to be parsed, likewise"),
        Column("parse_ended_ns", Kind.BIGINT, "its last part was parsed; parts run in parallel"),
    ),
    key=("scan_id", "chunk"),
)

ENTRIES = Table(
    "entries",
    "One row a file or directory (a base FILE record), in the order of the sequential scan.",
    (
        Column("entry_id", Kind.BIGINT, "position in the sequential scan, from 0"),
        Column("record_number", Kind.BIGINT, "position in the $MFT; the inode elsewhere"),
        Column("sequence", Kind.INTEGER, "reuse count of the record; 0 elsewhere", bits=16),
        Column("in_use", Kind.BOOLEAN, "false for a deleted entry (only with --deleted)", bits=1),
        Column("is_directory", Kind.BOOLEAN, "a folder", bits=1),
        Column(
            "size",
            Kind.BIGINT,
            "length of the content in bytes; NULL if it has none",
            nullable=True,
        ),
        Column("allocated", Kind.BIGINT, "bytes of disk that content and streams occupy"),
        Column(
            "valid_size",
            Kind.BIGINT,
            "bytes after this offset read as zeros",
            nullable=True,
            rare=True,
            usual="size",
        ),
        *filetime("created", "creation time ($STANDARD_INFORMATION)"),
        *filetime("modified", "last change of the content ($STANDARD_INFORMATION)"),
        *filetime("changed", "last change of the record ($STANDARD_INFORMATION)"),
        *filetime("accessed", "last access ($STANDARD_INFORMATION)"),
        Column(
            "attributes",
            Kind.UINTEGER,
            "attribute bits: 1 read-only, 2 hidden, 4 system, "
            "0x20 archive, 0x200 sparse, 0x400 reparse, 0x800 compressed, 0x4000 encrypted",
            bits=19,
        ),
        Column("reparse_tag", Kind.UINTEGER, "tag of the reparse point", nullable=True, rare=True),
        Column(
            "reparse_target",
            Kind.TEXT,
            "target of a symbolic link or junction",
            nullable=True,
            rare=True,
        ),
        Column(
            "security_id", Kind.UINTEGER, "key into $Secure; the owner elsewhere", nullable=True
        ),
        Column("lsn", Kind.BIGINT, "journal position of the record's last change"),
        Column(
            "link_count",
            Kind.INTEGER,
            "link count of the record header, DOS names included",
            bits=8,
        ),
        Column("name_count", Kind.INTEGER, "rows of this entry in names", bits=8),
        Column("stream_count", Kind.INTEGER, "rows of this entry in streams", bits=8),
        Column("state", Kind.TEXT, "how far the record could be trusted", enum=RecordState, bits=3),
    ),
    key=("entry_id",),
)

NAMES = Table(
    "names",
    "One row a hard link: a name of an entry in a directory. DOS names are in short_name.",
    (
        Column("entry_id", Kind.BIGINT, "the entry"),
        Column("ordinal", Kind.INTEGER, "0 for the primary name, then in record order", bits=31),
        Column(
            "name",
            Kind.TEXT,
            "display text; bytes that are no Unicode are escaped",
            # half the time of DuckDB's own choice, and 15 % more space
            compression="zstd",
        ),
        Column(
            "name_bytes",
            Kind.BLOB,
            "exact name as WTF-8, only where it differs from name",
            nullable=True,
            rare=True,
        ),
        Column(
            "short_name",
            Kind.TEXT,
            "8.3 name of the same file in the same directory",
            nullable=True,
        ),
        Column("namespace", Kind.TEXT, "namespace of the name", enum=Namespace, bits=2),
        Column("parent_record", Kind.BIGINT, "record number of the directory"),
        Column(
            "parent_sequence",
            Kind.INTEGER,
            "sequence of the directory when it was linked",
            bits=16,
        ),
        *filetime("fn_created", "creation time ($FILE_NAME)"),
        *filetime("fn_modified", "modification time ($FILE_NAME)"),
        *filetime("fn_changed", "record change time ($FILE_NAME)"),
        *filetime("fn_accessed", "access time ($FILE_NAME)"),
    ),
    key=("entry_id", "ordinal"),
)

STREAMS = Table(
    "streams",
    "Named data streams, one row each.",
    (
        Column("entry_id", Kind.BIGINT, "the entry"),
        Column("name", Kind.TEXT, "stream name, display text"),
        Column(
            "name_bytes",
            Kind.BLOB,
            "exact name as WTF-8, only where it differs from name",
            nullable=True,
        ),
        Column("size", Kind.BIGINT, "length in bytes"),
        Column("allocated", Kind.BIGINT, "bytes of disk"),
    ),
    key=("entry_id", "name"),
)

DIRECTORIES = Table(
    "directories",
    "Every directory with its full path, which begins and ends with a slash.",
    (
        Column("entry_id", Kind.BIGINT, "the directory's entry"),
        Column("record_number", Kind.BIGINT, "its record: what names.parent_record points to"),
        Column("sequence", Kind.INTEGER, "its sequence: names.parent_sequence if still the same"),
        Column(
            "parent_id",
            Kind.BIGINT,
            "entry_id of its parent; NULL for the root and orphans",
            nullable=True,
        ),
        Column("path", Kind.TEXT, "full path, '/' for the root, '/Music/' below it"),
        Column(
            "path_bytes",
            Kind.BLOB,
            "exact path as WTF-8, only where it differs from path",
            nullable=True,
        ),
        Column("depth", Kind.INTEGER, "0 for the root"),
        Column("hidden", Kind.BOOLEAN, "hidden or system itself, or inside such a directory"),
        Column("path_state", Kind.TEXT, "what the parent chain says", enum=PathState),
    ),
    key=("entry_id",),
)

CONTENTS = Table(
    "contents",
    "Where the bytes of a file are on the raw volume, for files that musefs may read.",
    (
        Column("entry_id", Kind.BIGINT, "the entry"),
        Column(
            "kind", Kind.TEXT, "resident, runs, compressed, or why not", enum=ContentKind, bits=4
        ),
        Column("size", Kind.BIGINT, "length of the content in bytes"),
        Column(
            "valid_size",
            Kind.BIGINT,
            "bytes after this offset read as zeros",
            rare=True,
            usual="size",
        ),
        Column("unit_clusters", Kind.INTEGER, "clusters in a compression unit, 0 if plain", bits=8),
        Column(
            "first_byte",
            Kind.BIGINT,
            "first byte on the volume: the order of a disk sweep",
            nullable=True,
        ),
        Column(
            "resident",
            Kind.BLOB,
            "the content itself if it lies in the record",
            nullable=True,
            rare=True,
        ),
        Column(
            "runs",
            Kind.SPANS,
            "byte ranges of the volume in order; offset -1 is a hole",
            nullable=True,
        ),
    ),
    key=("entry_id",),
)

VOLUME_TABLES = (
    META, VOLUMES, SCANS, SCAN_COUNTERS, SCAN_PHASES, SCAN_CHUNKS,
    ENTRIES, NAMES, STREAMS, DIRECTORIES, CONTENTS,
)  # fmt: skip

COUNTED_TABLES = ("entries", "names", "streams", "directories", "tracks")
"""The tables whose rows `meta` counts at publication."""
