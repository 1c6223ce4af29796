"""Manual pages in roff, made from the flag table.

`docs/man/` keeps them; the wheel installs them under share/man; a test compares the two.
"""

from collections.abc import Iterator

from musefs.index.command.config import SYSTEM_FILE
from musefs.index.command.flag import Command, Flag
from musefs.index.command.help import groups, notes, spelling, usage
from musefs.index.errors import EXIT_CODE_MEANINGS


def _escape(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + escaped if escaped.startswith((".", "'")) else escaped


def _flag(flag: Flag[object]) -> Iterator[str]:
    yield ".TP"
    yield f"\\fB{_escape(spelling(flag))}\\fR"
    words = f"{flag.help}. {flag.long_help}".strip()
    if notes(flag):
        words += f" ({notes(flag)})"
    yield _escape(words)


def _flags(command: Command) -> Iterator[str]:
    for name, flags in groups(command):
        yield f".SS {_escape(name)}"
        for flag in flags:
            yield from _flag(flag)


def _subcommands(command: Command) -> Iterator[str]:
    if not command.subcommands:
        return
    yield ".SH COMMANDS"
    for sub in command.subcommands:
        yield f".SS {_escape(usage(sub, f'{command.name} {sub.name}'))}"
        yield _escape(f"{sub.summary}. {sub.description}".strip().replace("\n\n", " "))
        for flag in sub.flags:
            yield from _flag(flag)


def _files() -> Iterator[str]:
    yield ".SH FILES"
    for path, words in (
        ("$XDG_CONFIG_HOME/musefs/config.toml", "The user's configuration, over the system's."),
        (str(SYSTEM_FILE), "The system's configuration."),
    ):
        yield ".TP"
        yield f"\\fI{_escape(path)}\\fR"
        yield _escape(words)


def render_manpage(command: Command) -> str:
    """Return the manual page of `command`."""
    lines = [
        f'.TH "{command.name.upper()}" "1" "" "musefs" "User Commands"',
        ".SH NAME",
        f"{_escape(command.name)} \\- {_escape(command.summary[0].lower() + command.summary[1:])}",
        ".SH SYNOPSIS",
        f"\\fB{_escape(usage(command, command.name))}\\fR",
        ".SH DESCRIPTION",
    ]
    for paragraph in (command.description or command.summary + ".").split("\n\n"):
        lines += [".PP", _escape(" ".join(paragraph.split()))]
    lines += [*_subcommands(command), ".SH FLAGS", *_flags(command)]
    if command.examples:
        lines.append(".SH EXAMPLES")
        for line, meaning in command.examples:
            lines += [".TP", f"\\fB{_escape(line)}\\fR", _escape(meaning)]
    lines.append(".SH EXIT STATUS")
    for code, meaning in EXIT_CODE_MEANINGS.items():
        lines += [".TP", f"\\fB{int(code)}\\fR", _escape(meaning)]
    lines += _files()
    return "\n".join(lines) + "\n"
