"""What holds for one run: each flag's text, where it came from, and its typed value.

Precedence is flag > environment > configuration > default. This module merges; `parse` and
`config` supply. Nothing is looked up later: a `Settings` is complete when it is built.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from musefs.index.command.flag import Command, Flag
from musefs.index.errors import MusefsError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Given:
    """The texts somebody gave for one flag, and where."""

    texts: tuple[str, ...]
    origin: str
    """`command line`, `environment MUSEFS_X`, `configuration /path`, or `default`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every flag's value for one run of one command."""

    command: Command
    subcommand: Command | None
    given: Mapping[str, Given]

    def __getitem__(self, flag: Flag[T]) -> T:
        """Return the typed value of `flag`."""
        return flag.read(self.source(flag).texts)

    def source(self, flag: Flag[object]) -> Given:
        """Return the texts that hold for `flag` and where they came from."""
        found = self.given.get(flag.name)
        return Given(flag.default_texts(), "default") if found is None else found

    def flags(self) -> Iterator[Flag[object]]:
        """Yield the flags of the command and of the chosen sub-command."""
        yield from self.command.flags
        if self.subcommand is not None:
            names = {flag.name for flag in self.command.flags}
            yield from (flag for flag in self.subcommand.flags if flag.name not in names)

    def check(self) -> None:
        """Read every flag once, so that a wrong value is refused before any work."""
        for flag in self.flags():
            try:
                flag.read(self.source(flag).texts)
            except MusefsError as error:
                origin = self.source(flag).origin
                if origin.startswith(("environment", "configuration")):
                    error.message = f"{error.message} (from the {origin})"
                    error.args = (error.message,)
                raise


def merge(layers: Sequence[Mapping[str, Given]]) -> dict[str, Given]:
    """Lay `layers` over each other; the first that names a flag wins."""
    merged: dict[str, Given] = {}
    for layer in reversed(layers):
        merged.update(layer)
    return merged
