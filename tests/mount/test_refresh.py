"""The refresher with doubles for index, core and kernel (rows M5, M28 to M31)."""

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.served_library import MemoryGeneration

from musefs.index.counters import Counter, fresh_tally
from musefs.index.errors import IndexBusyError, IndexMissingError
from musefs.mount.serve.refresh import (
    LONGEST_BACK_OFF_S,
    Refreshed,
    Refresher,
)


@dataclass
class FakeSource:
    """An index whose identity is a number, with faults on order."""

    stamp: int = 1
    served: int = 1
    fail_identity: Exception | None = None
    fail_update: Exception | None = None
    commit_during_update: bool = False
    block: threading.Event | None = None
    calls: list[str] = field(default_factory=list)
    prepared: bool = False

    def identity(self) -> object:
        if self.fail_identity:
            raise self.fail_identity
        return self.stamp

    def prepare(self) -> None:
        self.prepared = True

    def update(self, current: MemoryGeneration) -> Refreshed[MemoryGeneration] | None:
        self.calls.append("update")
        if self.block:
            assert self.block.wait(5)
        if self.fail_update:
            raise self.fail_update
        content = self.stamp
        if self.commit_during_update:
            self.commit_during_update = False
            self.stamp += 1
        if content == self.served:
            return None
        self.served = content
        return Refreshed(MemoryGeneration(current.number + 1, []), [(1, b"x")], full=False)

    def rebuild(self, current: MemoryGeneration) -> Refreshed[MemoryGeneration]:
        self.calls.append("rebuild")
        self.served = self.stamp
        return Refreshed(MemoryGeneration(current.number + 1, []), [], full=True)


@dataclass
class Seen:
    """What the core and the kernel were told, in order."""

    events: list[Any] = field(default_factory=list)

    def swap(self, generation: MemoryGeneration) -> None:
        self.events.append(("swap", generation.number))

    def tidy(self) -> None:
        pass

    def expire(self, names: Any) -> None:
        self.events.append(("expire", list(names)))


def refresher(source: FakeSource, interval_s: float = 0.5) -> tuple[Refresher[Any], Seen]:
    seen = Seen()
    made: Refresher[Any] = Refresher(
        source, MemoryGeneration(1, []), source.identity(), seen, seen, poll_interval_s=interval_s
    )
    return made, seen


def test_m28_nothing_is_opened_while_the_identity_is_the_same() -> None:
    """M28: polled; an unchanged index costs an identity and nothing else."""
    source = FakeSource()
    made, seen = refresher(source)
    assert not made.poll()
    assert source.calls == []
    assert seen.events == []


def test_m28_m32_a_change_is_swapped_before_the_kernel_is_told() -> None:
    """M28, M32: the new state is served before names expire, so no lookup finds the old one."""
    source = FakeSource()
    made, seen = refresher(source)
    source.stamp = 2
    assert made.poll()
    assert seen.events == [("swap", 2), ("expire", [(1, b"x")])]
    assert not made.poll()
    assert made.refreshes == 1


def test_m5_a_commit_during_the_build_costs_one_refresh_more_and_is_not_missed() -> None:
    """M5: the stamp is read before the build."""
    source = FakeSource(commit_during_update=True)
    made, seen = refresher(source)
    source.stamp = 2
    assert made.poll()
    assert made.poll()
    assert not made.poll()
    assert [event for event in seen.events if event[0] == "swap"] == [("swap", 2), ("swap", 3)]


def test_m31_the_generation_moves_only_when_something_changed() -> None:
    """M31: another identity with the same contents swaps nothing and expires nothing."""
    source = FakeSource(served=2)
    made, seen = refresher(source)
    source.stamp = 2
    assert not made.poll()
    assert seen.events == []
    assert not made.poll()
    assert source.calls == ["update"]


@pytest.mark.expected_degradations(Counter.INDEX_BUSY)
def test_m28_failure_arms_a_back_off_and_keeps_the_stamp() -> None:
    """M28: after a failure the index rests, then the same change is tried again."""
    source = FakeSource(fail_update=IndexBusyError("in use by pid 7"))
    made, seen = refresher(source)
    source.stamp = 2
    with fresh_tally() as tally:
        assert not made.poll(now=100.0)
        assert made.busy
        assert not made.poll(now=100.1)
        assert source.calls == ["update"]
        assert not made.poll(now=100.6)
        assert source.calls == ["update", "update"]
        assert tally[Counter.INDEX_BUSY] == 1
    source.fail_update = None
    assert made.poll(now=200.0)
    assert not made.busy
    assert seen.events[0] == ("swap", 2)


@pytest.mark.expected_degradations(Counter.REFRESH_FAILURES)
def test_m28_the_back_off_is_bounded_whatever_the_interval() -> None:
    """M28: between 100 ms and 1 s."""
    source = FakeSource(fail_identity=None)
    made, _ = refresher(source, interval_s=3600)
    source.fail_identity = IndexMissingError("no index there")
    with fresh_tally() as tally:
        assert not made.poll(now=10.0)
        assert tally[Counter.REFRESH_FAILURES] == 1
    source.fail_identity = None
    source.stamp = 2
    assert not made.poll(now=10.0 + LONGEST_BACK_OFF_S - 0.01)
    assert made.poll(now=10.0 + LONGEST_BACK_OFF_S)


def test_m28_single_flight() -> None:
    """M28: while one refresh runs another look returns at once."""
    source = FakeSource(block=threading.Event())
    made, _ = refresher(source)
    source.stamp = 2
    thread = threading.Thread(target=made.poll)
    thread.start()
    while not source.calls:
        pass
    assert not made.poll()
    assert source.block is not None
    source.block.set()
    thread.join(5)
    assert source.calls == ["update"]
    assert made.refreshes == 1


@pytest.mark.expected_degradations(Counter.REFRESH_FAILURES)
def test_m30_an_unexpected_error_sets_needs_rebuild_and_the_next_look_rebuilds() -> None:
    """M30: an inconsistent state heals itself by a full build, even without a new change."""
    source = FakeSource(fail_update=KeyError("lost"))
    made, seen = refresher(source)
    source.stamp = 2
    with fresh_tally() as tally:
        assert not made.poll(now=1.0)
        assert tally[Counter.REFRESH_FAILURES] == 1
    assert made.needs_rebuild
    assert made.poll(now=10.0)
    assert source.calls == ["update", "rebuild"]
    assert not made.needs_rebuild
    assert made.full_rebuilds == 1
    assert seen.events[0] == ("swap", 2)


def test_the_thread_follows_and_ends() -> None:
    """A running refresher shows a change within the interval and is joined at the end."""
    source = FakeSource()
    seen_swap = threading.Event()
    made, seen = refresher(source, interval_s=0.02)
    seen.expire = lambda names: seen_swap.set()  # type: ignore[method-assign]
    with made:
        source.stamp = 2
        assert seen_swap.wait(5)
    assert not any(t.name == "musefs-refresh" for t in threading.enumerate())


@pytest.mark.parametrize("interval_s", [0.0, 3600.0])
def test_look_now_wakes_the_thread(interval_s: float) -> None:
    """SIGHUP looks at once, however long the interval is."""
    source = FakeSource()
    seen_swap = threading.Event()
    made, seen = refresher(source, interval_s=interval_s)
    seen.expire = lambda names: seen_swap.set()  # type: ignore[method-assign]
    with made:
        source.stamp = 2
        made.look_now()
        assert seen_swap.wait(5)
