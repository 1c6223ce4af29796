"""Names of the files around an index, and removal of what killed scans left behind.

Sweep under the lock only: without it, another scanner's building file looks like a leftover.
"""

import os
import shutil
from pathlib import Path

from musefs.index.counters import Counter, degrade

BUILDING_INFIX = ".building-"
KEPT_SUFFIX = ".new"
"""Name of a finished index that could not take its place; see docs/troubleshooting.md."""


def building_path(index: Path, pid: int | None = None) -> Path:
    """Return where a process builds the next generation of an index."""
    return index.with_name(f"{index.name}{BUILDING_INFIX}{os.getpid() if pid is None else pid}")


def wal_path(database: Path) -> Path:
    """Return the journal that DuckDB keeps beside a database."""
    return database.with_name(database.name + ".wal")


def spill_path(database: Path) -> Path:
    """Return where DuckDB puts what does not fit into memory while building."""
    return database.with_name(database.name + ".tmp")


def kept_path(index: Path) -> Path:
    """Return the name of a finished index that could not be published."""
    return index.with_name(index.name + KEPT_SUFFIX)


def remove_building(database: Path) -> None:
    """Remove a building file with its journal and spill directory."""
    for path in (wal_path(database), database):
        path.unlink(missing_ok=True)
    if spill_path(database).is_dir():
        shutil.rmtree(spill_path(database))


def leftovers(index: Path) -> list[Path]:
    """Return files and directories of unfinished scans, in order of name."""
    prefix = index.name + BUILDING_INFIX
    if not index.parent.is_dir():
        return []
    return sorted(path for path in index.parent.iterdir() if path.name.startswith(prefix))


def sweep(index: Path) -> int:
    """Remove leftovers and return how many; each is counted and logged."""
    swept = 0
    for path in leftovers(index):
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            degrade(Counter.LEFTOVERS_SWEPT, "could not remove %s: %s", path, error, amount=0)
            continue
        swept += 1
        degrade(Counter.LEFTOVERS_SWEPT, "removed %s, left by an unfinished scan", path)
    return swept
