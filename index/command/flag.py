"""Flags and commands as data: the one table that everything else is made from.

A flag is declared once. The parser, `--help`, the environment variable, the key in config.toml,
shell completion, the man page and the page in docs/ all come from that declaration. Defaults are
written as text, in the form a user would type, and read by the same code as a user's value.

    Flag                    one declaration; `read(texts)` gives the typed value
    ├── Value[T]            one value; without a default it is needed --workers 4
    ├── Maybe[T]            one value or nothing (None)               --root DIR
    ├── Many[T]             any number of values, as a tuple          --exclude GLOB
    ├── Switch              yes or no                                 --tags / --no-tags
    └── Count               how many times it was given               -v -v

`settings[FLAG]` is typed by the declaration: nothing is cast, nothing is looked up by name.
What a flag means for the program is the business of the command's plan.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from musefs.index.command.kind import BOOLEAN, Kind, integer
from musefs.index.errors import UsageError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

COUNT: Kind[int] = integer(0, 9)


@dataclass(frozen=True, slots=True)
class Flag(ABC, Generic[T_co]):
    """One flag or positional argument of a command."""

    name: str
    """Long name without dashes, such as `poll-interval`."""
    kind: Kind[object]
    help: str
    """One line, without a full stop, for -h and completion."""
    long_help: str = ""
    """Further sentences for --help, the man page and the docs."""
    group: str = "Options"
    short: str = ""
    default: str | None = None
    """As a user would type it; None when there is nothing to fall back on."""
    positional: bool = False
    environment: bool = True
    """Whether MUSEFS_<NAME> and config.toml can set it."""

    @property
    def option(self) -> str:
        """Return how a message names it: `--poll-interval`, or SOURCE for a positional."""
        return self.name.upper().replace("-", "_") if self.positional else f"--{self.name}"

    @property
    def variable(self) -> str | None:
        """Return the environment variable, if it has one."""
        return "MUSEFS_" + self.name.upper().replace("-", "_") if self.environment else None

    @property
    def metavar(self) -> str:
        """Return what stands for the value in help; empty when there is no value."""
        return self.kind.metavar

    @property
    def repeatable(self) -> bool:
        """Return whether it may be given more than once."""
        return False

    @property
    def negatable(self) -> bool:
        """Return whether --no-<name> exists."""
        return False

    @property
    def required(self) -> bool:
        """Return whether somebody must give it."""
        return False

    @abstractmethod
    def read(self, texts: Sequence[str]) -> T_co:
        """Return the typed value of what was given; UsageError says what is allowed."""

    def default_texts(self) -> tuple[str, ...]:
        """Return what is read when nobody gave anything."""
        return () if self.default is None else (self.default,)


def _parse(flag: Flag[object], kind: Kind[T], text: str) -> T:
    try:
        return kind.parse(text)
    except ValueError as error:
        raise UsageError(
            f"{flag.option}: {text!r} cannot be used because {error}; expected {kind.allowed}",
            hint=f"Give {flag.option} {kind.allowed}; --help says more.",
        ) from error


def _missing(flag: Flag[object]) -> UsageError:
    return UsageError(
        f"{flag.option} is missing; expected {flag.kind.allowed}",
        hint=f"{flag.option}: {flag.help}.",
    )


@dataclass(frozen=True, slots=True)
class Value(Flag[T]):
    """One value; it must be given when there is no default."""

    kind: Kind[T]

    @property
    def required(self) -> bool:
        """Return whether somebody must give it."""
        return self.default is None

    def read(self, texts: Sequence[str]) -> T:
        """Return the last value that was given."""
        if not texts:
            raise _missing(self)
        return _parse(self, self.kind, texts[-1])


@dataclass(frozen=True, slots=True)
class Maybe(Flag[T | None], Generic[T]):
    """One value or None."""

    kind: Kind[T]

    def read(self, texts: Sequence[str]) -> T | None:
        """Return the last value that was given, or None."""
        return _parse(self, self.kind, texts[-1]) if texts else None


@dataclass(frozen=True, slots=True)
class Many(Flag[tuple[T, ...]], Generic[T]):
    """Any number of values; given on the command line or as a list in config.toml."""

    kind: Kind[T]

    @property
    def repeatable(self) -> bool:
        """Return True: that is what it is."""
        return True

    @property
    def variable(self) -> str | None:
        """Return None: a list has no unambiguous spelling in one variable."""
        return None

    def read(self, texts: Sequence[str]) -> tuple[T, ...]:
        """Return all values in the order they were given."""
        return tuple(_parse(self, self.kind, text) for text in texts)


@dataclass(frozen=True, slots=True)
class Switch(Flag[bool]):
    """Yes or no."""

    kind: Kind[bool] = BOOLEAN
    help: str = ""
    default: str | None = "false"

    @property
    def metavar(self) -> str:
        """Return nothing: a switch takes no value on the command line."""
        return ""

    @property
    def negatable(self) -> bool:
        """Return whether --no-<name> exists: where something else may have set it."""
        return self.environment

    def read(self, texts: Sequence[str]) -> bool:
        """Return the last word that was given."""
        return _parse(self, BOOLEAN, (texts or ("false",))[-1])


@dataclass(frozen=True, slots=True)
class Count(Flag[int]):
    """How many times it was given."""

    kind: Kind[int] = COUNT
    help: str = ""
    default: str | None = "0"

    @property
    def metavar(self) -> str:
        """Return nothing: each time it stands there counts one."""
        return ""

    def read(self, texts: Sequence[str]) -> int:
        """Return the number; the parser already turned repetition into one."""
        return _parse(self, COUNT, (texts or ("0",))[-1])


@dataclass(frozen=True, slots=True)
class Command:
    """One console script, or one sub-command of it."""

    name: str
    """As typed: `musefs-scan`, or `set` for a sub-command."""
    summary: str
    """One line without a full stop."""
    flags: tuple[Flag[object], ...]
    description: str = ""
    """Paragraphs for --help and the man page."""
    examples: tuple[tuple[str, str], ...] = ()
    """Pairs of (command line, what it does)."""
    subcommands: tuple["Command", ...] = ()
    section: str = ""
    """Table of config.toml with this command's keys; common flags may also stand at the top."""

    def subcommand(self, name: str) -> "Command | None":
        """Return the sub-command called `name`."""
        return next((command for command in self.subcommands if command.name == name), None)

    def all_flags(self) -> Iterator[Flag[object]]:
        """Yield its flags and those of all sub-commands, each name once."""
        seen: set[str] = set()
        for command in (self, *self.subcommands):
            for flag in command.flags:
                if flag.name not in seen:
                    seen.add(flag.name)
                    yield flag
