"""Going to the background: the command returns when the mount is there, or says why it is not."""

import json
import os
import sys

from musefs.index.errors import ExitCode, MountRefusedError, MusefsError


class Background:
    """The half of a process that serves; its other half waits for the outcome and returns it."""

    def __init__(self, report: int) -> None:
        self._report = report

    def ready(self) -> None:
        """Let the command return: the mount is there."""
        self._send({"ready": True})
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        os.close(nothing)

    def failed(self, error: BaseException) -> None:
        """Let the command fail with this error."""
        if self._report < 0:
            return
        known = error if isinstance(error, MusefsError) else None
        self._send(
            {
                "message": known.message if known else repr(error),
                "path": known.path if known else None,
                "hint": known.hint if known else None,
                "code": int(known.exit_code if known else ExitCode.BUG),
            }
        )

    def _send(self, outcome: dict[str, object]) -> None:
        os.write(self._report, json.dumps(outcome).encode())
        os.close(self._report)
        self._report = -1


def go_to_background() -> Background | ExitCode:
    """Split the process: the new one gets a Background, the old one the exit code to return.

    Call it before the first thread is started: threads do not survive the split.
    """
    ours, theirs = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork():
        os.close(theirs)
        return _wait_for_outcome(ours)
    os.close(ours)
    os.setsid()
    os.chdir("/")
    return Background(theirs)


def _wait_for_outcome(channel: int) -> ExitCode:
    with os.fdopen(channel, "rb") as stream:
        text = stream.read()
    if not text:
        raise MountRefusedError("the background process ended without a word")
    outcome = json.loads(text)
    if "ready" in outcome:
        return ExitCode.OK
    raise _as_it_was(outcome["message"], outcome["path"], outcome["hint"], outcome["code"])


def _as_it_was(message: str, path: str | None, hint: str | None, code: int) -> MusefsError:
    """Return an error with the exit code of the one that happened in the background."""
    kind = type("BackgroundError", (MountRefusedError,), {"exit_code": ExitCode(code)})
    error: MusefsError = kind(message, path=path, hint=hint)
    return error
