"""The seam under the writer: a store takes rounds, a disk makes files durable.

`DuckDbStore` and `RealDisk` are what a scan uses; `musefs.index.write.doubles` has those that
fail on demand. A store is opened, used and closed by the writer's thread and by nobody else.
"""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from musefs.index.errors import (
    IndexDiskFullError,
    IndexWriteError,
    MusefsError,
    PublishError,
)
from musefs.index.schema.ddl import quote_name, quote_text
from musefs.index.write.blank import make_tables
from musefs.index.write.packing import kept_rows
from musefs.index.write.rounds import ROW_GROUP_ROWS, PendingBatch
from musefs.index.write.sweep import remove_building, spill_path, wal_path

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

T = TypeVar("T")

CATALOG = "building"
"""What the database that is being built is called on the writer's connection."""

LOAD_THREADS = 1
"""Threads of DuckDB while loading. Two load no faster beside the parser threads: 2.0 s of processor
time against 1.2 s for 2 M rows, and partial row groups that have to be written again."""

SYNC_ROWS = 8 * ROW_GROUP_ROWS
"""Rows between two checkpoints while loading. One after each round cost an eighth of the load."""

LOAD_MEMORY = "96MB"
"""What DuckDB may keep while loading: without it the blocks it wrote stay in memory, and a scan's
peak grows with the volume. Three rounds of rows; what does not fit is spilled beside the index."""


class Disk(Protocol):
    """What publication asks of the file system."""

    def sync_file(self, path: Path) -> None:
        """Make a file's bytes durable."""
        ...

    def replace(self, source: Path, target: Path) -> None:
        """Give `source` the name `target`, in one step."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Make the names in a directory durable."""
        ...


class RealDisk:
    """The operating system's file system."""

    def sync_file(self, path: Path) -> None:
        """Make a file's bytes durable."""
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """Give `source` the name `target`, in one step."""
        source.replace(target)

    def sync_directory(self, path: Path) -> None:
        """Make the names in a directory durable; Windows does so by itself."""
        if sys.platform != "win32":
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


class Store(Protocol):
    """Where rounds go."""

    def write(self, batches: Sequence[PendingBatch]) -> int:
        """Write all batches or none, and return the number of rows."""
        ...

    def sync(self) -> None:
        """Bring everything written into the file."""
        ...

    def run(self, work: "Callable[[duckdb.DuckDBPyConnection], T]") -> T:
        """Do other work on the connection."""
        ...

    def seal(self) -> None:
        """Finish the file: afterwards it is whole, alone and closed."""
        ...

    def interrupt(self) -> None:
        """Break off what runs now; the one method that other threads may call."""
        ...

    def close(self) -> None:
        """Let go of everything; an unsealed file is removed."""
        ...


def explain_write_error(error: BaseException, path: Path) -> MusefsError:
    """Return our own error for a failure to write."""
    if isinstance(error, MusefsError):
        return error
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "No space left" in text or "Disk quota" in text or "disk space" in text:
        return IndexDiskFullError(f"no space left: {text}", path=path)
    if isinstance(error, PermissionError) or "Permission denied" in text:
        return IndexWriteError(f"permission denied: {text}", path=path)
    return IndexWriteError(f"cannot be written: {text}", path=path)


class DuckDbStore:
    """A building file, attached to an in-memory connection.

    Without DuckDB's journal: a building file is private and worthless until it is sealed, and
    sealing checkpoints it.
    """

    def __init__(self, building: Path) -> None:
        from musefs.index.read.attach import connect_memory

        self._path = building
        self._sealed = False
        self._unsynced_rows = 0
        self._con = connect_memory(LOAD_THREADS)
        self._con.execute(f"SET temp_directory = {quote_text(str(spill_path(building)))}")
        self._con.execute(f"SET memory_limit = '{LOAD_MEMORY}'")
        self._con.execute(
            f"ATTACH {quote_text(str(building))} AS {CATALOG} "
            f"(ROW_GROUP_SIZE {ROW_GROUP_ROWS}, RECOVERY_MODE 'no_wal_writes')"
        )
        make_tables(self._con, CATALOG)
        self._con.execute(f"USE {CATALOG}")

    def write(self, batches: Sequence[PendingBatch]) -> int:
        """Write all batches in one transaction, as Arrow, and return the number of rows."""
        tables = _by_table(batches)
        written = sum(rows.num_rows for _, rows in tables)
        kept = [part for name, rows in tables for part in kept_rows(name, rows)]
        for name, rows in kept:
            self._con.register(f"batch_{name}", rows)
        self._con.execute("BEGIN")
        try:
            for name, rows in kept:
                self._insert(name, rows.schema.names)
            self._con.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        finally:  # after the transaction: in an aborted one nothing can be unregistered
            for name, _ in kept:
                self._con.unregister(f"batch_{name}")
        self._unsynced_rows += written
        return written

    def _insert(self, name: str, columns: list[str]) -> None:
        listed = ", ".join(quote_name(column) for column in columns)
        self._con.execute(
            f"INSERT INTO {quote_name(name)} ({listed}) SELECT {listed} FROM batch_{name}"
        )

    def _roll_back(self) -> None:
        import duckdb

        try:
            self._con.execute("ROLLBACK")
        except duckdb.Error:
            # DuckDB had rolled back by itself: some errors end the transaction, some do not
            return

    def sync(self) -> None:
        """Bring what was written into the file, once there is enough of it; `seal` brings all."""
        if self._unsynced_rows >= SYNC_ROWS:
            self._checkpoint()

    def _checkpoint(self) -> None:
        self._con.execute(f"CHECKPOINT {CATALOG}")
        self._unsynced_rows = 0

    def run(self, work: "Callable[[duckdb.DuckDBPyConnection], T]") -> T:
        """Do other work on the connection."""
        return work(self._con)

    def seal(self) -> None:
        """Checkpoint, close, and see that nothing is left outside the file.

        The result of the checkpoint is what counts: on a full disk `close()` succeeds silently.
        """
        self._checkpoint()
        self._con.execute("USE memory")
        self._con.execute(f"DETACH {CATALOG}")
        self._con.close()
        if wal_path(self._path).exists():
            raise PublishError("the database left its journal behind", path=self._path)
        self._sealed = True

    def interrupt(self) -> None:
        """Break off the statement that runs now; it fails and its transaction is rolled back."""
        if not self._sealed:
            self._con.interrupt()

    def close(self) -> None:
        """Let go of everything; an unsealed file is removed."""
        self._con.close()
        if not self._sealed:
            remove_building(self._path)


def _by_table(batches: Sequence[PendingBatch]) -> list[tuple[str, "pa.Table"]]:
    import pyarrow as pa

    grouped: dict[str, list[pa.Table]] = {}
    for batch in batches:
        grouped.setdefault(batch.table.name, []).append(batch.rows)
    return [(name, pa.concat_tables(tables)) for name, tables in grouped.items()]
