"""The flags that every command has, and the part of a plan that they make.

Declared once and spliced into each command's table, so that all four scripts log, report and
explain themselves in the same way. Rooms receive a `CommonPlan` inside their own plan.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from musefs.index.command.flag import Command, Count, Flag, Maybe, Switch, Value
from musefs.index.command.kind import FILE, choice
from musefs.index.command.settings import Settings


class When(StrEnum):
    """A three-way choice: decide by the terminal, always, never."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class OutputFormat(StrEnum):
    """How results are written to standard output."""

    HUMAN = "human"
    JSON = "json"
    NDJSON = "ndjson"


class LogFormat(StrEnum):
    """How log lines are written."""

    AUTO = "auto"
    HUMAN = "human"
    LOGFMT = "logfmt"
    JSON = "json"


class Shell(StrEnum):
    """Shells that completion scripts can be made for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


REPORTING = "Reporting"
SETTINGS = "Configuration and help"

VERBOSE = Count(
    "verbose",
    help="Log more: -v also info, -vv also debug",
    group=REPORTING,
    short="v",
)
QUIET = Switch(
    "quiet",
    help="Log errors only; no progress, no summary",
    group=REPORTING,
    short="q",
)
FORMAT = Value(
    "format",
    choice(OutputFormat, "FORMAT"),
    "How results are written to standard output",
    "human is for reading. json is one object with format_version; ndjson is one object a line. "
    "Paths whose bytes are not UTF-8 are given as text and as base64. Errors are then one JSON "
    "object on standard error.",
    group=REPORTING,
    default="human",
)
COLOR = Value(
    "color",
    choice(When, "WHEN"),
    "When to colour output",
    "auto colours on a terminal unless NO_COLOR is set.",
    group=REPORTING,
    default="auto",
)
PROGRESS = Value(
    "progress",
    choice(When, "WHEN"),
    "When to report progress on standard error",
    "auto draws a bar on a terminal and otherwise writes a line every few seconds; never writes "
    "nothing; always reports even with --quiet.",
    group=REPORTING,
    default="auto",
)
STATS = Maybe(
    "stats",
    FILE,
    "Write counters and timings as JSON to FILE",
    "Written when the command ends, also when it fails. - is standard error.",
    group=REPORTING,
)
LOG_FORMAT = Value(
    "log-format",
    choice(LogFormat, "FORMAT"),
    "How log lines are written",
    "auto is human on a terminal, JSON with --format json or ndjson, and logfmt otherwise. Under "
    "systemd each line carries its journal priority.",
    group=REPORTING,
    default="auto",
)
LOG_FILE = Maybe(
    "log-file", FILE, "Write the log to FILE too, appended, in logfmt", group=REPORTING
)
CONFIG = Maybe(
    "config",
    FILE,
    "Read FILE in place of the system's and the user's config.toml",
    group=SETTINGS,
)
PRINT_CONFIG = Switch(
    "print-config",
    help="Print every value and where it came from, then stop",
    group=SETTINGS,
    environment=False,
)
COMPLETION = Maybe(
    "completion",
    choice(Shell, "SHELL"),
    "Print a completion script for SHELL, then stop",
    group=SETTINGS,
    environment=False,
)
MAN = Switch(
    "man",
    help="Print the manual page in roff, then stop",
    group=SETTINGS,
    environment=False,
)
HELP = Switch(
    "help",
    help="Print help, then stop; -h is shorter than --help",
    group=SETTINGS,
    short="h",
    environment=False,
)
VERSION = Switch(
    "version",
    help="Print version and build id, then stop",
    group=SETTINGS,
    short="V",
    environment=False,
)

COMMON_FLAGS: tuple[Flag[object], ...] = (
    VERBOSE,
    QUIET,
    FORMAT,
    COLOR,
    PROGRESS,
    STATS,
    LOG_FORMAT,
    LOG_FILE,
    CONFIG,
    PRINT_CONFIG,
    COMPLETION,
    MAN,
    HELP,
    VERSION,
)
COMMON_NAMES = frozenset(flag.name for flag in COMMON_FLAGS)


@dataclass(frozen=True, slots=True)
class CommonPlan:
    """What a run must know to log, report and write results."""

    verbosity: int = 0
    """-1 errors only, 0 warnings, 1 info, 2 debug."""
    format: OutputFormat = OutputFormat.HUMAN
    color: bool = False
    progress: When = When.AUTO
    """NEVER when --quiet was given without --progress always."""
    stats: Path | None = None
    log_format: LogFormat = LogFormat.HUMAN
    """Never AUTO: resolved."""
    log_file: Path | None = None

    @property
    def quiet(self) -> bool:
        """Return whether only errors are wanted."""
        return self.verbosity < 0


def plan_common(settings: Settings, environment: Mapping[str, str]) -> CommonPlan:
    """Resolve the common flags for this process's streams."""
    output_format = settings[FORMAT]
    quiet = settings[QUIET]
    progress = settings[PROGRESS]
    if quiet and progress is When.AUTO:
        progress = When.NEVER
    return CommonPlan(
        verbosity=-1 if quiet else min(settings[VERBOSE], 2),
        format=output_format,
        color=_wants_color(settings[COLOR], environment),
        progress=progress,
        stats=settings[STATS],
        log_format=_log_format(settings[LOG_FORMAT], output_format),
        log_file=settings[LOG_FILE],
    )


def _wants_color(when: When, environment: Mapping[str, str]) -> bool:
    if when is When.AUTO:
        return sys.stdout.isatty() and not environment.get("NO_COLOR")
    return when is When.ALWAYS


def _log_format(wanted: LogFormat, output_format: OutputFormat) -> LogFormat:
    if wanted is not LogFormat.AUTO:
        return wanted
    if output_format is not OutputFormat.HUMAN:
        return LogFormat.JSON
    return LogFormat.HUMAN if sys.stderr.isatty() else LogFormat.LOGFMT


def with_common(command: Command) -> Command:
    """Return `command` with the common flags after its own."""
    own = {flag.name for flag in command.flags}
    shared = tuple(flag for flag in COMMON_FLAGS if flag.name not in own)
    return Command(
        name=command.name,
        summary=command.summary,
        flags=command.flags + shared,
        description=command.description,
        examples=command.examples,
        subcommands=command.subcommands,
        section=command.section,
    )
