"""The small event loop: tasks, descriptors, threads, and that it sleeps when idle."""

import errno
import os
import threading
import time
from collections.abc import Iterator

import pytest

from musefs.mount.serve.pool import LANE_WIDTH, Pool
from musefs.mount.transport.loop import ClosedResourceError, EventLoop


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    made = EventLoop()
    yield made
    made.close()


def test_run_returns_what_main_returns(loop: EventLoop) -> None:
    async def main() -> object:
        return 7

    assert loop.run(main) == 7


def test_error_of_main_is_raised(loop: EventLoop) -> None:
    async def main() -> object:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        loop.run(main)


def test_nursery_waits_for_children_and_hands_on_errors(loop: EventLoop) -> None:
    order = []

    async def child(number: int) -> None:
        order.append(number)

    async def failing() -> None:
        raise RuntimeError("child")

    async def main() -> object:
        async with loop.open_nursery() as nursery:
            nursery.start_soon(child, 1, name="one")
            nursery.start_soon(child, 2)
        order.append("after")
        async with loop.open_nursery() as nursery:
            nursery.start_soon(failing)

    with pytest.raises(RuntimeError, match="child"):
        loop.run(main)
    assert order == [1, 2, "after"]


def test_a_failing_child_does_not_wait_for_one_that_never_ends(loop: EventLoop) -> None:
    async def forever() -> None:
        await loop.wait_readable(reader)

    async def failing() -> None:
        raise RuntimeError("child")

    async def main() -> object:
        async with loop.open_nursery() as nursery:
            nursery.start_soon(forever)
            nursery.start_soon(failing)

    reader, writer = os.pipe()
    try:
        with pytest.raises(RuntimeError, match="child"):
            loop.run(main)
    finally:
        os.close(reader)
        os.close(writer)


def test_lock_is_fair_and_exclusive(loop: EventLoop) -> None:
    seen = []
    lock = loop.Lock()
    reader, writer = os.pipe()

    async def first() -> None:
        async with lock:
            seen.append("first in")
            await loop.wait_readable(reader)
            seen.append("first out")

    async def next_one(name: str) -> None:
        async with lock:
            seen.append(name)

    async def main() -> object:
        async with loop.open_nursery() as nursery:
            nursery.start_soon(first)
            nursery.start_soon(next_one, "second")
            nursery.start_soon(next_one, "third")
            threading.Timer(0.02, os.write, (writer, b"x")).start()

    loop.run(main)
    os.close(reader)
    os.close(writer)
    assert seen == ["first in", "first out", "second", "third"]


def test_wait_readable_sleeps_instead_of_burning(loop: EventLoop) -> None:
    reader, writer = os.pipe()

    async def main() -> object:
        await loop.wait_readable(reader)
        return loop.current_task().name

    threading.Timer(0.2, os.write, (writer, b"x")).start()
    before = time.thread_time()
    assert loop.run(main) == "main"
    assert time.thread_time() - before < 0.05
    assert loop.sleeps == 1
    os.close(reader)
    os.close(writer)


def test_notify_closing_ends_the_wait(loop: EventLoop) -> None:
    reader, writer = os.pipe()

    async def main() -> object:
        with pytest.raises(ClosedResourceError):
            await loop.wait_readable(reader)
        return True

    threading.Timer(0.02, loop.call_soon, (lambda: loop.notify_closing(reader),)).start()
    assert loop.run(main)
    os.close(reader)
    os.close(writer)


def test_a_readable_descriptor_that_nobody_waits_for_is_not_polled(loop: EventLoop) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x")

    async def main() -> object:
        await loop.wait_readable(reader)  # readable from now on, never read
        await loop.offload(pool, 1, lambda: time.sleep(0.2))

    with Pool(1) as pool:
        before = time.thread_time()
        loop.run(main)
    assert time.thread_time() - before < 0.05
    os.close(reader)
    os.close(writer)


def test_offload_returns_results_and_errors_from_named_threads(loop: EventLoop) -> None:
    def failing() -> None:
        raise OSError(errno.ENXIO, "gone")

    async def main() -> object:
        name = await loop.offload(pool, 1, lambda: threading.current_thread().name)
        with pytest.raises(OSError, match="gone"):
            await loop.offload(pool, 1, failing)
        return name

    with Pool(2) as pool:
        assert loop.run(main) == "musefs-wait-1"


def test_many_offloads_at_once_all_come_back(loop: EventLoop) -> None:
    results = []

    async def one(number: int) -> None:
        results.append(await loop.offload(pool, number % 7, lambda: number * 2))

    async def main() -> object:
        async with loop.open_nursery() as nursery:
            for number in range(500):
                nursery.start_soon(one, number)

    with Pool(8) as pool:
        loop.run(main)
        assert pool.statistics()["active"] == 0
    assert sorted(results) == [number * 2 for number in range(500)]


def test_a_stalled_lane_leaves_threads_for_others() -> None:
    """One slow file never delays another reader: a lane holds at most LANE_WIDTH threads."""
    stall = threading.Event()
    finished = threading.Event()
    with Pool(LANE_WIDTH + 1) as pool:
        for _ in range(50):
            pool.submit(1, stall.wait, lambda job: None)
        pool.submit(2, lambda: None, lambda job: finished.set())
        assert finished.wait(5)
        assert pool.statistics() == {
            "workers": LANE_WIDTH + 1, "active": LANE_WIDTH, "queued": 50 - LANE_WIDTH,
        }  # fmt: skip
        stall.set()


def test_a_full_pool_says_eagain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musefs.mount.serve.pool.PENDING_LIMIT", 2)
    stall = threading.Event()
    with Pool(1) as pool:
        started = threading.Event()
        pool.submit(1, lambda: (started.set(), stall.wait()), lambda job: None)
        assert started.wait(5)
        pool.submit(1, stall.wait, lambda job: None)
        pool.submit(1, stall.wait, lambda job: None)
        with pytest.raises(BlockingIOError):
            pool.submit(1, stall.wait, lambda job: None)
        stall.set()


def test_requests_go_before_results_of_threads(loop: EventLoop) -> None:
    """A request waits for one large answer at most, not for all that threads have ready."""
    order: list[str] = []
    read, write = os.pipe()

    async def reader() -> None:
        await loop.wait_readable(read)
        order.append("request")

    async def main() -> None:
        with Pool(4) as pool:
            all_started = threading.Barrier(4)

            async def result() -> None:
                await loop.offload(pool, 1, all_started.wait)
                order.append("result")
                if order == ["result"]:
                    os.write(write, b"x")

            async with loop.open_nursery() as nursery:
                nursery.start_soon(reader)
                for _ in range(4):
                    nursery.start_soon(result)

    loop.run(main)
    os.close(read)
    os.close(write)
    assert sorted(order) == ["request", *["result"] * 4]
    assert order.index("request") == 1


def test_results_of_threads_are_not_starved_by_requests(loop: EventLoop) -> None:
    """A descriptor that is always readable leaves room for what a thread handed in."""
    read, write = os.pipe()
    os.write(write, b"never read")
    done = False

    async def requests() -> None:
        while not done:
            await loop.wait_readable(read)

    async def result() -> None:
        nonlocal done
        with Pool(1) as pool:
            await loop.offload(pool, 1, lambda: None)
        done = True

    async def main() -> None:
        async with loop.open_nursery() as nursery:
            nursery.start_soon(requests)
            nursery.start_soon(result)

    loop.run(main)
    os.close(read)
    os.close(write)
