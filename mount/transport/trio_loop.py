"""The stock event loop under the same handlers, for comparison and in case ours is doubted."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar, cast

import outcome
import trio

from musefs.mount.serve.pool import Job, Pool

T = TypeVar("T")


class TrioLoop:
    """Runs pyfuse3 on trio."""

    def __init__(self) -> None:
        self._token: trio.lowlevel.TrioToken | None = None
        self._early: list[Callable[[], None]] = []

    def run(self, main: Callable[[], Awaitable[T]]) -> T:
        """Run until `main` is done and return its result."""

        async def whole() -> T:
            self._token = trio.lowlevel.current_trio_token()
            for call in self._early:
                self._token.run_sync_soon(call)
            return await main()

        return trio.run(whole)

    async def offload(self, pool: Pool, lane: int, work: Callable[[], T]) -> T:
        """Do `work` in a thread and return its result here."""
        task = trio.lowlevel.current_task()
        token = trio.lowlevel.current_trio_token()

        def done(job: Job[T]) -> None:
            if job.error is None:
                result: outcome.Outcome[T] = outcome.Value(cast("T", job.result))
            else:
                result = outcome.Error(job.error)
            token.run_sync_soon(partial(trio.lowlevel.reschedule, task, result))

        pool.submit(lane, work, done)
        answer = await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)
        return cast("T", answer)  # what reschedule was given

    def call_soon(self, call: Callable[[], None]) -> None:
        """Have `call` called by the loop; from any thread, and from a signal handler."""
        if self._token is None:
            self._early.append(call)
        else:
            self._token.run_sync_soon(call)

    def close(self) -> None:
        """Nothing is held."""
