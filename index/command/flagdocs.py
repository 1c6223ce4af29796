"""Reference pages for docs/, made from the flag table, the errors and the counters.

`make docs` writes them; a test fails when what is committed differs from what the code says.
"""

from collections.abc import Iterator

from musefs.index.command.common import COMMON_NAMES
from musefs.index.command.flag import Command, Flag
from musefs.index.command.help import groups, spelling, usage
from musefs.index.errors import EXIT_CODE_MEANINGS, MusefsError

GENERATED = "<!-- Made by `make docs` from the code; edit the code, not this page. -->"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _flag_section(flag: Flag[object], section: str) -> Iterator[str]:
    yield f"#### `{spelling(flag)}`"
    yield ""
    yield f"{flag.help}. {flag.long_help}".strip()
    yield ""
    facts: list[str] = []
    if flag.metavar or flag.positional:
        facts.append(f"takes {flag.kind.allowed}")
    if flag.default is not None:
        facts.append(f"default `{flag.default}`" if flag.default else "default empty")
    if flag.repeatable:
        facts.append("may be repeated")
    if flag.variable:
        facts.append(f"variable `{flag.variable}`")
    if flag.environment:
        key = flag.name if flag.name in COMMON_NAMES else f"{section}.{flag.name}"
        facts.append(f"key `{key}`")
    yield "; ".join(facts)[:1].upper() + "; ".join(facts)[1:] + "." if facts else ""
    yield ""


def render_flags(command: Command) -> str:
    """Return the Markdown page of one command's flags."""
    lines = [GENERATED, "", f"# {command.name}", "", f"{command.summary}.", ""]
    lines += ["```", usage(command, command.name), "```", ""]
    if command.description:
        lines += [command.description, ""]
    for line, meaning in command.examples:
        lines += [f"* `{line}`: {meaning}"]
    if command.examples:
        lines.append("")
    for sub in command.subcommands:
        lines += [f"## {command.name} {sub.name}", "", f"{sub.summary}.", ""]
        lines += ["```", usage(sub, f"{command.name} {sub.name}"), "```", ""]
        if sub.description:
            lines += [sub.description, ""]
        for flag in sub.flags:
            lines += _flag_section(flag, command.section)
    lines += ["## Flags", ""]
    for name, flags in groups(command):
        lines += [f"### {name}", ""]
        for flag in flags:
            lines += _flag_section(flag, command.section)
    return "\n".join(lines).rstrip() + "\n"


def all_errors() -> list[type[MusefsError]]:
    """Return every class of the error tree, parents first."""
    found: list[type[MusefsError]] = []

    def visit(cls: type[MusefsError]) -> None:
        if cls.__module__ == MusefsError.__module__ and cls not in found:
            found.append(cls)
            for child in cls.__subclasses__():
                visit(child)

    visit(MusefsError)
    return found


def render_exit_codes() -> str:
    """Return the Markdown page of the exit codes."""
    lines = [GENERATED, "", "# Exit codes", ""]
    lines += ["All four commands use the same numbers. Changing one is a breaking release.", ""]
    lines += ["| code | meaning | error classes |", "|---|---|---|"]
    for code, meaning in EXIT_CODE_MEANINGS.items():
        names = ", ".join(f"`{cls.__name__}`" for cls in all_errors() if cls.exit_code is code)
        lines.append(f"| {int(code)} | {_cell(meaning)} | {names} |")
    lines += [
        "",
        "A reader that closes our standard output early (`musefs-tag list | head`) is no error: 0.",
    ]
    return "\n".join(lines) + "\n"
