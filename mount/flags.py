"""The flags of musefs-mount."""

from musefs.index.command.flag import Command, Many, Maybe, Switch, Value
from musefs.index.command.kind import (
    DIRECTORY,
    DURATION,
    FILE,
    PAIR,
    SIZE,
    TEXT,
    choice,
    integer,
)
from musefs.index.command.kind import (
    MODE as OCTAL,
)
from musefs.mount.owner import GROUP_KIND, USER_KIND
from musefs.mount.plan import Loop, Mode, Transport

INDEX = Value(
    "index",
    FILE,
    "Index that musefs-scan made",
    "It is read and let go of: it can be edited, scanned into or replaced while it is mounted.",
    positional=True,
)
MOUNTPOINT = Maybe(
    "mountpoint",
    DIRECTORY,
    "Existing directory to mount on",
    "Not needed with --dry-run.",
    positional=True,
)

_NAMES = "Names"
TEMPLATE = Value(
    "template",
    TEXT,
    "Path of a track, made from its tags",
    "See docs/templates.md. The extension of the original is added.",
    group=_NAMES,
    short="t",
    default="$albumartist/$album/$title",
)
VIEW = Many(
    "view",
    PAIR,
    "A folder at the root with its own template, as NAME=TEMPLATE",
    "With views the root holds only their folders, and --template is not used.",
    group=_NAMES,
)
FALLBACK = Many(
    "fallback",
    PAIR,
    "Text for a tag that a track has not, as FIELD=TEXT",
    "Counts as present: it stops the search through alternatives and keeps a section. The last one "
    "for a field wins.",
    group=_NAMES,
)
DEFAULT_FALLBACK = Value(
    "default-fallback",
    TEXT,
    "Text for any tag that is missing and has no --fallback",
    group=_NAMES,
    default="Unknown",
)
SKIP_ON_MISSING = Switch(
    "skip-on-missing",
    help="Leave out tracks that lack a tag outside a section",
    group=_NAMES,
)
WHERE = Maybe(
    "where",
    TEXT,
    "Serve only tracks that match this SQL condition",
    "A condition over the view tracks_v, such as \"codec = 'flac'\".",
    group=_NAMES,
    environment=False,
)
CASE_INSENSITIVE = Switch(
    "case-insensitive",
    help="Treat names that differ in case only as the same",
    group=_NAMES,
)
SAFE_NAMES = Switch(
    "safe-names",
    help="Make names acceptable to SMB and Windows clients",
    long_help='Replaces < > : " \\ | ? *, trailing dots and spaces, and reserved device names.',
    group=_NAMES,
)

_CONTENT = "Content"
MODE = Value(
    "mode",
    choice(Mode, "MODE"),
    "What a served file consists of",
    "synthesis puts a fresh header with the index's tags before the original's audio. "
    "structure-only serves the original's bytes under the new name, on recent kernels with no copy "
    "through this program.",
    group=_CONTENT,
    default="synthesis",
)
COVERS = Switch(
    "covers",
    help="Show cover.jpg or cover.png in album folders",
    group=_CONTENT,
    default="true",
)
SIDECARS = Switch(
    "sidecars",
    help="Show lyrics, booklets, cue sheets and logs beside their tracks",
    group=_CONTENT,
    default="true",
)
PLAYLISTS = Switch(
    "playlists",
    help="Show playlists of the volume, rewritten to served paths",
    group=_CONTENT,
    default="true",
)
EXPOSE_METRICS = Switch(
    "expose-metrics",
    help="Show .musefs-metrics/metrics in Prometheus text",
    group=_CONTENT,
)
ROOT = Maybe(
    "root",
    DIRECTORY,
    "Where the scanned volume is mounted here",
    "Needed when it is mounted elsewhere than at scan time.",
    group=_CONTENT,
)
VOLUME = Maybe(
    "volume",
    FILE,
    "Read originals from this NTFS device or image itself",
    "No NTFS driver is needed. Encrypted, deduplicated and cloud files are refused by name.",
    group=_CONTENT,
)

_RIGHTS = "Owner and rights"
OWNER = Maybe("owner", USER_KIND, "User that files belong to", group=_RIGHTS)
GROUP = Maybe("group", GROUP_KIND, "Group that files belong to", group=_RIGHTS)
FILE_MODE = Value(
    "file-mode",
    OCTAL,
    "Mode of files",
    "Write bits are shown and change nothing: the mount is read-only.",
    group=_RIGHTS,
    default="444",
)
DIR_MODE = Value("dir-mode", OCTAL, "Mode of directories", group=_RIGHTS, default="555")
ALLOW_OTHER = Switch(
    "allow-other",
    help="Let other users see the mount",
    long_help="Needs the line user_allow_other in /etc/fuse.conf unless root mounts. --owner and "
    "--group switch it on.",
    group=_RIGHTS,
)

