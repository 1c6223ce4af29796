"""Help on the terminal: -h a line a flag, --help with everything, --version.

Written from the flag table alone; the width is the terminal's, at most 100 columns.
"""

import hashlib
import platform
import shutil
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from musefs.index.command.flag import Command, Flag

_COLUMN = 30
"""Where the words of a flag begin: wide enough for most, narrow enough for 80 columns."""


def spelling(flag: Flag[object]) -> str:
    """Return a flag as it is typed: `-o, --out FILE`, `--[no-]tags`, `SOURCE`."""
    if flag.positional:
        return f"{flag.option} …" if flag.repeatable else flag.option
    name = f"--[no-]{flag.name}" if flag.negatable else flag.option
    short = f"-{flag.short}, " if flag.short else ""
    return f"{short}{name} {flag.metavar}".rstrip()


def notes(flag: Flag[object]) -> str:
    """Return the small print: choices, default, variable."""
    parts: list[str] = []
    if flag.kind.choices and flag.metavar:
        parts.append("one of " + ", ".join(flag.kind.choices))
    if flag.metavar and flag.default is not None:
        parts.append(f"default {flag.default}" if flag.default else "default empty")
    elif flag.negatable and flag.default == "true":
        parts.append("on by default")
    if flag.repeatable and not flag.positional:
        parts.append("may be repeated")
    if flag.variable is not None:
        parts.append(flag.variable)
    return "; ".join(parts)


def usage(command: Command, program: str) -> str:
    """Return the usage line."""
    words = [program, "[flags]"]
    if command.subcommands:
        words.append("COMMAND")
    for flag in command.flags:
        if flag.positional:
            name = f"{flag.option}…" if flag.repeatable else flag.option
            words.append(name if flag.required else f"[{name}]")
    return " ".join(words)


def groups(command: Command) -> Iterator[tuple[str, list[Flag[object]]]]:
    """Yield the flags by group, positional arguments first, in order of declaration."""
    positional = [flag for flag in command.flags if flag.positional]
    if positional:
        yield "Arguments", positional
    options = [flag for flag in command.flags if not flag.positional]
    order = {name: place for place, name in enumerate(dict.fromkeys(f.group for f in options))}
    options.sort(key=lambda flag: order[flag.group])
    for name, members in groupby(options, key=lambda flag: flag.group):
        yield name, list(members)


def _flag_lines(flag: Flag[object], width: int, *, full: bool) -> Iterator[str]:
    head = "  " + spelling(flag)
    words = flag.help + "."
    if full and flag.long_help:
        words += " " + flag.long_help
    if full and notes(flag):
        words += f" [{notes(flag)}]"
    lines = textwrap.wrap(words, width - _COLUMN) or [""]
    if len(head) < _COLUMN - 1:
        yield head.ljust(_COLUMN) + lines.pop(0)
    else:
        yield head
    yield from (" " * _COLUMN + line for line in lines)


def render_help(command: Command, program: str, *, full: bool) -> str:
    """Return the help text of a command or sub-command."""
    width = min(100, max(60, shutil.get_terminal_size((80, 24)).columns))
    lines = [f"{command.summary}.", "", f"Usage: {usage(command, program)}"]
    if full and command.description:
        for paragraph in command.description.split("\n\n"):
            lines += ["", *textwrap.wrap(paragraph, width)]
    if command.subcommands:
        lines += ["", "Commands:"]
        lines += [f"  {sub.name:<12}{sub.summary}" for sub in command.subcommands]
    for name, flags in groups(command):
        lines += ["", f"{name}:"]
        for flag in flags:
            lines += _flag_lines(flag, width, full=full)
    if full and command.examples:
        lines += ["", "Examples:"]
        for line, meaning in command.examples:
            lines += [f"  {line}", f"      {meaning}"]
    if not full:
        lines += ["", f"{program} --help says more."]
    return "\n".join(lines) + "\n"


def build_id() -> str:
    """Return eight hex digits that name the exact source files, installed or not."""
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for folder in ("pipeline", "index", "mount"):
        for path in sorted((package.parent / folder).rglob("*.py")):
            digest.update(path.relative_to(package.parent).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def tool_version() -> str:
    """Return the installed version."""
    from importlib.metadata import PackageNotFoundError, version  # 13 ms that --help need not pay

    try:
        return version("musefs")
    except PackageNotFoundError:  # run from a bare checkout: there is no version to tell
        return "0+unknown"


def render_version(command: Command) -> str:
    """Return the --version line."""
    python = platform.python_version()
    return f"{command.name} {tool_version()} (build {build_id()}, Python {python})\n"
