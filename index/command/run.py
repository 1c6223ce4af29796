"""The border of every command: words in, exit code out, and nothing escapes.

Words become `Settings`, settings become a frozen plan, the plan runs. Only here is an error
turned into an exit code: MusefsError by its class, Ctrl-C 130, SIGTERM 143, a reader of our
output that went away is a quiet 0, and anything else is a bug, said to be one, 99.
"""

import errno
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Generic, NoReturn, TypeVar

from musefs.index.command.common import (
    COMMON_NAMES,
    COMPLETION,
    FORMAT,
    HELP,
    MAN,
    PRINT_CONFIG,
    VERSION,
    CommonPlan,
    OutputFormat,
    plan_common,
    with_common,
)
from musefs.index.command.config import chosen_file, describe, read_config, read_environment
from musefs.index.command.flag import Command
from musefs.index.command.log import logging_to
from musefs.index.command.parse import parse_words
from musefs.index.command.settings import Given, Settings, merge
from musefs.index.errors import ExitCode, IndexWriteError, MusefsError, UsageError

P = TypeVar("P")

_log = logging.getLogger(__name__)

OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""How writing to our standard output fails when it is a file."""

ISSUES = "the issue tracker named in the README"


class Terminated(BaseException):
    """SIGTERM, raised in the main thread so that every `with` block closes what it holds."""


@dataclass(frozen=True, slots=True)
class Program(Generic[P]):
    """A console script: its table, how settings become a plan, how a plan runs."""

    command: Command
    plan: Callable[[Settings, CommonPlan], P]
    run: Callable[[P], ExitCode]


def main(program: Program[P], words: Sequence[str] | None = None) -> int:
    """Run a console script and return its exit status."""
    words = sys.argv[1:] if words is None else list(words)
    environment = os.environ
    name = program.command.name
    try:
        with _sigterm_raises():
            code = _run(program, words, environment)
            sys.stdout.flush()
    except MusefsError as error:
        code = _report(error, name, words, environment)
    except KeyboardInterrupt:
        code = _say(f"{name}: stopped by Ctrl-C", ExitCode.INTERRUPTED)
    except Terminated:
        code = _say(f"{name}: stopped by SIGTERM", ExitCode.TERMINATED)
    except BrokenPipeError:
        code = ExitCode.OK
    except OSError as error:
        code = _explain_failed_output(error, name, words, environment)
    except Exception as error:  # noqa: BLE001 the process border: nothing may pass it
        code = _bug(name, error)
    _close_stdout()
    return int(code)


def leave(code: int) -> NoReturn:
    """End a console script at once: all that had to be closed is, in `with` blocks.

    Taking the interpreter and a compiler apart afterwards took 80 ms of a scan's second.
    """
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


def _run(program: Program[P], words: Sequence[str], environment: Mapping[str, str]) -> ExitCode:
    command = with_common(program.command)
    subcommand, typed = parse_words(command, words)
    if (text := _instead(command, subcommand, words, typed)) is not None:
        sys.stdout.write(text)
        return ExitCode.OK
    from_environment = read_environment(command, environment)
    chosen = chosen_file(merge([typed, from_environment]))
    from_config = read_config(command, chosen, COMMON_NAMES)
    settings = Settings(command, subcommand, merge([typed, from_environment, from_config]))
    if settings[PRINT_CONFIG]:
        _print_config(settings)
        return ExitCode.OK
    if command.subcommands and subcommand is None:
        names = ", ".join(sub.name for sub in command.subcommands)
        raise UsageError(f"a sub-command is missing; expected one of {names}")
    settings.check()
    common = plan_common(settings, environment)
    with logging_to(common, environment):
        return program.run(program.plan(settings, common))


def _instead(
    command: Command,
    subcommand: Command | None,
    words: Sequence[str],
    typed: Mapping[str, Given],
) -> str | None:
    """Return the text of --help, --version, --completion or --man when one of them is asked."""
    settings = Settings(command, subcommand, typed)
    if settings[HELP]:
        from musefs.index.command.help import render_help

        program = command.name if subcommand is None else f"{command.name} {subcommand.name}"
        return render_help(subcommand or command, program, full="--help" in words)
    if settings[VERSION]:
        from musefs.index.command.help import render_version

        return render_version(command)
    if settings[MAN]:
        from musefs.index.command.manpage import render_manpage

        return render_manpage(command)
    shell = settings[COMPLETION]
    if shell is not None:
        from musefs.index.command.completion import render_completion

        return render_completion(command, shell)
    return None


def _print_config(settings: Settings) -> None:
    rows = list(describe(settings))
    if settings[FORMAT] is OutputFormat.HUMAN:
        width = max(len(option) for option, _, _ in rows)
        sys.stdout.write("".join(f"{name:<{width}}  {value}  # {of}\n" for name, value, of in rows))
        return
    from musefs.index.command.output import Output

    told = [{"flag": name, "value": value, "origin": of} for name, value, of in rows]
    Output(CommonPlan(format=settings[FORMAT])).rows("settings", told)


def _wanted_format(words: Sequence[str], environment: Mapping[str, str]) -> OutputFormat:
    """Guess the output format for an error that came before the flags were read."""
    wanted = environment.get("MUSEFS_FORMAT", "human")
    for place, word in enumerate(words):
        if word == "--format" and place + 1 < len(words):
            wanted = words[place + 1]
        elif word.startswith("--format="):
            wanted = word.removeprefix("--format=")
    return OutputFormat(wanted) if wanted in {"json", "ndjson"} else OutputFormat.HUMAN


def _report(
    error: MusefsError, name: str, words: Sequence[str], environment: Mapping[str, str]
) -> ExitCode:
    from musefs.index.command.output import report_error

    report_error(error, name, _wanted_format(words, environment))
    return error.exit_code


def _say(line: str, code: ExitCode) -> ExitCode:
    with suppress(BrokenPipeError):  # the exit code says it too
        sys.stderr.write(line + "\n")
    return code


def _bug(name: str, error: Exception) -> ExitCode:
    import traceback

    with suppress(BrokenPipeError):  # the exit code says it too
        sys.stderr.write("".join(traceback.format_exception(error)))
    return _say(
        f"{name}: this is a bug in musefs ({type(error).__name__}); nothing of yours was changed. "
        f"Please report the lines above to {ISSUES}.",
        ExitCode.BUG,
    )


def _explain_failed_output(
    error: OSError, name: str, words: Sequence[str], environment: Mapping[str, str]
) -> ExitCode:
    """Tell a full disk under our standard output, which fails again, from a bug of ours."""
    if error.errno not in OUTPUT_ERRORS or error.filename is not None:
        return _bug(name, error)
    try:
        sys.stdout.write(
            "\n"
        )  # what failed before may be dropped from the buffer: flush alone passes
        sys.stdout.flush()
    except OSError as again:
        failed = IndexWriteError(
            f"standard output cannot be written: {again.strerror}",
            hint="Send it to another file or disk.",
        )
        return _report(failed, name, words, environment)
    return _bug(name, error)


def _close_stdout() -> None:
    """Flush; when nothing can be written, point the stream at nothing so that exit stays quiet."""
    try:
        sys.stdout.flush()
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())


@contextmanager
def _sigterm_raises() -> Generator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise Terminated

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
