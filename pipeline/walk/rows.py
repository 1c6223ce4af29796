"""Rows of the walk: from directory entries to Arrow batches of the volume tables."""

import os
import stat
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from musefs.index.backing.file_record import FILETIME_UNIX_EPOCH
from musefs.index.schema.column import Table
from musefs.index.schema.enums import Namespace, PathState, RecordState, code_of
from musefs.index.schema.volume_tables import DIRECTORIES, ENTRIES, NAMES
from musefs.pipeline.walk.listing import Found

ROWS_PER_BATCH = 16_384
"""Rows collected before a batch is handed over: large enough for columns to pay, small in RAM."""

READ_ONLY, HIDDEN, REPARSE = 0x1, 0x2, 0x400
SYMLINK_TAG = 0xA000000C
_SOUND, _POSIX = code_of(RecordState.OK), code_of(Namespace.POSIX)
BLOCK_BYTES = 512
"""st_blocks counts these on every system."""


class Rows:
    """Collects rows as columns and gives them away as batches."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._columns: dict[str, list[Any]] = {column.name: [] for column in table.stored}
        self._appends = [self._columns[column.name].append for column in table.stored]
        self._length = 0

    def append(self, *values: object) -> None:
        """Add one row, in the order of the table's stored columns."""
        for add, value in zip(self._appends, values, strict=True):
            add(value)
        self._length += 1

    def drain(self, *, least: int = 1) -> Iterator[tuple[Table, pa.RecordBatch]]:
        """Yield a batch if at least `least` rows are collected."""
        if self._length < least:
            return
        yield (
            self.table,
            pa.RecordBatch.from_pydict(self._columns, schema=self.table.arrow_schema),
        )
        for column in self._columns.values():
            column.clear()
        self._length = 0


def display_name(name: bytes) -> tuple[str, bytes | None]:
    """Return the display text and, where it differs, the exact bytes."""
    try:
        return name.decode(), None
    except UnicodeDecodeError:
        return name.decode(errors="backslashreplace"), name


def filetime(unix_ns: int) -> int:
    """Return a time as 100 ns since 1601, 0 if it lies before that."""
    return max(0, unix_ns // 100 + FILETIME_UNIX_EPOCH)


def attributes(found: Found) -> int:
    """Return Windows attribute bits for what other systems say in their own way."""
    bits = HIDDEN if found.name.startswith(b".") else 0
    if not found.status.st_mode & 0o222:
        bits |= READ_ONLY
    return bits | (REPARSE if found.target is not None else 0)


def content_size(status: os.stat_result) -> int | None:
    """Return the length of a plain file; other things have no content to read."""
    return status.st_size if stat.S_ISREG(status.st_mode) else None


class VolumeRows:
    """The three tables that a walk fills."""

    def __init__(self) -> None:
        self.entries = Rows(ENTRIES)
        self.names = Rows(NAMES)
        self.directories = Rows(DIRECTORIES)

    def drain(self, *, least: int = 1) -> Iterator[tuple[Table, pa.RecordBatch]]:
        """Yield the batches that are full enough."""
        for rows in (self.entries, self.names, self.directories):
            yield from rows.drain(least=least)

    def add_entry(self, entry_id: int, record: int, found: Found, name_count: int) -> None:
        """Add the row of one file or folder."""
        status = found.status
        size = content_size(status)
        linked = found.target is not None
        self.entries.append(
            entry_id, record, 0, True, found.is_directory,
            size, getattr(status, "st_blocks", 0) * BLOCK_BYTES, size,
            filetime(getattr(status, "st_birthtime_ns", -FILETIME_UNIX_EPOCH * 100)),
            filetime(status.st_mtime_ns), filetime(status.st_ctime_ns),
            filetime(status.st_atime_ns),
            attributes(found),
            SYMLINK_TAG if linked else None,
            display_name(found.target)[0] if found.target is not None else None,
            status.st_uid, 0, status.st_nlink, name_count, 0, _SOUND,
        )  # fmt: skip

    def add_name(self, entry_id: int, ordinal: int, name: bytes, parent_record: int) -> None:
        """Add the row of one name."""
        text, exact = display_name(name)
        self.names.append(
            entry_id, ordinal, text, exact, None, _POSIX, parent_record, 0,
            0, 0, 0, 0,
        )  # fmt: skip

    def add_directory(
        self,
        entry_id: int,
        record: int,
        parent_id: int | None,
        path: bytes,
        depth: int,
        *,
        hidden: bool,
    ) -> None:
        """Add the row of one directory; `path` ends with a slash."""
        text, exact = display_name(path)
        self.directories.append(
            entry_id, record, 0, parent_id, text, exact, depth, hidden, PathState.OK.value
        )
