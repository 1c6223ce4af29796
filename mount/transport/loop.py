"""The event loop under pyfuse3, in trio's place: short, and made for one descriptor.

pyfuse3 looks up its module global `trio` at run time and uses seven names of it; `EventLoop` has
them. It differs from trio in what a request costs: one `poll` a batch, and a short spin before
sleeping, because being woken costs more than the spin. It has no cancellation and no timers.

A coroutine that must wait yields a function; the loop calls it with the task, and whoever was
handed the task resumes it. Only `resume_soon` and `wake` may be called from other threads.
"""

import os
import select
import time
import types
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from musefs.mount.serve.pool import Job, Pool

T = TypeVar("T")

SPIN_NS = 50_000
"""How long the loop polls before it sleeps: twice what a wake-up across CPUs costs."""

PATIENCE = 16
"""Turns with requests that a result of a thread waits for: about a third of a millisecond."""


class ClosedResourceError(Exception):
    """The descriptor that a task waits for is about to be closed."""


class Task:
    """A coroutine that the loop drives."""

    __slots__ = ("coroutine", "done", "error", "name", "nursery", "result")

    def __init__(
        self, coroutine: Coroutine[Any, Any, object], name: str, nursery: "Nursery | None"
    ) -> None:
        self.coroutine = coroutine
        self.name = name
        self.nursery = nursery
        self.done = False
        self.result: object = None
        self.error: BaseException | None = None


Park = Callable[[Task], None]


@types.coroutine
def _park(arrange: Park) -> Generator[Park, Any, Any]:
    """Suspend the running task after `arrange(task)` has made sure that somebody resumes it."""
    return (yield arrange)


class Lock:
    """A fair lock between tasks of one loop."""

    __slots__ = ("_held", "_loop", "_waiting")

    def __init__(self, loop: "EventLoop") -> None:
        self._loop = loop
        self._held = False
        self._waiting: deque[Task] = deque()

    async def __aenter__(self) -> None:
        if self._held:
            await _park(self._waiting.append)  # handed over by __aexit__, still held
        self._held = True

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._waiting:
            self._loop.resume(self._waiting.popleft(), None)
        else:
            self._held = False


