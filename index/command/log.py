"""Logging for the commands: human lines, logfmt or JSON, to standard error and to a file.

Library modules only call `logging.getLogger(__name__)`; nothing but a command's border calls
`logging_to`. A message that holds line breaks or control characters (file names may) always stays
one line, so a log cannot be forged by naming a file cleverly.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from musefs.index.command.common import CommonPlan, LogFormat
from musefs.index.errors import ConfigError

_LEVELS = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO, 2: logging.DEBUG}
_COLORS = {logging.DEBUG: "2", logging.INFO: "36", logging.WARNING: "33", logging.ERROR: "31"}
_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def quote(text: str) -> str:
    """Return `text` as one logfmt value, on one line whatever it holds."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def one_line(text: str) -> str:
    """Return `text` with every control character and lone surrogate escaped."""
    return _BREAKS.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


class LineFormatter(logging.Formatter):
    """Formats one record as one line in one of the three forms."""

    def __init__(
        self, log_format: LogFormat, *, color: bool = False, journal: bool = False
    ) -> None:
        super().__init__()
        self._format = log_format
        self._color = color
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for `record`, without a line break in it."""
        fields = self._fields(record)
        if self._format is LogFormat.JSON:
            line = json.dumps(fields)
        elif self._format is LogFormat.LOGFMT:
            line = " ".join(f"{key}={quote(value)}" for key, value in fields.items())
        else:
            line = self._human(record, fields)
        return f"<{_journal_priority(record.levelno)}>{line}" if self._journal else line

    def _fields(self, record: logging.LogRecord) -> dict[str, str]:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        counter: object = getattr(record, "counter", None)
        if counter is not None:
            fields["counter"] = str(counter)
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return fields

    def _human(self, record: logging.LogRecord, fields: Mapping[str, str]) -> str:
        level = fields["level"]
        if self._color:
            level = f"\x1b[{_COLORS.get(record.levelno, '31')}m{level}\x1b[0m"
        line = f"{level}: {one_line(fields['message'])}"
        if "traceback" in fields:  # a person reads it: keep its lines, escape what is in them
            line += "".join(f"\n  {one_line(row)}" for row in fields["traceback"].split("\n"))
        return line


def _journal_priority(level: int) -> int:
    if level >= logging.ERROR:
        return 3
    if level >= logging.WARNING:
        return 4
    return 6 if level >= logging.INFO else 7


def under_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Return whether systemd reads `stream` into the journal."""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    if not inode:
        return False
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no file behind the stream: then it is no journal either
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def _stderr_handler(plan: CommonPlan, environment: Mapping[str, str]) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    color = plan.color and sys.stderr.isatty()
    journal = under_journal(sys.stderr, environment)
    handler.setFormatter(LineFormatter(plan.log_format, color=color, journal=journal))
    return handler


def _file_handler(path: Path) -> logging.Handler:
    try:
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ConfigError(
            f"--log-file cannot be written: {error.strerror}",
            path=path,
            hint="Name a file in a folder that exists and can be written.",
        ) from error
    handler.setFormatter(LineFormatter(LogFormat.LOGFMT))
    return handler


@contextmanager
def logging_to(plan: CommonPlan, environment: Mapping[str, str]) -> Generator[None]:
    """Send the log of musefs where the plan says, for the length of one run."""
    logger = logging.getLogger("musefs")
    handlers = [_stderr_handler(plan, environment)]
    if plan.log_file is not None:
        handlers.append(_file_handler(plan.log_file))
    previous = (logger.level, logger.propagate)
    logger.setLevel(_LEVELS[plan.verbosity])
    logger.propagate = False
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        logger.setLevel(previous[0])
        logger.propagate = previous[1]
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
