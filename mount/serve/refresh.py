"""Following the index while it is mounted: look, build, swap, tell the kernel.

One thread looks at the index's identity, which opens nothing, when it is told of a change and in
intervals. When it changed, the next state is
built beside the one that is served; requests go on meanwhile, because building is native code
that lets go of the interpreter. Then one reference is exchanged and names are expired. The stamp
of what was built is the one read *before* building, and is kept only after success: a commit in
between costs one refresh more and is never missed. While somebody writes to the index it cannot
be read; the mount goes on with what it has, asks again later, and says so in its metrics.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from musefs.index.counters import Counter, degrade
from musefs.index.errors import IndexBusyError, MusefsError
from musefs.mount.serve.generation import Generation
from musefs.mount.serve.index_watch import TimedWait, Waits

G = TypeVar("G", bound=Generation)
C = TypeVar("C", contravariant=True)

ChangedName = tuple[int, bytes]
"""The inode of a directory and a name in it."""

FASTEST_POLL_S = 0.02
"""For a poll interval of 0: two stat calls every 20 ms are not measurable."""

SHORTEST_BACK_OFF_S = 0.1
LONGEST_BACK_OFF_S = 1.0
"""After a failure the index is asked again after one poll interval, within these."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refreshed(Generic[G]):
    """The next state, and what differs."""

    generation: G
    changed_names: Iterable[ChangedName]
    """Names whose meaning changed; looked at only where the kernel has no epochs."""
    full: bool
    """Whether everything was built anew."""


class LibrarySource(Protocol[G]):
    """Where states of the library come from."""

    def identity(self) -> object:
        """Return what tells this state of the index from others; opens nothing."""
        ...

    def prepare(self) -> None:
        """Make ready what the first update would have to wait for; in the thread of updates."""
        ...

    def update(self, current: G) -> Refreshed[G] | None:
        """Return the state after `current`, or None if nothing that is served changed."""
        ...

    def rebuild(self, current: G) -> Refreshed[G]:
        """Return the state after `current`, built without regard to it."""
        ...


class Swaps(Protocol[C]):
    """What serves the states."""

    def swap(self, generation: C) -> None:
        """Serve `generation` from now on."""
        ...

    def tidy(self) -> None:
        """Let go of states that retired a while ago."""
        ...


class Expires(Protocol):
    """What tells the kernel."""

    def expire(self, names: Iterable[ChangedName]) -> None:
        """Expire names."""
        ...


class Refresher(Generic[G]):
    """Polls, and refreshes; at most one refresh runs at a time."""

    def __init__(
        self,
        source: LibrarySource[G],
        current: G,
        stamp: object,
        core: Swaps[G],
        notifier: Expires,
        *,
        poll_interval_s: float = 1.0,
        waits: Waits | None = None,
        resting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Begin with `current`, whose identity before it was built was `stamp`.

        `waits` tells when the index may have changed before the interval is over; within a block
        of `resting` requests give way to the refresh.
        """
        self._source = source
        self._current = current
        self._stamp = stamp
        self._core = core
        self._notifier = notifier
        self._interval_s = max(poll_interval_s, FASTEST_POLL_S)
        self._resting = resting
        self._waits = TimedWait() if waits is None else waits
        self._closing = False
        self._single = threading.Lock()
        self._thread: threading.Thread | None = None
        self._not_before = 0.0
        self.needs_rebuild = False
        """Set after an error that nobody expected: the next look builds everything anew."""
        self.refreshes = 0
        self.full_rebuilds = 0
        self.failures = 0
        self.busy = False
        self.last_seconds = 0.0

    def start(self) -> None:
        """Look at the index from now on, in a thread."""
        self._thread = threading.Thread(target=self._serve, name="musefs-refresh", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking; a refresh that runs is waited for a moment."""
        self._closing = True
        self._waits.wake()
        if self._thread is not None:
            self._thread.join(timeout=2)
            if self._thread.is_alive():
                return  # it goes with the process, and what it waits with
        self._waits.close()

    def look_now(self) -> None:
        """Look without waiting for the interval; from any thread or signal handler."""
        self._waits.wake()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def poll(self, now: float | None = None) -> bool:
        """Look once; say whether another state is served now."""
        self._core.tidy()
        now = time.monotonic() if now is None else now
        if now < self._not_before or not self._single.acquire(blocking=False):
            return False
        try:
            return self._look()
        except IndexBusyError as error:
            self._failed(now)
            if not self.busy:
                degrade(Counter.INDEX_BUSY, "%s; serving what was loaded before", error)
            self.busy = True
        except MusefsError as error:
            self._failed(now)
            degrade(Counter.REFRESH_FAILURES, "the library could not be refreshed: %s", error)
        except Exception as error:  # noqa: BLE001 - a thread's border; healed by a rebuild
            self._failed(now)
            self.needs_rebuild = True
            degrade(Counter.REFRESH_FAILURES, "a refresh failed unexpectedly: %s", repr(error))
            extra = {"counter": Counter.REFRESH_FAILURES.value}
            _log.error("a bug in the refresh; the next rebuilds", exc_info=error, extra=extra)
        finally:
            self._single.release()
        return False

    def _look(self) -> bool:
        stamp = self._source.identity()  # before the build, see above
        if stamp == self._stamp and not self.needs_rebuild:
            self.busy = False
            return False
        begin = time.perf_counter()
        with self._resting():
            if self.needs_rebuild:
                refreshed: Refreshed[G] | None = self._source.rebuild(self._current)
            else:
                refreshed = self._source.update(self._current)
        self.last_seconds = time.perf_counter() - begin
        if refreshed is not None:
            self._publish(refreshed)
        self._stamp = stamp
        self.needs_rebuild = False
        self.busy = False
        return refreshed is not None

    def _publish(self, refreshed: Refreshed[G]) -> None:
        self._current = refreshed.generation
        self._core.swap(refreshed.generation)
        self._notifier.expire(refreshed.changed_names)
        self.refreshes += 1
        self.full_rebuilds += refreshed.full
        _log.info(
            "refreshed in %.0f ms: %d files%s",
            self.last_seconds * 1000,
            refreshed.generation.files,
            ", built anew" if refreshed.full else "",
        )

    def _failed(self, now: float) -> None:
        self.failures += 1
        back_off = min(max(self._interval_s, SHORTEST_BACK_OFF_S), LONGEST_BACK_OFF_S)
        self._not_before = now + back_off

    def _serve(self) -> None:
        self._source.prepare()
        while not self._closing:
            if self._waits.wait(self._interval_s):
                self._not_before = 0.0  # whoever held the index has let go
            if not self._closing:
                self.poll()
