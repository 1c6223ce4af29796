"""The command line: an argparse parser built from the flag table.

It only collects texts (what the user typed); values are read by the flags themselves. Refusals
are UsageError, never an exit from inside argparse. Help is written by `help`.
"""

import argparse
import difflib
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeGuard

from musefs.index.command.flag import Command, Count, Flag, Switch
from musefs.index.command.settings import Given
from musefs.index.errors import UsageError

ORIGIN = "command line"
_POSITIONAL_MARK = "positional "


class _Parser(argparse.ArgumentParser):
    """argparse that raises UsageError and knows which words exist."""

    command: Command

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"See {self.prog} --help for what is allowed.")


def _add(parser: argparse.ArgumentParser, flag: Flag[object]) -> None:
    if flag.positional:
        count = "*" if flag.repeatable else "?"
        parser.add_argument(_POSITIONAL_MARK + flag.name, nargs=count, metavar=flag.option)
        return
    names = [f"-{flag.short}"] if flag.short else []
    names.append(f"--{flag.name}")
    if isinstance(flag, Switch):
        parser.add_argument(*names, dest=flag.name, action="append_const", const="true")
        if flag.negatable:
            refusal = f"--no-{flag.name}"
            parser.add_argument(refusal, dest=flag.name, action="append_const", const="false")
    elif isinstance(flag, Count):
        parser.add_argument(*names, dest=flag.name, action="append_const", const="1")
    else:
        parser.add_argument(*names, dest=flag.name, action="append", metavar=flag.metavar)


def _build(command: Command, program: str, flags: Sequence[Flag[object]]) -> _Parser:
    parser = _Parser(
        prog=program, add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS
    )
    parser.command = command
    for flag in flags:
        _add(parser, flag)
    return parser


def _is_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list)  # argparse collects what was typed: text, always


def _collect(namespace: argparse.Namespace, flags: Sequence[Flag[object]]) -> dict[str, Given]:
    found: dict[str, Given] = {}
    values: dict[str, object] = vars(namespace)
    for flag in flags:
        value = values.get(_POSITIONAL_MARK + flag.name if flag.positional else flag.name)
        if isinstance(value, str):
            found[flag.name] = Given((value,), ORIGIN)
        elif _is_texts(value) and value:
            texts = tuple(value)
            if isinstance(flag, Count):
                texts = (str(min(len(texts), 9)),)
            found[flag.name] = Given(texts, ORIGIN)
    return found


def _refuse(word: str, program: str, flags: Sequence[Flag[object]]) -> NoReturn:
    known = [f"--{flag.name}" for flag in flags if not flag.positional]
    known += [f"--no-{flag.name}" for flag in flags if flag.negatable]
    name = word.partition("=")[0]
    near = difflib.get_close_matches(name, known, n=3)
    wanted = f"did you mean {' or '.join(near)}?" if near else f"see {program} --help"
    if word.startswith("-"):
        raise UsageError(f"unknown flag {name}; {wanted}", hint=f"Allowed: {' '.join(known)}")
    raise UsageError(f"unexpected argument {word!r}", hint=f"See {program} --help.")


def _split_subcommand(command: Command, words: Sequence[str]) -> int | None:
    """Return where the sub-command's name stands: the first word that is no flag or value."""
    takes_value = {f"--{flag.name}" for flag in command.flags if flag.metavar}
    takes_value |= {f"-{flag.short}" for flag in command.flags if flag.short and flag.metavar}
    skip = False
    for place, word in enumerate(words):
        if skip:
            skip = False
        elif word in takes_value:
            skip = True
        elif word == "--":
            return None
        elif not re.match(r"-.", word):
            return place
    return None


def parse_words(
    command: Command, words: Sequence[str]
) -> tuple[Command | None, Mapping[str, Given]]:
    """Return the chosen sub-command and the texts of every flag that was typed."""
    subcommand: Command | None = None
    program, flags = command.name, list(command.flags)
    if command.subcommands and (place := _split_subcommand(command, words)) is not None:
        subcommand = command.subcommand(words[place])
        if subcommand is None:
            allowed = ", ".join(sub.name for sub in command.subcommands)
            raise UsageError(
                f"unknown sub-command {words[place]!r}; expected one of {allowed}",
                hint=f"See {command.name} --help.",
            )
        program = f"{command.name} {subcommand.name}"
        words = [*words[:place], *words[place + 1 :]]
        own = {flag.name for flag in flags}
        flags += [flag for flag in subcommand.flags if flag.name not in own]
    parser = _build(subcommand or command, program, flags)
    try:
        namespace, rest = parser.parse_known_intermixed_args(list(words))
    except argparse.ArgumentError as error:
        raise UsageError(str(error), hint=f"See {program} --help.") from error
    if rest:
        _refuse(rest[0], program, flags)
    return subcommand, _collect(namespace, flags)