class Nursery:
    """Tasks that end before their opener goes on; the first error ends the opener's wait."""

    __slots__ = ("_children", "_error", "_loop", "_parent")

    def __init__(self, loop: "EventLoop") -> None:
        self._loop = loop
        self._children: set[Task] = set()
        self._error: BaseException | None = None
        self._parent: Task | None = None

    def start_soon(
        self,
        function: Callable[..., Coroutine[Any, Any, object]],
        *args: object,
        name: str = "task",
    ) -> None:
        """Start a task at the loop's next turn."""
        self._children.add(self._loop.spawn(function(*args), name, self))

    def ended(self, task: Task) -> None:
        """Note the end of a child."""
        self._children.discard(task)
        if task.error is not None and self._error is None:
            self._error = task.error
        if self._parent is not None and (self._error is not None or not self._children):
            parent, self._parent = self._parent, None
            self._loop.resume(parent, None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and self._error is None and self._children:
            await _park(self._wait_for_children)
        for child in self._children:
            self._loop.abandon(child)
        if error is None and self._error is not None:
            raise self._error

    def _wait_for_children(self, parent: Task) -> None:
        self._parent = parent


class EventLoop:
    """Runs tasks, watches descriptors, and takes results from threads."""

    ClosedResourceError = ClosedResourceError

    def __init__(self, *, spin_ns: int = SPIN_NS) -> None:
        self._spin_ns = spin_ns
        self._ready: deque[tuple[Task, object, BaseException | None]] = deque()
        self._handed_in: deque[tuple[Task, object, BaseException | None]] = deque()
        self._calls: deque[Callable[[], None]] = deque()
        self._readers: dict[int, Task] = {}
        self._watched: set[int] = set()
        self._current: Task | None = None
        self._sleeping = False
        self._passed_over = 0
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poller = select.poll()
        self._poller.register(self._wake_fd, select.POLLIN)
        self.sleeps = 0

    # what pyfuse3 uses in trio's place

    @property
    def lowlevel(self) -> Self:
        """Stand for trio.lowlevel."""
        return self

    def Lock(self) -> Lock:  # noqa: N802 - trio's name
        """Make a lock."""
        return Lock(self)

    def open_nursery(self) -> Nursery:
        """Make a nursery."""
        return Nursery(self)

    def current_task(self) -> Task:
        """Return the running task."""
        if self._current is None:
            raise RuntimeError("no task is running")
        return self._current

    def current_trio_token(self) -> Self:
        """Return what other threads may call."""
        return self

    async def wait_readable(self, descriptor: int) -> None:
        """Suspend until `descriptor` can be read; one task may wait for each."""
        await _park(partial(self._watch, descriptor))

    def notify_closing(self, descriptor: int) -> None:
        """Make the task that waits for `descriptor` see ClosedResourceError."""
        task = self._readers.pop(descriptor, None)
        if task is not None:
            self._ready.append((task, None, ClosedResourceError()))

    # what our handlers and the session use

    async def offload(self, pool: Pool, lane: int, work: Callable[[], T]) -> T:
        """Do `work` in a thread and return its result here."""
        result: T = await _park(partial(self._submit, pool, lane, work))
        return result

    def run(self, main: Callable[[], Awaitable[T]]) -> T:
        """Run until `main` is done and return its result."""

        async def whole() -> T:
            return await main()

        task = self.spawn(whole(), "main", None)
        while not task.done:
            self._turn()
            if not task.done and not self._ready:
                self._wait()
        if task.error is not None:
            raise task.error
        return task.result  # type: ignore[return-value]  # what `whole` returned

    def spawn(
        self, coroutine: Coroutine[Any, Any, object], name: str, nursery: Nursery | None
    ) -> Task:
        """Make a task that runs at the next turn."""
        task = Task(coroutine, name, nursery)
        self._ready.append((task, None, None))
        return task

    def resume(self, task: Task, value: object) -> None:
        """Let a parked task go on at the next turn; on the loop's thread only."""
        self._ready.append((task, value, None))

    def call_soon(self, call: Callable[[], None]) -> None:
        """Have `call` called by the loop; from any thread, and from a signal handler."""
        self._calls.append(call)
        self.wake()

    def wake(self) -> None:
        """Wake the loop if it sleeps."""
        if self._sleeping:
            os.eventfd_write(self._wake_fd, 1)

    def abandon(self, task: Task) -> None:
        """End a task where it is."""
        task.done = True
        for descriptor, waiting in list(self._readers.items()):
            if waiting is task:
                del self._readers[descriptor]
        task.coroutine.close()

    def close(self) -> None:
        """Release the wake-up descriptor."""
        if self._wake_fd >= 0:
            os.close(self._wake_fd)
            self._wake_fd = -1

    def _submit(self, pool: Pool, lane: int, work: Callable[[], object], task: Task) -> None:
        try:
            pool.submit(lane, work, partial(self._hand_in, task))
        except OSError as error:
            self._ready.append((task, None, error))

    def _hand_in(self, task: Task, job: Job[object]) -> None:
        """Take a result; called in the pool's thread."""
        self._handed_in.append((task, job.result, job.error))
        self.wake()

    def _watch(self, descriptor: int, task: Task) -> None:
        self._readers[descriptor] = task
        if descriptor not in self._watched:
            self._watched.add(descriptor)
            self._poller.register(descriptor, select.POLLIN)

    def _turn(self) -> None:
        """Run what is ready; if that was nothing, one result that a thread handed in.

        Answering a large read takes half a millisecond of copying; between two of them the loop
        looks for requests, which take microseconds and go first, but not for ever.
        """
        while self._calls:
            self._calls.popleft()()
        had_requests = bool(self._ready)
        self._run_ready()
        if not self._handed_in:
            return
        self._passed_over += 1
        if not had_requests or self._passed_over > PATIENCE:
            self._passed_over = 0
            self._ready.append(self._handed_in.popleft())
            self._run_ready()

    def _run_ready(self) -> None:
        ready = self._ready
        while ready:
            task, value, error = ready.popleft()
            if not task.done:
                self._step(task, value, error)

    def _step(self, task: Task, value: object, error: BaseException | None) -> None:
        self._current = task
        try:
            arrange: Park = (
                task.coroutine.send(value) if error is None else task.coroutine.throw(error)
            )
        except StopIteration as end:
            self._end(task, end.value, None)
        except BaseException as failure:  # noqa: BLE001 - handed on to the nursery or to run()
            self._end(task, None, failure)
        else:
            arrange(task)
        finally:
            self._current = None

    def _end(self, task: Task, result: object, error: BaseException | None) -> None:
        task.done, task.result, task.error = True, result, error
        if task.nursery is not None:
            task.nursery.ended(task)

    def _wait(self) -> None:
        """Spin, then sleep, until a descriptor is readable or another thread has something."""
        poll = self._current_poller().poll
        deadline = 0
        while True:
            events = poll(0)  # requests go before results: see _turn
            if events:
                self._dispatch(events)
                return
            if self._handed_in or self._calls:
                return
            now = time.perf_counter_ns()
            if not deadline:
                deadline = now + self._spin_ns
            elif now >= deadline:
                self._sleep(poll)
                return

    def _sleep(self, poll: Callable[[], list[tuple[int, int]]]) -> None:
        self._sleeping = True  # before the last look: whoever hands in later sees it and wakes us
        try:
            if not (self._handed_in or self._calls):
                self.sleeps += 1
                self._dispatch(poll())
        finally:
            self._sleeping = False

    def _dispatch(self, events: list[tuple[int, int]]) -> None:
        for descriptor, _ in events:
            if descriptor == self._wake_fd:
                os.eventfd_read(descriptor)
                continue
            task = self._readers.pop(descriptor, None)
            if task is not None:
                self._ready.append((task, None, None))

    def _current_poller(self) -> "select.poll":
        """Return a poller for exactly what is waited for; nearly always the same one."""
        if self._watched == self._readers.keys():
            return self._poller
        poller = select.poll()
        poller.register(self._wake_fd, select.POLLIN)
        for descriptor in self._readers:
            poller.register(descriptor, select.POLLIN)
        return poller
