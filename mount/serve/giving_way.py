"""Turns at the interpreter for a refresh while requests come without a break.

The thread that serves lets go of the interpreter for a microsecond at each request and takes it
back before another thread has woken up, so a refresh of 35 ms of work takes 150 ms on a busy mount,
and now and then half a second. While one runs, the serving thread therefore rests: for at most
REST_S at a time, with GAP_S for requests in between, and altogether no longer than LIMIT_S.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

REST_S: Final = 0.004
"""A request may wait so long. Two walkers on two cores: with 2 ms a refresh took 82 ms, with 4 ms
49, without any rest 155."""

GAP_S: Final = 0.001
LIMIT_S: Final = 0.1
"""Building everything anew takes seconds, most of it in native code: it gives way to requests."""

BetweenRequests = Callable[[Callable[[], None]], None]
"""Has a function called by the serving thread between two requests."""


class GivingWay:
    """Has one serving thread rest now and then."""

    def __init__(self, between_requests: BetweenRequests) -> None:
        self._between_requests = between_requests

    @contextmanager
    def resting(self) -> Generator[None]:
        """Let requests give way for the length of a block, within the limits."""
        done = threading.Event()
        asking = threading.Thread(
            target=self._ask, args=(done,), name="musefs-refresh-turns", daemon=True
        )
        asking.start()
        try:
            yield
        finally:
            done.set()
            asking.join()

    def _ask(self, done: threading.Event) -> None:
        rested = threading.Event()

        def rest() -> None:
            done.wait(REST_S)
            rested.set()

        end = time.monotonic() + LIMIT_S
        while not done.is_set() and time.monotonic() < end:
            rested.clear()
            self._between_requests(rest)
            while not rested.wait(REST_S + GAP_S):
                if done.is_set():
                    return
            done.wait(GAP_S)
