"""Attach an index inside an in-memory database, and say in our own words why it cannot be.

Never `duckdb.connect(path)` here: within one process it answers with the *old* file after the
path was replaced, while ATTACH sees the new one (measured; decision D6).
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from musefs.index.errors import (
    IndexBusyError,
    IndexDamagedError,
    IndexDiskFullError,
    IndexFileError,
    IndexMissingError,
    MusefsError,
    NotAnIndexError,
    SchemaVersionError,
)
from musefs.index.schema.ddl import SCHEMA_VERSION, quote_name, quote_text

DUCKDB_MAGIC = b"DUCK"
"""Bytes 8 to 11 of every DuckDB file."""

MINIMUM_BYTES = 12_288
"""Three 4 KiB headers: a shorter DuckDB file was cut off."""

OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
"""Settings of every connection of ours: an index must never make a program reach for the net."""

_HOLDER = re.compile(r"PID (\d+)")

_UNREADABLE = (
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.SerializationException,
)
"""What DuckDB raises in a query when blocks are cut off or fail their checksums."""


def connect_memory(threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Open an empty in-memory database that never loads extensions."""
    config = dict(OFFLINE)
    if threads is not None:
        config["threads"] = threads
    return duckdb.connect(":memory:", config=config)


def explain_open_error(error: duckdb.Error, path: Path) -> MusefsError:
    """Return our own error for what DuckDB said when it opened `path`."""
    text = str(error)
    if "Conflicting lock" in text or "being used by another process" in text:
        holder = _HOLDER.search(text)
        who = f"pid {holder[1]}" if holder else "another process"
        return IndexBusyError(f"in use by {who}", path=path)
    if "database does not exist" in text:
        return IndexMissingError("no index there", path=path)
    if "not a valid DuckDB database" in text:
        return NotAnIndexError("not a musefs index", path=path)
    if "No space left" in text or "Disk quota" in text:
        return IndexDiskFullError(f"no space left: {text.splitlines()[0]}", path=path)
    if "Permission denied" in text:
        return IndexFileError("permission denied", path=path, hint="Check who may read the file.")
    hint = "Put a copy of it in its place, or scan again to another --out."
    return IndexDamagedError(f"cannot be read: {text.splitlines()[0]}", path=path, hint=hint)


def check_file(path: Path) -> None:
    """Refuse at once what cannot be an index, with the reason in words."""
    try:
        with path.open("rb") as file:
            head = file.read(MINIMUM_BYTES)
    except FileNotFoundError as error:
        raise IndexMissingError("no index there", path=path) from error
    except IsADirectoryError as error:
        raise NotAnIndexError("is a directory, not an index", path=path) from error
    except PermissionError as error:
        if path.is_dir():  # how Windows says it
            raise NotAnIndexError("is a directory, not an index", path=path) from error
        hint = "Check who may read the file."
        raise IndexFileError("permission denied", path=path, hint=hint) from error
    if head[8:12] != DUCKDB_MAGIC:
        raise NotAnIndexError("not a musefs index", path=path)
    if len(head) < MINIMUM_BYTES:
        raise IndexDamagedError("cut off before the end of its header", path=path)


def attach_index(
    con: duckdb.DuckDBPyConnection, path: Path, alias: str = "idx", *, read_only: bool = True
) -> None:
    """Attach `path` to `con` as `alias` and check that it is an index of our schema."""
    check_file(path)
    mode = " (READ_ONLY)" if read_only else ""
    try:
        con.execute(f"ATTACH {quote_text(str(path))} AS {quote_name(alias)}{mode}")
    except duckdb.Error as error:
        raise explain_open_error(error, path) from error
    try:
        check_schema(con, path, alias)
    except BaseException:
        con.execute(f"DETACH {quote_name(alias)}")
        raise


def check_schema(con: duckdb.DuckDBPyConnection, path: Path, alias: str) -> None:
    """Raise unless the attached database is an index of this schema version."""
    try:
        rows = con.execute(f"SELECT schema_version FROM {quote_name(alias)}.meta").fetchall()
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise NotAnIndexError("a DuckDB file, but not a musefs index", path=path) from error
    except duckdb.Error as error:
        raise explain_open_error(error, path) from error
    if len(rows) != 1:
        raise IndexDamagedError(f"its meta table has {len(rows)} rows", path=path)
    ((version,),) = rows
    if version != SCHEMA_VERSION:
        age = "newer" if version > SCHEMA_VERSION else "older"
        raise SchemaVersionError(
            f"has schema {version}, this musefs knows {SCHEMA_VERSION}: it is {age}", path=path
        )


@contextmanager
def explaining_damage(path: Path) -> Generator[None]:
    """Say in our own words that the index's blocks cannot be read; a query finds out, no ATTACH."""
    try:
        yield
    except _UNREADABLE as error:
        raise explain_open_error(error, path) from error


@contextmanager
def attached(
    path: Path, *, alias: str = "idx", read_only: bool = True, threads: int | None = None
) -> Generator[duckdb.DuckDBPyConnection]:
    """Hold an index for the length of a block; unqualified names mean its tables."""
    con = connect_memory(threads)
    try:
        attach_index(con, path, alias, read_only=read_only)
        con.execute(f"USE {quote_name(alias)}")
        with explaining_damage(path):
            yield con
    finally:
        con.close()