_FRESHNESS = "Freshness"
POLL_INTERVAL = Value(
    "poll-interval",
    DURATION,
    "How often to look for changes of the index",
    "Looking costs two stat calls. 0 looks whenever a request could notice.",
    group=_FRESHNESS,
    default="1s",
)
ENTRY_TIMEOUT = Value(
    "entry-timeout",
    DURATION,
    "How long the kernel may keep a name",
    "Changed names are expired at once where the kernel allows it, so long times are safe.",
    group=_FRESHNESS,
    default="1h",
)
ATTR_TIMEOUT = Value(
    "attr-timeout",
    DURATION,
    "How long the kernel may keep sizes and times",
    group=_FRESHNESS,
    default="1h",
)
NEGATIVE_TIMEOUT = Value(
    "negative-timeout",
    DURATION,
    "How long the kernel may remember that a name does not exist",
    group=_FRESHNESS,
    default="1h",
)
KEEP_CACHE = Switch(
    "keep-cache",
    help="Let the kernel keep file contents between opens",
    long_help="Safe, because an inode's bytes never change: an edited file is a new inode.",
    group=_FRESHNESS,
    default="true",
)

_TUNING = "Tuning"
READ_AHEAD_BUDGET = Value(
    "read-ahead-budget",
    SIZE,
    "Memory for reading ahead, over all open files; 0 is off",
    group=_TUNING,
    default="64MiB",
)
PREFETCH = Switch(
    "prefetch", help="Read ahead in threads, for stores that answer slowly", group=_TUNING
)
MAX_READ_AHEAD = Value(
    "max-read-ahead", SIZE, "The kernel's own read-ahead window", group=_TUNING, default="512KiB"
)
MAX_BACKGROUND = Value(
    "max-background",
    integer(1, 65535),
    "Requests the kernel may have waiting in the background",
    group=_TUNING,
    default="64",
)
WORKERS = Value(
    "workers",
    integer(0, 1024),
    "Threads for reads that may wait; 0 chooses by the machine",
    group=_TUNING,
    short="j",
    default="0",
)
LOOP = Value(
    "loop",
    choice(Loop, "LOOP"),
    "Event loop that runs the handlers",
    "mini is ours and about twice as fast; trio is the stock one, for comparison.",
    group=_TUNING,
    default="mini",
)
TRANSPORT = Value(
    "transport",
    choice(Transport, "HOW"),
    "How requests come from the kernel",
    "auto takes the raw protocol where kernel passthrough applies (structure-only, root, Linux "
    "6.9), and pyfuse3 otherwise.",
    group=_TUNING,
    default="auto",
)

_RUNNING = "Running"
DRY_RUN = Switch(
    "dry-run",
    help="Show what would be served, then stop",
    long_help="Counts, paths, collisions, and which tracks would be skipped and why.",
    group=_RUNNING,
    short="n",
    environment=False,
)
LIMIT = Value(
    "limit",
    integer(0),
    "Paths that --dry-run shows; 0 shows all",
    group=_RUNNING,
    default="30",
    environment=False,
)
DAEMON = Switch(
    "daemon",
    help="Return when mounted and go on in the background",
    long_help="The default is to stay in the foreground, which service managers want.",
    group=_RUNNING,
)
CLEAN_STALE = Switch(
    "clean-stale",
    help="First detach a dead musefs mount from the mountpoint",
    group=_RUNNING,
)

MOUNT = Command(
    name="musefs-mount",
    summary="Mount an index as a read-only music library",
    description=(
        "Serves every track of the index under a path made from its tags, with those tags in the "
        "file, and the audio of the original byte for byte. Originals are never written.\n\n"
        "Edit tags in the index with musefs-tag or any DuckDB client and the mount follows within "
        "the poll interval. Ctrl-C or SIGTERM unmounts; a second one leaves at once."
    ),
    flags=(
        INDEX, MOUNTPOINT, TEMPLATE, VIEW, FALLBACK, DEFAULT_FALLBACK, SKIP_ON_MISSING, WHERE,
        CASE_INSENSITIVE, SAFE_NAMES, MODE, COVERS, SIDECARS, PLAYLISTS, EXPOSE_METRICS, ROOT,
        VOLUME, OWNER, GROUP, FILE_MODE, DIR_MODE, ALLOW_OTHER, POLL_INTERVAL, ENTRY_TIMEOUT,
        ATTR_TIMEOUT, NEGATIVE_TIMEOUT, KEEP_CACHE, READ_AHEAD_BUDGET, PREFETCH, MAX_READ_AHEAD,
        MAX_BACKGROUND, WORKERS, LOOP, TRANSPORT, DRY_RUN, LIMIT, DAEMON, CLEAN_STALE,
    ),
    examples=(
        ("musefs-mount index.duckdb /mnt/music", "artist, album, title"),
        (
            "musefs-mount index.duckdb /mnt/music -t '$albumartist/[$date - ]$album/$title'",
            "with the year before the album where there is one",
        ),
        (
            "musefs-mount index.duckdb /mnt/music --volume disk.img",
            "from an NTFS image that is not mounted",
        ),
        ("musefs-mount index.duckdb --dry-run --limit 0", "every path, without mounting"),
    ),
    section="mount",
)  # fmt: skip

COMMANDS = (MOUNT,)
