"""Log lines that cannot be forged, progress from events, results in three forms."""

import io
import json
import logging

from musefs.index.command.common import CommonPlan, LogFormat, OutputFormat, When
from musefs.index.command.log import LineFormatter
from musefs.index.command.output import Output, error_lines, path_fields
from musefs.index.command.progress import LineSink, Progress, RecordingSink, format_bytes
from musefs.index.errors import PartitionError, TemplateError


class FakeClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _record(message: str) -> logging.LogRecord:
    record = logging.LogRecord("musefs.x", logging.WARNING, "f", 1, message, None, None)
    record.counter = "bad_names"
    return record


def test_no_name_can_forge_a_log_line() -> None:
    forged = 'a"b\r\nlevel=error \x1b[2J\u2028 \udcff'
    for log_format in (LogFormat.HUMAN, LogFormat.LOGFMT, LogFormat.JSON):
        line = LineFormatter(log_format).format(_record(forged))
        assert len(line.splitlines()) == 1
        assert "\x1b" not in line
        line.encode("utf-8")
    fields = json.loads(LineFormatter(LogFormat.JSON).format(_record(forged)))
    assert fields["message"] == forged
    assert fields["counter"] == "bad_names"


def test_the_journal_gets_priorities() -> None:
    line = LineFormatter(LogFormat.HUMAN, journal=True).format(_record("m"))
    assert line == "<4>warning: m"


def test_progress_is_events_with_rate_and_time_left() -> None:
    clock, sink = FakeClock(), RecordingSink()
    with Progress(sink, clock).step("parse", "records", 100) as step:
        for _ in range(4):
            clock.now += 0.5
            step.advance(10, bytes_done=1024)
    last_but_one, last = sink.events[-2:]
    assert (last_but_one.done, last_but_one.rate, last_but_one.remaining_s) == (40, 20.0, 3.0)
    assert last.finished
    assert last.bytes_done == 4096


def test_without_a_terminal_there_is_a_line_every_few_seconds() -> None:
    clock, stream = FakeClock(), io.StringIO()
    with Progress(LineSink(stream, clock), clock).step("tag", "files", 100) as step:
        for _ in range(100):
            clock.now += 0.1
            step.advance()
    lines = stream.getvalue().splitlines()
    assert 3 <= len(lines) <= 5
    assert lines[-1] == "tag: 100/100 (100%) files, 10/s, done in 10.0 s"


def test_a_path_that_is_no_text_is_given_twice() -> None:
    assert path_fields("/a/b") == {"path": "/a/b"}
    assert path_fields(b"/\xff") == {"path": "/\ufffd", "path_base64": "L/8="}


def test_rows_in_each_format() -> None:
    rows = [{"id": 1, "title": "A\nB"}, {"id": 20, "title": None}]
    texts: dict[OutputFormat, str] = {}
    for output_format in OutputFormat:
        stream = io.StringIO()
        Output(CommonPlan(format=output_format, progress=When.NEVER), stream).rows("tracks", rows)
        texts[output_format] = stream.getvalue()
    assert texts[OutputFormat.HUMAN].splitlines() == ["id  title", "1   A\\nB", "20"]
    assert json.loads(texts[OutputFormat.JSON])["tracks"] == rows
    assert json.loads(texts[OutputFormat.NDJSON].splitlines()[0]) == {
        "format_version": 1,
        **rows[0],
    }


def test_bytes_read_as_people_read_them() -> None:
    assert [format_bytes(n) for n in (5, 1536, 3 << 30)] == ["5 B", "1.5 KiB", "3.0 GiB"]


def test_the_caret_of_a_template_error_stands_on_a_line_of_its_own() -> None:
    error = TemplateError("`[` is never closed\n  $a/[$b\n     ^", hint="See the docs.")
    assert list(error_lines(error, "musefs-mount")) == [
        "musefs-mount: `[` is never closed",
        "  $a/[$b",
        "     ^",
        "  hint: See the docs.",
    ]


def test_the_partitions_to_choose_from_are_listed_a_line_each() -> None:
    error = PartitionError("2 partitions", hint="Choose one:\n  1: NTFS\n  2: bad\x1b[31m")
    lines = list(error_lines(error, "musefs-scan"))
    assert lines[1:3] == ["  hint: Choose one:", "  1: NTFS"]
    assert "\x1b" not in lines[3]
