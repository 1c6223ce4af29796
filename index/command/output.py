"""Results on standard output, errors as an envelope: the machine-readable face of the commands.

Data goes to standard output in the chosen format and nothing else does; talk goes to standard
error. Every JSON object carries `format_version`; changing a field's meaning raises it and is a
breaking release. Bytes that are no UTF-8 are given twice, as text and as base64, so that no name
is lost on the way through JSON.
"""

import base64
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from musefs.index.command.common import CommonPlan, OutputFormat
from musefs.index.command.log import one_line
from musefs.index.errors import IndexWriteError, MusefsError, PartitionError, TemplateError

FORMAT_VERSION = 1
"""Version of every JSON object that a command writes."""

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]


def path_fields(path: str | bytes | Path, name: str = "path") -> dict[str, Json]:
    """Return a path as JSON fields: `path`, and `path_base64` when its bytes are no UTF-8."""
    raw = path if isinstance(path, bytes) else os.fsencode(path)
    text = raw.decode("utf-8", "replace")
    if text.encode("utf-8") == raw:
        return {name: text}
    return {name: text, f"{name}_base64": base64.b64encode(raw).decode("ascii")}


def error_fields(error: MusefsError) -> dict[str, Json]:
    """Return the envelope of an error."""
    body: dict[str, Json] = {
        "class": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exit_code": int(error.exit_code),
    }
    if error.path is not None:
        body |= path_fields(error.path)
    return {"format_version": FORMAT_VERSION, "error": body}


class Output:
    """Writes one command's results in the format of its plan."""

    def __init__(self, plan: CommonPlan, stream: TextIO | None = None) -> None:
        self._plan = plan
        self._stream = sys.stdout if stream is None else stream

    @property
    def machine(self) -> bool:
        """Return whether results go to a program."""
        return self._plan.format is not OutputFormat.HUMAN

    def line(self, text: str = "") -> None:
        """Write a line for people; nothing in the machine formats."""
        if not self.machine:
            self._stream.write(_printable(text) + "\n")

    def summary(self, text: str) -> None:
        """Write a line about what was done; not with --quiet."""
        if not self._plan.quiet:
            self.line(text)

    def note(self, text: str) -> None:
        """Tell people on standard error why there are no results; not with --quiet."""
        if not self.machine and not self._plan.quiet:
            sys.stderr.write(_printable(text) + "\n")

    def result(self, fields: Mapping[str, Json]) -> None:
        """Write the one result object; nothing in the human format."""
        if self.machine:
            self._dump({"format_version": FORMAT_VERSION, **fields})

    def rows(self, name: str, rows: Iterable[Mapping[str, Json]]) -> None:
        """Write rows: an object with a list in json, an object a line in ndjson, else text."""
        if self._plan.format is OutputFormat.JSON:
            self._dump({"format_version": FORMAT_VERSION, name: list(rows)})
        elif self._plan.format is OutputFormat.NDJSON:
            for row in rows:
                self._dump({"format_version": FORMAT_VERSION, **row})
        else:
            self.table(list(rows))

    def table(self, rows: Sequence[Mapping[str, Json]]) -> None:
        """Write rows as an aligned table for people."""
        if not rows or self.machine:
            return
        names = list(rows[0])
        cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
        widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
        for line in cells:
            padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
            self.line("  ".join(padded).rstrip())

    def _dump(self, fields: Mapping[str, Json]) -> None:
        self._stream.write(json.dumps(fields, ensure_ascii=True) + "\n")


def _cell(value: Json) -> str:
    return "" if value is None else one_line(str(value))


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def write_stats(target: Path, fields: Mapping[str, Json]) -> None:
    """Write the --stats object; `-` is standard error."""
    text = json.dumps({"format_version": FORMAT_VERSION, **fields}, indent=2) + "\n"
    if str(target) == "-":
        sys.stderr.write(text)
        return
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise IndexWriteError(
            f"--stats cannot be written: {error.strerror}",
            path=target,
            hint="Name a file in a folder that exists and can be written.",
        ) from error


def error_lines(error: MusefsError, program: str) -> Iterator[str]:
    """Yield an error as people read it: what happened, then what to do."""
    if isinstance(error, TemplateError):  # its caret stands below the place, so its lines stay
        first, *rest = (one_line(line) for line in str(error).split("\n"))
        yield f"{program}: {first}"
        yield from rest
    else:
        yield f"{program}: {one_line(str(error))}"
    if isinstance(error, PartitionError):  # its hint is the list of partitions
        first, *rest = (one_line(line) for line in (error.hint or "").split("\n"))
        yield f"  hint: {first}"
        yield from rest
    elif error.hint:
        yield f"  hint: {one_line(error.hint)}"


def report_error(error: MusefsError, program: str, output_format: OutputFormat) -> None:
    """Write an error to standard error in the form the caller asked for."""
    with suppress(BrokenPipeError):  # nobody listens any more; the exit code still speaks
        if output_format is OutputFormat.HUMAN:
            sys.stderr.write("".join(f"{line}\n" for line in error_lines(error, program)))
        else:
            sys.stderr.write(json.dumps(error_fields(error)) + "\n")
