"""The flags and sub-commands of musefs-tag."""

from musefs.index.command.flag import Command, Flag, Many, Maybe, Switch, Value
from musefs.index.command.kind import DIRECTORY, FILE, PAIR, TEXT, choice, integer
from musefs.index.edit.plan import TableFormat

INDEX = Value(
    "index",
    FILE,
    "Index to look at or edit",
    "A mount of it shows an edit within its poll interval.",
    group="Index",
    short="i",
    default="index.duckdb",
)

_SELECTION = "Selection"
WHERE = Maybe(
    "where",
    TEXT,
    "Tracks that match this SQL condition",
    "A condition over the view tracks_v: \"artist = 'Björk' AND duration_seconds > 300\".",
    group=_SELECTION,
    short="w",
    environment=False,
)
PATHS = Many(
    "path",
    TEXT,
    "Tracks whose original path matches this glob",
    group=_SELECTION,
    short="p",
    environment=False,
)
TRACKS = Many(
    "track",
    integer(1),
    "The track with this id",
    group=_SELECTION,
    short="t",
    environment=False,
)
ALL = Switch("all", help="All tracks", group=_SELECTION, environment=False)
DRY_RUN = Switch(
    "dry-run",
    help="Show before and after, change nothing",
    group="Change",
    short="n",
    environment=False,
)

LIMIT = Value(
    "limit",
    integer(0),
    "Tracks to show; 0 shows all",
    group="Result",
    default="0",
    environment=False,
)
KEYS = Many(
    "key", TEXT, "Tags, such as artist; any known spelling", positional=True, environment=False
)
PAIRS = Many(
    "tag",
    PAIR,
    "A tag and its value; repeat a key for several values",
    positional=True,
    environment=False,
)
REMOVED = Many(
    "removed",
    TEXT,
    "A tag to remove, or KEY=VALUE for one of its values",
    positional=True,
    environment=False,
)
PICTURE_TYPE = Value(
    "type",
    integer(0, 20),
    "Type of picture, as in ID3 and FLAC: 3 front cover, 4 back cover, 0 other",
    group="Pictures",
    default="3",
    environment=False,
)
SET_FROM = Maybe(
    "set",
    FILE,
    "Use this picture for the selected tracks",
    "It is stored in the index once, however many tracks use it.",
    group="Pictures",
    environment=False,
)
REMOVE_ART = Switch("remove", help="Serve no such picture", group="Pictures", environment=False)
EXPORT_TO = Maybe(
    "export", DIRECTORY, "Write the pictures into this directory", group="Pictures",
    environment=False,
)  # fmt: skip
TABLE_FORMAT = Maybe(
    "as",
    choice(TableFormat, "FORMAT"),
    "Form of the table; without it the file's name decides",
    group="Table",
    environment=False,
)
TARGET = Value(
    "file",
    FILE,
    "File to write; - is standard output",
    positional=True,
    environment=False,
    default="-",
)
SOURCE = Value(
    "file", FILE, "File to read; - is standard input", positional=True, environment=False
)

_SELECT: tuple[Flag[object], ...] = (WHERE, PATHS, TRACKS, ALL)
_CHANGE: tuple[Flag[object], ...] = (*_SELECT, DRY_RUN)

LIST = Command(
    "list",
    "Show tracks with their most used tags",
    (*_SELECT, LIMIT),
    "Without a selection all tracks are shown. --format ndjson gives an object a line.",
)
GET = Command("get", "Show every value of some or all tags", (KEYS, *_SELECT))
SET = Command(
    "set",
    "Replace the values of tags",
    (PAIRS, *_CHANGE),
    "Values that were there are replaced. The edit stays when the volume is scanned again.",
)
ADD = Command("add", "Add values to tags", (PAIRS, *_CHANGE))
REMOVE = Command("remove", "Remove tags, or single values", (REMOVED, *_CHANGE))
ART = Command(
    "art",
    "Show, set, remove or export pictures",
    (PICTURE_TYPE, SET_FROM, REMOVE_ART, EXPORT_TO, *_CHANGE),
    "Without --set, --remove or --export it shows which pictures there are.",
)
DIFF = Command("diff", "Show served tags against what the files said", _SELECT)
RESET = Command(
    "reset",
    "Take edits back, so that the files speak again",
    (KEYS, *_CHANGE),
    "Without keys all edits of the selected tracks are taken back.",
)
EXPORT = Command("export", "Write tags as CSV or JSON lines", (TARGET, TABLE_FORMAT, *_SELECT))
IMPORT = Command(
    "import",
    "Set tags from a table that export wrote",
    (SOURCE, TABLE_FORMAT, DRY_RUN),
    "Only tags that differ are changed; tracks are found by id.",
)
UNDO = Command("undo", "Take the last change back", (DRY_RUN,))

TAG = Command(
    name="musefs-tag",
    summary="Look at and edit the tags that a mount serves",
    description=(
        "Edits live in the index: the originals are never written. An edit survives every later "
        "scan, diff shows it, reset takes it back.\n\n"
        "A command that changes something wants a selection; --all is one."
    ),
    flags=(INDEX,),
    examples=(
        ("musefs-tag list --where \"album = 'Animals'\"", "what is there"),
        ("musefs-tag set genre=Jazz --path '**/Jazz/**' --dry-run", "what would change"),
        ("musefs-tag diff --all", "every edit, against the files"),
    ),
    subcommands=(LIST, GET, SET, ADD, REMOVE, ART, DIFF, RESET, EXPORT, IMPORT, UNDO),
    section="tag",
)

COMMANDS = (TAG,)
