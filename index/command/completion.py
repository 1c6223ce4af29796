"""Static completion scripts, made from the flag table.

A static script costs nothing on Tab: no Python starts. `musefs-scan --completion bash` prints it.
"""

import shlex
from collections.abc import Callable, Sequence

from musefs.index.command.common import Shell
from musefs.index.command.flag import Command, Flag
from musefs.index.command.kind import Completion


def _words(flags: Sequence[Flag[object]]) -> list[str]:
    words: list[str] = []
    for flag in flags:
        if flag.positional:
            continue
        words.append(f"--{flag.name}")
        if flag.negatable:
            words.append(f"--no-{flag.name}")
        if flag.short:
            words.append(f"-{flag.short}")
    return words


def _all_words(command: Command, subcommand: Command | None = None) -> list[str]:
    flags = list(command.flags)
    if subcommand is not None:
        flags = [*subcommand.flags, *flags]
        return list(dict.fromkeys(_words(flags)))
    return [*(sub.name for sub in command.subcommands), *_words(flags)]


def _names(flag: Flag[object]) -> list[str]:
    return [f"--{flag.name}", *([f"-{flag.short}"] if flag.short else [])]


def _valued(command: Command) -> list[Flag[object]]:
    return [flag for flag in command.all_flags() if flag.metavar and not flag.positional]


def _bash_value(flag: Flag[object]) -> str:
    if flag.kind.completion is Completion.CHOICES:
        return f'COMPREPLY=($(compgen -W "{" ".join(flag.kind.choices)}" -- "$word"))'
    if flag.kind.completion is Completion.DIRECTORY:
        return 'COMPREPLY=($(compgen -d -- "$word"))'
    return 'COMPREPLY=($(compgen -f -- "$word"))'


def _bash(command: Command) -> str:
    function = "_" + command.name.replace("-", "_")
    lines = [
        f"# bash completion for {command.name}; source it, or put it into",
        f"# ~/.local/share/bash-completion/completions/{command.name}",
        f"{function}() {{",
        '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" chosen="" w',
        '  case "$before" in',
    ]
    for flag in _valued(command):
        lines += [f"    {'|'.join(_names(flag))}) {_bash_value(flag)}; return ;;"]
    lines += [
        "  esac",
        '  for w in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
        '    case "$w" in',
        *(f"      {sub.name}) chosen={sub.name}; break ;;" for sub in command.subcommands),
        "      *) ;;",
        "    esac",
        "  done",
        '  local words="' + " ".join(_all_words(command)) + '"',
        '  case "$chosen" in',
    ]
    for sub in command.subcommands:
        lines.append(f'    {sub.name}) words="{" ".join(_all_words(command, sub))}" ;;')
    lines += [
        "    *) ;;",
        "  esac",
        '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
        '  [[ "$word" == -* ]] || COMPREPLY+=($(compgen -f -- "$word"))',
        "}",
        f"complete -o filenames -F {function} {command.name}",
    ]
    return "\n".join(lines) + "\n"


def _zsh_action(flag: Flag[object]) -> str:
    if not flag.metavar and not flag.positional:
        return ""
    if flag.kind.completion is Completion.CHOICES:
        return f":{flag.metavar}:({' '.join(flag.kind.choices)})"
    if flag.kind.completion is Completion.DIRECTORY:
        return f":{flag.metavar}:_files -/"
    if flag.kind.completion is Completion.FILE:
        return f":{flag.metavar}:_files"
    return f":{flag.metavar}: "


def _zsh_specs(flags: Sequence[Flag[object]]) -> list[str]:
    specs: list[str] = []
    for flag in flags:
        if flag.positional:
            star = "*" if flag.repeatable else ""
            specs.append(f"{star}:{flag.name}:_files")
            continue
        text = flag.help.replace("[", r"\[").replace("]", r"\]").replace(":", r"\:")
        star = "*" if flag.repeatable or not flag.metavar else ""
        specs += [f"{star}{name}[{text}]{_zsh_action(flag)}" for name in _names(flag)]
        if flag.negatable:
            specs.append(f"{star}--no-{flag.name}[not\\: {text}]")
    return [shlex.quote(spec) for spec in specs]


def _zsh_arguments(specs: Sequence[str], indent: str) -> list[str]:
    lines = [f"{indent}_arguments -s \\"]
    lines += [f"{indent}  {spec} \\" for spec in specs[:-1]]
    return [*lines, f"{indent}  {specs[-1]}"]


