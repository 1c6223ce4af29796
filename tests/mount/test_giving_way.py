"""Requests that give way to a refresh: for a moment at a time, and never for long (row M28)."""

import threading
import time
from collections.abc import Callable

from musefs.mount.serve.giving_way import GAP_S, LIMIT_S, REST_S, GivingWay


class Serving:
    """A thread that serves without a break, and how long each of its rests was."""

    def __init__(self) -> None:
        self.rests: list[float] = []
        self._given: list[Callable[[], None]] = []
        self._stop = False
        self._thread = threading.Thread(target=self._serve, name="serving")

    def between_requests(self, call: Callable[[], None]) -> None:
        self._given.append(call)

    def __enter__(self) -> "Serving":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._thread.join()

    def _serve(self) -> None:
        while not self._stop:
            if self._given:
                begin = time.monotonic()
                self._given.pop()()
                self.rests.append(time.monotonic() - begin)
            time.sleep(0)


def test_m28_requests_rest_in_turns_while_a_refresh_runs() -> None:
    """M28: no request waits for a refresh; several short rests, none once it is done."""
    with Serving() as serving:
        with GivingWay(serving.between_requests).resting():
            time.sleep(10 * (REST_S + GAP_S))
        taken = len(serving.rests)
        assert taken >= 2
        time.sleep(5 * REST_S)
        assert len(serving.rests) <= taken + 1
    assert sorted(serving.rests)[len(serving.rests) // 2] < 5 * REST_S


def test_a_long_refresh_stops_asking() -> None:
    """Building everything anew gives way to requests, after a moment."""
    with Serving() as serving, GivingWay(serving.between_requests).resting():
        time.sleep(2 * LIMIT_S)
        taken = len(serving.rests)
        time.sleep(LIMIT_S)
        assert len(serving.rests) <= taken + 1


def test_nobody_serving_holds_nothing_up() -> None:
    """A transport that has nothing to do calls nothing; the refresh ends all the same."""
    begin = time.monotonic()
    with GivingWay(lambda call: None).resting():
        pass
    assert time.monotonic() - begin < LIMIT_S
    assert not any(thread.name == "musefs-refresh-turns" for thread in threading.enumerate())
