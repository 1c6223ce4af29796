"""The generation that is published now: who it is, and nobody writes to it while we take over.

Between the merge and the replacement a user's edit would go into a file that is about to lose
its name. So the old index is held with a shared lock for that time: readers go on, DuckDB
refuses writers with "in use by pid N". Where there are no such locks (Windows, macOS) the gap is
a few milliseconds wide, and an edit in it is noticed by its journal.
"""

import contextlib
import os
import struct
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from musefs.index.errors import IndexBusyError, IndexMissingError, IndexWriteError, NotAnIndexError
from musefs.index.read.attach import attached, connect_memory, explain_open_error
from musefs.index.schema.ddl import quote_text
from musefs.index.schema.enums import VolumeKind
from musefs.index.write.sweep import wal_path

BUSY_SECONDS = 10.0
"""How long publication waits for a user's own session to let go of the index."""

BUSY_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class VolumeIdentity:
    """What tells one volume from another, and how people name it."""

    kind: VolumeKind
    source: str
    root_path: str | None
    serial: str | None
    label: str | None
    formatted_raw: int | None


@dataclass(frozen=True, slots=True)
class PreviousIndex:
    """What a new generation must continue."""

    index_id: str
    generation: int
    track_high_water: int
    last_change: int
    volume: VolumeIdentity | None
    """None if the index describes no volume."""


def read_previous(path: Path) -> PreviousIndex | None:
    """Return what is published at `path`, None if nothing; raises if it is no index of ours."""
    if not path.exists():  # asked first: to be told so by a database takes 15 ms
        return None
    try:
        with attached(path, threads=1) as con:
            row = con.execute(
                "SELECT index_id, generation, greatest(track_high_water, "
                "coalesce((SELECT max(track_id) FROM tracks), 0)), "
                "coalesce((SELECT max(sequence) FROM changes), 0) FROM meta"
            ).fetchone()
            volume = con.execute(
                "SELECT kind::VARCHAR, source, root_path, serial, label, formatted_raw FROM volumes"
            ).fetchone()
    except IndexMissingError:
        return None
    if row is None:
        raise NotAnIndexError("its meta table is empty", path=path)
    about = None if volume is None else VolumeIdentity(VolumeKind(volume[0]), *volume[1:])
    index_id, generation, high_water, last_change = row
    return PreviousIndex(index_id, generation, high_water, last_change, about)


def check_place(path: Path) -> None:
    """Refuse a path that could not be published to, before any work is done."""
    parent = path.parent
    try:
        if not parent.is_dir():
            raise IndexWriteError(f"the folder {parent} does not exist", path=path)
        if path.is_dir():
            raise IndexWriteError("is a directory", path=path, hint="Give a file name with --out.")
    except PermissionError as error:
        raise IndexWriteError("permission denied on the way to it", path=path) from error
    if not os.access(parent, os.W_OK):
        raise IndexWriteError("permission denied in its folder", path=path)


def fold_journal(path: Path) -> None:
    """Bring committed edits that are only in the journal into the index itself."""
    with connect_memory(1) as con:
        try:
            con.execute(f"ATTACH {quote_text(str(path))} AS old")
            con.execute("CHECKPOINT old")
            con.execute("DETACH old")
        except duckdb.Error as error:
            raise explain_open_error(error, path) from error


@contextlib.contextmanager
def held(
    path: Path,
    *,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[None]:
    """Keep writers away from the published index; its journal is folded in and gone."""
    give_up_at = clock() + BUSY_SECONDS
    while True:
        try:
            descriptor = _take(path)
            break
        except IndexBusyError:
            if clock() >= give_up_at:
                raise
            pause(BUSY_PAUSE_SECONDS)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _take(path: Path) -> int | None:
    """Fold the journal and lock; the order is checked, because a writer may slip in between."""
    while True:
        if wal_path(path).exists():
            fold_journal(path)
        descriptor = _open_shared(path)
        if descriptor is None or not wal_path(path).exists():
            return descriptor
        os.close(descriptor)


def _open_shared(path: Path) -> int | None:
    """Open and lock the index; None where an open file could not be replaced."""
    if sys.platform == "win32":
        return None
    else:  # noqa: RET505 - or the type checkers call the rest unreachable there
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError as error:
            raise IndexMissingError("was removed while the scan ran", path=path) from error
        if not _share(descriptor):
            os.close(descriptor)
            raise IndexBusyError("in use: another program is writing to it", path=path)
        return descriptor


def _share(descriptor: int) -> bool:
    """Take a shared lock that belongs to the descriptor, not to the process.

    DuckDB's own locks are the process's: closing any descriptor of the file would drop them.
    """
    if sys.platform == "linux":
        import fcntl

        flock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, flock)
        except BlockingIOError:
            return False
    return True
