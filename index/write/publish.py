"""Publication by replacement: at every kill point the path holds a whole old or new index (D4).

seal (checkpoint, close, no journal left) → fsync the file → replace → fsync the directory. A
step that failed can be tried again; steps that were done are not repeated. Nothing is deleted
here: recovery copies go only when `done` says that the new generation is durable and published.
"""

import errno
import sys
import time
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path

from musefs.index.counters import Counter, degrade
from musefs.index.errors import IndexBusyError, MusefsError, NotAnIndexError, PublishError
from musefs.index.write.store import Disk, Store, explain_write_error
from musefs.index.write.sweep import KEPT_SUFFIX, kept_path, wal_path

REPLACE_SECONDS = 3.0
"""How long a replacement is retried where an open file cannot be replaced (Windows)."""

REPLACE_PAUSE_SECONDS = 0.1
"""Pause between two tries: a reader of ours holds the index for less."""


class Stage(IntEnum):
    """How far a publication got."""

    BUILT = 0
    SEALED = 1
    FILE_DURABLE = 2
    REPLACED = 3
    DONE = 4


class Publication:
    """One building file on its way to the published path."""

    def __init__(
        self,
        building: Path,
        target: Path,
        disk: Disk,
        *,
        replaces: bool = True,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.building = building
        self.target = target
        self.stage = Stage.BUILT
        self._disk = disk
        self._replaces = replaces
        self._pause = pause
        self._clock = clock

    @property
    def done(self) -> bool:
        """Whether the new generation is durable and published: the gate for deleting anything."""
        return self.stage is Stage.DONE

    def seal(self, store: Store) -> None:
        """Finish the file; on the writer's thread."""
        if self.stage < Stage.SEALED:
            store.seal()
            self.stage = Stage.SEALED

    def advance(self) -> None:
        """Take the remaining steps; raises on the first that fails and remembers how far it got."""
        try:
            if self.stage < Stage.FILE_DURABLE:
                self._disk.sync_file(self.building)
                self.stage = Stage.FILE_DURABLE
            if self.stage < Stage.REPLACED:
                self._replace()
                self.stage = Stage.REPLACED
            self._disk.sync_directory(self.target.parent)
            self.stage = Stage.DONE
        except OSError as error:
            raise self._explain(error) from error

    def _replace(self) -> None:
        if wal_path(self.target).exists():
            # DuckDB would refuse the new file with the old journal: an edit came in just now
            raise IndexBusyError("was changed while it was being replaced", path=self.target)
        if not self._replaces and self.target.exists():
            raise NotAnIndexError("came into being while the scan ran", path=self.target)
        give_up_at = self._clock() + REPLACE_SECONDS
        while True:
            try:
                self._disk.replace(self.building, self.target)
            except PermissionError as error:
                if sys.platform != "win32" and error.errno in (errno.EPERM, errno.EROFS):
                    raise
                if self._clock() >= give_up_at:
                    raise self._keep_aside() from error
                self._pause(REPLACE_PAUSE_SECONDS)
            else:
                return

    def _keep_aside(self) -> MusefsError:
        kept = kept_path(self.target)
        self._disk.replace(self.building, kept)
        degrade(
            Counter.INDEX_KEPT_ASIDE,
            "%s is held open; kept the new index as %s",
            self.target,
            kept,
        )
        return IndexBusyError(
            "in use: another program holds it open and the system does not let it be replaced",
            path=self.target,
            hint=f"The finished index is {kept.name} beside it. Close the other program and rename "
            f"it (without {KEPT_SUFFIX}), or scan again.",
        )

    def _explain(self, error: OSError) -> MusefsError:
        if isinstance(error, MusefsError):
            return error
        explained = explain_write_error(error, self.target)
        if type(explained).__name__ != "IndexWriteError":
            return explained
        doing = {
            Stage.SEALED: "make the new index durable",
            Stage.FILE_DURABLE: "put the new index in its place",
            Stage.REPLACED: "make the new name durable",
        }.get(self.stage, "publish")
        return PublishError(f"could not {doing}: {error}", path=self.target)


def may_retry(error: BaseException) -> bool:
    """Tell whether a failed sync may be tried again.

    Not after EIO: the kernel drops the pages that it could not write and reports the loss once,
    so a second fsync would succeed without the bytes being there.
    """
    cause = error.__cause__ if isinstance(error, PublishError) else error
    return not (isinstance(cause, OSError) and cause.errno == errno.EIO)