def _zsh(command: Command) -> str:
    function = "_" + command.name.replace("-", "_")
    lines = [f"#compdef {command.name}", f"{function}() {{"]
    if command.subcommands:
        lines += ["  local -a commands=("]
        lines += [f"    {shlex.quote(f'{s.name}:{s.summary}')}" for s in command.subcommands]
        lines += ["  )", '  case "${words[2]}" in']
        for sub in command.subcommands:
            own = {flag.name for flag in sub.flags}
            flags = [*sub.flags, *(flag for flag in command.flags if flag.name not in own)]
            lines += [f"    {sub.name})", "      shift words; (( CURRENT-- ))"]
            lines += [*_zsh_arguments(_zsh_specs(flags), "      "), "      ;;"]
        specs = [*_zsh_specs(command.flags), "'1:command:{_describe command commands}'"]
        lines += ["    *)", *_zsh_arguments(specs, "      "), "      ;;", "  esac"]
    else:
        lines += _zsh_arguments(_zsh_specs(command.flags), "  ")
    lines += ["}", f'{function} "$@"']
    return "\n".join(lines) + "\n"


def _fish_line(command: Command, flag: Flag[object], condition: str) -> str:
    parts = [f"complete -c {command.name}", condition, f"-l {flag.name}"]
    if flag.short:
        parts.append(f"-s {flag.short}")
    if flag.metavar:
        parts.append("-r")
        if flag.kind.completion is Completion.CHOICES:
            parts.append(f"-f -a {shlex.quote(' '.join(flag.kind.choices))}")
        elif flag.kind.completion is Completion.NOTHING:
            parts.append("-f")
    parts.append(f"-d {shlex.quote(flag.help)}")
    return " ".join(part for part in parts if part)


def _fish(command: Command) -> str:
    lines = [f"# fish completion for {command.name}"]
    names = " ".join(sub.name for sub in command.subcommands)
    for sub in command.subcommands:
        nothing = f"-n 'not __fish_seen_subcommand_from {names}'"
        summary = shlex.quote(sub.summary)
        lines.append(f"complete -c {command.name} -f {nothing} -a {sub.name} -d {summary}")
    scopes = [(command.flags, "")]
    scopes += [(s.flags, f"-n '__fish_seen_subcommand_from {s.name}'") for s in command.subcommands]
    for flags, condition in scopes:
        for flag in flags:
            if flag.positional:
                continue
            lines.append(_fish_line(command, flag, condition))
            if flag.negatable:
                no = f"complete -c {command.name} {condition} -l no-{flag.name}".replace("  ", " ")
                lines.append(f"{no} -d {shlex.quote('not: ' + flag.help)}")
    return "\n".join(lines) + "\n"


def _powershell_list(words: Sequence[str]) -> str:
    return "@(" + ", ".join("'" + word.replace("'", "''") + "'" for word in words) + ")"


def _powershell(command: Command) -> str:
    lines = [
        f"# PowerShell completion for {command.name}; add it to $PROFILE",
        f"Register-ArgumentCompleter -Native -CommandName {command.name} -ScriptBlock {{",
        "  param($word, $ast, $position)",
        "  $before = @($ast.CommandElements | Where-Object { $_.Extent.EndOffset -lt $position }"
        " | ForEach-Object { $_.ToString() })",
        f"  $words = {_powershell_list(_all_words(command))}",
    ]
    for sub in command.subcommands:
        words = _powershell_list(_all_words(command, sub))
        lines.append(f"  if ($before -contains '{sub.name}') {{ $words = {words} }}")
    lines += ["  if ($before.Count -gt 1) {", "    switch -CaseSensitive ($before[-1]) {"]
    for flag in _valued(command):
        if flag.kind.completion is Completion.CHOICES:
            choices = _powershell_list(flag.kind.choices)
            lines += [f"      '{name}' {{ $words = {choices} }}" for name in _names(flag)]
    lines += [
        "    }",
        "  }",
        '  $words | Where-Object { $_ -like "$word*" } | ForEach-Object {',
        "    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)",
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"


_WRITERS: dict[Shell, Callable[[Command], str]] = {
    Shell.BASH: _bash,
    Shell.ZSH: _zsh,
    Shell.FISH: _fish,
    Shell.POWERSHELL: _powershell,
}


def render_completion(command: Command, shell: Shell) -> str:
    """Return the completion script of `command` for `shell`."""
    return _WRITERS[shell](command)
