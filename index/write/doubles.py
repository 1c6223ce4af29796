"""Stores and disks that fail, wait, die or count on demand: the other side of the writer's seam.

They ship, so that tests use the same door as production and patch nothing. Each wraps a real one
or stands alone, and takes a `Script` that says what happens at which call.
"""

import errno
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from musefs.index.write.rounds import PendingBatch
from musefs.index.write.store import Disk, Store

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")


class ThreadKilled(BaseException):
    """Ends the writer's thread as nothing foreseen would."""


def disk_full() -> OSError:
    """Return what the system raises on a full disk."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def input_output_error() -> OSError:
    """Return what the system raises when a device fails."""
    return OSError(errno.EIO, os.strerror(errno.EIO))


def kill_process() -> BaseException:
    """Kill this process at once, as the power button would; returns nothing in truth."""
    if sys.platform != "win32":
        os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


@dataclass
class Script:
    """What happens at which call of which operation; also the record of all calls."""

    failures: dict[str, tuple[range | frozenset[int], Callable[[], BaseException]]] = field(
        default_factory=dict[str, tuple[range | frozenset[int], Callable[[], BaseException]]]
    )
    calls: list[str] = field(default_factory=list[str])
    threads: set[tuple[int, str]] = field(default_factory=set[tuple[int, str]])
    counts: Counter[str] = field(default_factory=Counter[str])

    def fail(
        self,
        operation: str,
        numbers: Iterable[int] | range,
        error: Callable[[], BaseException] = disk_full,
    ) -> "Script":
        """Let the given calls of an operation, counted from 1, fail."""
        chosen = numbers if isinstance(numbers, range) else frozenset(numbers)
        self.failures[operation] = (chosen, error)
        return self

    def enter(self, operation: str) -> None:
        """Record a call and fail if the script says so."""
        self.calls.append(operation)
        self.counts[operation] += 1
        thread = threading.current_thread()
        self.threads.add((thread.ident or 0, thread.name))
        numbers, error = self.failures.get(operation, (frozenset[int](), disk_full))
        if self.counts[operation] in numbers:
            raise error()


class NullStore:
    """Takes everything and keeps the rows' numbers only."""

    def __init__(self) -> None:
        self.rounds: list[tuple[str, ...]] = []
        self.rows = 0

    def write(self, batches: Sequence[PendingBatch]) -> int:
        """Count rows."""
        self.rounds.append(tuple(batch.table.name for batch in batches))
        rows = sum(batch.rows.num_rows for batch in batches)
        self.rows += rows
        return rows

    def sync(self) -> None:
        """Do nothing."""

    def run(self, work: "Callable[[duckdb.DuckDBPyConnection], T]") -> T:
        """Refuse: there is no connection."""
        raise NotImplementedError

    def seal(self) -> None:
        """Do nothing."""

    def interrupt(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class ScriptedStore:
    """Another store, failing as a script says."""

    def __init__(self, inner: Store, script: Script) -> None:
        self._inner = inner
        self._script = script
        script.enter("open")

    def write(self, batches: Sequence[PendingBatch]) -> int:
        """Write, unless the script fails this call."""
        self._script.enter("write")
        return self._inner.write(batches)

    def sync(self) -> None:
        """Sync, unless the script fails this call."""
        self._script.enter("sync")
        self._inner.sync()

    def run(self, work: "Callable[[duckdb.DuckDBPyConnection], T]") -> T:
        """Work, unless the script fails this call."""
        self._script.enter("run")
        return self._inner.run(work)

    def seal(self) -> None:
        """Seal, unless the script fails this call."""
        self._script.enter("seal")
        self._inner.seal()

    def interrupt(self) -> None:
        """Interrupt the other store."""
        self._inner.interrupt()

    def close(self) -> None:
        """Close."""
        self._script.enter("close")
        self._inner.close()


class BlockedStore:
    """Another store whose writes wait until they are let go."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.entered = threading.Event()
        """Set when a write has begun."""
        self.go = threading.Event()
        """Set by the test to let writes go on."""

    def write(self, batches: Sequence[PendingBatch]) -> int:
        """Write when the test lets it."""
        self.entered.set()
        self.go.wait()
        return self._inner.write(batches)

    def sync(self) -> None:
        """Sync."""
        self._inner.sync()

    def run(self, work: "Callable[[duckdb.DuckDBPyConnection], T]") -> T:
        """Work."""
        return self._inner.run(work)

    def seal(self) -> None:
        """Seal."""
        self._inner.seal()

    def interrupt(self) -> None:
        """Interrupt the other store."""
        self._inner.interrupt()

    def close(self) -> None:
        """Close."""
        self._inner.close()


class ScriptedDisk:
    """Another disk, failing as a script says."""

    def __init__(self, inner: Disk, script: Script) -> None:
        self._inner = inner
        self._script = script

    def sync_file(self, path: Path) -> None:
        """Make a file durable, unless the script fails this call."""
        self._script.enter("sync_file")
        self._inner.sync_file(path)

    def replace(self, source: Path, target: Path) -> None:
        """Rename, unless the script fails this call."""
        self._script.enter("replace")
        self._inner.replace(source, target)

    def sync_directory(self, path: Path) -> None:
        """Make names durable, unless the script fails this call."""
        self._script.enter("sync_directory")
        self._inner.sync_directory(path)
