"""The flags of musefs-scan and musefs-io-probe."""

from musefs.index.command.flag import Command, Many, Maybe, Switch, Value
from musefs.index.command.kind import DIRECTORY, FILE, SIZE, TEXT, Completion, Kind, choice, integer
from musefs.pipeline.plan import Fingerprint, ProbeMode

_VOLUME: Kind[str] = Kind(
    "SOURCE",
    "a drive such as C:, a device, an image, a saved $MFT or a directory",
    str,
    completion=Completion.FILE,
)

SOURCE = Maybe(
    "source",
    _VOLUME,
    "Volume to scan",
    "A drive (C:), a block device (/dev/sdb1), an image of a volume or of a whole disk, a saved "
    "$MFT, or a directory on any file system.",
    positional=True,
    environment=False,
)
PARTITION = Maybe(
    "partition",
    integer(1, 128),
    "NTFS partition to use in a whole-disk image, counted from 1",
    "Not needed when there is only one. The message that asks for it lists them.",
    group="Source",
)
ROOT = Maybe(
    "root",
    DIRECTORY,
    "Where the volume is mounted now",
    "Audio is then read through that mount. Without it the audio of a raw volume or image is read "
    "from the volume itself, through the data runs of each file. It is recorded in the index, and "
    "musefs-mount uses it unless told otherwise.",
    group="Source",
)
FOLLOW_SYMLINKS = Switch(
    "follow-symlinks",
    help="Enter links to directories when SOURCE is a directory",
    long_help="Loops are noticed. On NTFS volumes links are recorded and never followed.",
    group="Source",
)
EXCLUDE = Many(
    "exclude",
    TEXT,
    "Do not read audio below paths that match this glob",
    "Matched against the path inside the volume, with / between folders and ** for any number of "
    "them. The files stay in the index as files; they only do not become tracks.",
    group="Source",
)
OUT = Value(
    "out",
    FILE,
    "Index to write",
    "Written beside it and moved over it when complete: at any moment the path holds a whole old "
    "or a whole new index. Edits in an existing index are kept and merged.",
    group="Result",
    short="o",
    default="index.duckdb",
)
CHECK = Maybe(
    "check",
    FILE,
    "Check this index and say what is wrong; scan nothing",
    "Verifies schema, references and counts, and says what to do. Takes no SOURCE.",
    group="Result",
    environment=False,
)
FORCE = Switch(
    "force",
    help="Read the tags of unchanged files again",
    long_help="Edits are kept: only what the files themselves said is read anew.",
    group="Result",
    environment=False,
)
PRUNE = Switch(
    "prune",
    help="Forget tracks whose file is gone",
    long_help="Without it they are kept as missing, with their edits, until they come back.",
    group="Result",
    environment=False,
)
OTHER_VOLUME = Switch(
    "other-volume",
    help="Go on with an index that is of another volume",
    long_help="Otherwise that is refused, and so is a drive that was formatted since: the index "
    "and its edits belong to another volume's files. With it tracks are recognised by their path "
    "and their audio, those that are not found are kept as missing, and the index is of this "
    "volume from now on. For a copy of the library on a new drive, or a folder that moved.",
    group="Result",
    environment=False,
)
DELETED = Switch(
    "deleted",
    help="Also record deleted files whose records are still there",
    long_help="They get in_use = false. Their paths are only as good as the folders that are left.",
    group="What is read",
)
TAGS = Switch(
    "tags",
    help="Open audio files and read their tags",
    long_help="--no-tags records the volume only, in seconds; a later scan adds the tags.",
    group="What is read",
    default="true",
)
FINGERPRINT = Value(
    "fingerprint",
    choice(Fingerprint, "HOW"),
    "How the audio of a track is recognised again",
    "cheap hashes its length and a few samples and costs nothing extra. full hashes all of it, "
    "which reads every file once.",
    group="What is read",
    default="cheap",
)
WORKERS = Value(
    "workers",
    integer(0, 256),
    "Threads that parse; 0 is one for each CPU",
    "The result is the same for any number.",
    group="Work",
    short="j",
    default="0",
)

SCAN = Command(
    name="musefs-scan",
    summary="Scan a volume into an index that can be queried, edited and mounted",
    description=(
        "Reads the file system's own records in one sweep, then the tags of every audio file in "
        "the order they lie on the disk, and publishes one DuckDB file. Nothing on the volume is "
        "written.\n\n"
        "Run it again at any time: unchanged files are not opened, moved files keep their "
        "edits, and what you edited in the index stays as you set it. When some files could not "
        "be read the scan still finishes, lists them in the table problems, and exits with 10."
    ),
    flags=(
        SOURCE, PARTITION, ROOT, FOLLOW_SYMLINKS, EXCLUDE, OUT, CHECK, FORCE, PRUNE, OTHER_VOLUME,
        DELETED, TAGS, FINGERPRINT, WORKERS,
    ),
    examples=(
        ("musefs-scan C: --out index.duckdb", "the Windows drive C:, as administrator"),
        ("musefs-scan /dev/sdb1 -o music.duckdb", "an NTFS partition, as root, not mounted"),
        ("musefs-scan disk.img --partition 2", "the second NTFS partition of a disk image"),
        ("musefs-scan ~/Music -o music.duckdb", "any directory, without special rights"),
        ("musefs-scan --check music.duckdb", "is this index sound?"),
    ),
    section="scan",
)  # fmt: skip

PROBE_SOURCE = Value(
    "source",
    _VOLUME,
    "Volume, image or saved $MFT to read",
    positional=True,
    environment=False,
)
MODE = Value(
    "mode",
    choice(ProbeMode, "MODE"),
    "How to read",
    "all tries each mode that this system offers. buffered is what a scan does; sequential "
    "announces the order to the system; unbuffered goes past the page cache; parallel does so "
    "with several requests at a time.",
    group="Measurement",
    default="all",
    environment=False,
)
RUNS = Value(
    "runs",
    integer(1, 100),
    "Runs of each mode; the best counts",
    group="Measurement",
    default="3",
    environment=False,
)
CHUNK_SIZE = Value(
    "chunk-size",
    SIZE,
    "Bytes read at a time",
    "A scan reads 16 MiB at a time; other sizes answer what-if questions.",
    group="Measurement",
    default="16MiB",
    environment=False,
)
QUEUE_DEPTH = Value(
    "queue-depth",
    integer(1, 64),
    "Requests in flight in parallel mode",
    group="Measurement",
    default="4",
    environment=False,
)

IO_PROBE = Command(
    name="musefs-io-probe",
    summary="Measure how fast a volume's file records can be read",
    description=(
        "Reads exactly what a scan would read, in the same chunks, and parses nothing. Compare "
        "with the phases of a scan to see whether the disk or the processor sets the pace."
    ),
    flags=(PROBE_SOURCE, PARTITION, MODE, RUNS, CHUNK_SIZE, QUEUE_DEPTH),
    examples=(("musefs-io-probe disk.img --format json", "every mode, best of three, as JSON"),),
    section="io-probe",
)

COMMANDS = (SCAN, IO_PROBE)
