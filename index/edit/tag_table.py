"""Tags as a table outside the index: CSV (a row a value) and JSON lines (an object a track).

Import changes what the table names and nothing else: keys of a track that do not occur stay. An
empty value in CSV, an empty list in JSON, removes the key.
"""

import csv
import json
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO

from musefs.index.edit.plan import TableFormat
from musefs.index.edit.vocabulary import MAX_KEY_CHARACTERS, normalise
from musefs.index.errors import UsageError

CSV_COLUMNS = ("track_id", "path", "key", "ordinal", "value")

Row = tuple[int, str, str, int, str]
"""track_id, path, key, ordinal, value; by track, then key, then ordinal."""

TagLists = dict[tuple[int, str], list[str]]
"""(track_id, key) → values in order."""


def table_format(path: Path, asked: TableFormat | None) -> TableFormat:
    """Return the form of a table: as asked, or as its name says; CSV on standard output."""
    if asked is not None:
        return asked
    if path.suffix.lower() in (".jsonl", ".ndjson", ".json"):
        return TableFormat.JSONL
    if path.suffix.lower() == ".csv" or str(path) == "-":
        return TableFormat.CSV
    raise UsageError(
        "the name does not say which form the table has", path=path, hint="Add --as csv or jsonl."
    )


@contextmanager
def _opened(path: Path, mode: Literal["r", "w"], standard: TextIO) -> Generator[TextIO]:
    if str(path) == "-":
        yield standard
        return
    try:
        file = path.open(mode, encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"cannot be opened: {error.strerror}", path=path) from error
    with file:
        yield file


def write_table(path: Path, form: TableFormat, rows: Iterable[Row]) -> int:
    """Write tags and return the number of values."""
    with _opened(path, "w", sys.stdout) as file:
        return _write_csv(file, rows) if form is TableFormat.CSV else _write_jsonl(file, rows)


def _write_csv(file: TextIO, rows: Iterable[Row]) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - the last one is the result
        writer.writerow(row)
    return count


def _write_jsonl(file: TextIO, rows: Iterable[Row]) -> int:
    count = 0
    present: tuple[int, str] | None = None
    tags: dict[str, list[str]] = {}
    for count, (track_id, path, key, _, value) in enumerate(rows, 1):  # noqa: B007
        if present is not None and present[0] != track_id:
            _dump(file, present, tags)
            tags = {}
        present = (track_id, path)
        tags.setdefault(key, []).append(value)
    if present is not None:
        _dump(file, present, tags)
    return count


def _dump(file: TextIO, track: tuple[int, str], tags: dict[str, list[str]]) -> None:
    line = {"track_id": track[0], "path": track[1], "tags": tags}
    file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read_table(path: Path, form: TableFormat) -> TagLists:
    """Read tags; raises UsageError with the line that cannot be understood."""
    with _opened(path, "r", sys.stdin) as file:
        return _read_csv(file, path) if form is TableFormat.CSV else _read_jsonl(file, path)


def _read_csv(file: TextIO, path: Path) -> TagLists:
    reader = csv.DictReader(file)
    missing = {"track_id", "key", "value"} - set(reader.fieldnames or ())
    if missing:
        raise UsageError(f"has no column {', '.join(sorted(missing))}", path=path)
    placed: dict[tuple[int, str], list[tuple[int, str]]] = {}
    for row in reader:
        values = placed.setdefault(
            (_number(row["track_id"], path, reader.line_num), _key(row["key"], path)), []
        )
        if row["value"]:
            ordinal = row.get("ordinal") or str(len(values))
            values.append((_number(ordinal, path, reader.line_num), row["value"]))
    return {
        pair: [value for _, value in sorted(values, key=lambda v: v[0])]
        for pair, values in placed.items()
    }


def _read_jsonl(file: TextIO, path: Path) -> TagLists:
    lists: TagLists = {}
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            track = json.loads(line)
            for key, values in track["tags"].items():
                given = [values] if isinstance(values, str) else list(values)
                lists[int(track["track_id"]), _key(key, path)] = [str(value) for value in given]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"line {number} is not an object with track_id and tags", path=path
            ) from error
    return lists


def _number(text: str | None, path: Path, line: int) -> int:
    try:
        return int(text or "")
    except ValueError as error:
        raise UsageError(f"line {line}: {text!r} is not a number", path=path) from error


def _key(text: str, path: Path) -> str:
    key = normalise(text)
    if not key or len(key) > MAX_KEY_CHARACTERS:
        raise UsageError(f"{text!r} cannot be the name of a tag", path=path)
    return key
