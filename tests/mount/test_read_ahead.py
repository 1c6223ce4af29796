"""Read-ahead: growth, budget, eviction, and that nothing stays charged (rows M24 to M26)."""

import itertools
import random
import threading

from hypothesis import given, settings
from hypothesis import strategies as st
from support.contents import MemoryContent
from support.served_library import pattern

from musefs.mount.serve.prefetch import Prefetcher, depth_of
from musefs.mount.serve.read_ahead import FIRST_WINDOW_BYTES, LARGEST_WINDOW_BYTES, Budget, Stream

KIB = 1 << 10
DATA = pattern(5, 40 << 20)


def test_m24_windows_double_in_sequence_up_to_the_cap() -> None:
    """M24: 512 KiB, 1 MiB, 2 MiB, ... 8 MiB, and each read at most once."""
    content = MemoryContent(DATA)
    with Stream(content, Budget(64 << 20)) as stream:
        for offset in range(0, len(DATA), 128 * KIB):
            assert stream.read_at(offset, 128 * KIB) == DATA[offset : offset + 128 * KIB]
    lengths = [length for _, length in content.reads]
    assert lengths[:6] == [FIRST_WINDOW_BYTES << power for power in range(5)] + [8 << 20]
    assert max(lengths) == LARGEST_WINDOW_BYTES
    assert sum(lengths) == len(DATA)


def test_m24_a_seek_begins_again_small_and_starts_a_new_epoch() -> None:
    """M24: a miss elsewhere resets the window."""
    content = MemoryContent(DATA)
    with Stream(content, Budget(64 << 20)) as stream:
        for offset in range(0, 4 << 20, 128 * KIB):
            stream.read_at(offset, 128 * KIB)
        epoch = stream.epoch
        stream.read_at(30 << 20, 128 * KIB)
        assert content.reads[-1] == (30 << 20, FIRST_WINDOW_BYTES)
        assert stream.epoch == epoch + 1


def test_m24_registered_at_first_read_and_freed_at_close() -> None:
    """M24: nothing is charged before the first read and after the last reference."""
    budget = Budget(64 << 20)
    stream = Stream(MemoryContent(DATA), budget)
    assert budget.statistics()["streams"] == 0
    stream.read_at(0, 10)
    assert budget.statistics() | {"hits": 0, "misses": 0} == {
        "limit_bytes": 64 << 20, "charged_bytes": FIRST_WINDOW_BYTES, "streams": 1,
        "hits": 0, "misses": 0,
    }  # fmt: skip
    stream.void()  # the handle's release alone frees nothing: a read may still run
    assert budget.statistics()["charged_bytes"] == FIRST_WINDOW_BYTES
    stream.close()
    assert budget.statistics()["charged_bytes"] == 0
    assert budget.statistics()["streams"] == 0


def test_m24_a_budget_of_zero_switches_it_off() -> None:
    """M24: every read goes to the original as it is."""
    content = MemoryContent(DATA)
    with Stream(content, Budget(0)) as stream:
        assert stream.read_at(5, 1000) == DATA[5:1005]
    assert content.reads == [(5, 1000)]


def test_m24_the_coldest_stream_makes_room() -> None:
    """M24: growth clears others that nobody reads from, oldest first."""
    budget = Budget(1 << 20)
    first, second, third = (Stream(MemoryContent(DATA), budget) for _ in range(3))
    for stream in (first, second, third):
        assert stream.read_at(0, 100) == DATA[:100]
    assert budget.statistics()["charged_bytes"] == 2 * FIRST_WINDOW_BYTES
    reads = len(first._content.reads)  # type: ignore[attr-defined]
    first.read_at(0, 100)
    assert len(first._content.reads) == reads + 1  # type: ignore[attr-defined]
    for stream in (first, second, third):
        stream.close()
    assert budget.statistics()["charged_bytes"] == 0


def test_swapped_requests_of_one_reader_stay_in_sequence() -> None:
    """Threads may swap the kernel's requests; that is not a seek."""
    content = MemoryContent(DATA)
    with Stream(content, Budget(64 << 20)) as stream:
        offsets = list(range(0, 16 << 20, 128 * KIB))
        for pair in range(0, len(offsets) - 1, 2):
            offsets[pair], offsets[pair + 1] = offsets[pair + 1], offsets[pair]
        for offset in offsets:
            assert stream.read_at(offset, 128 * KIB) == DATA[offset : offset + 128 * KIB]
    assert len(content.reads) < 12


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 41 << 20), st.integers(0, 3 << 20)), max_size=25))
def test_any_reads_give_the_originals_bytes(reads: list[tuple[int, int]]) -> None:
    """Whatever the order, sizes and borders, the bytes are the original's and within budget."""
    budget = Budget(2 << 20)
    with Stream(MemoryContent(DATA), budget) as stream:
        for offset, length in reads:
            assert stream.read_at(offset, length) == DATA[offset : offset + length]
            assert budget.statistics()["charged_bytes"] <= 2 << 20
    assert budget.statistics()["charged_bytes"] == 0


def test_m24_reads_racing_release_leave_nothing_charged() -> None:
    """M24: many threads on many streams with a tight budget; the charge returns to 0."""
    budget = Budget(3 << 20)
    streams = [Stream(MemoryContent(DATA), budget) for _ in range(6)]
    wrong: list[int] = []

    def read(seed: int) -> None:
        choose = random.Random(seed)
        for _ in range(150):
            stream = streams[choose.randrange(len(streams))]
            offset = choose.randrange(len(DATA))
            if stream.read_at(offset, 64 * KIB) != DATA[offset : offset + 64 * KIB]:
                wrong.append(offset)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(5)]
    for thread in threads:
        thread.start()
    streams[0].close()
    for thread in threads:
        thread.join()
    for stream in streams[1:]:
        stream.close()
    assert wrong == []
    assert budget.statistics()["charged_bytes"] == 0


def test_m25_depth_is_clamped() -> None:
    """M25: cap / window, between one and four."""
    assert depth_of(8 << 20, 512 << 10) == 4
    assert depth_of(8 << 20, 4 << 20) == 2
    assert depth_of(8 << 20, 8 << 20) == 1
    assert depth_of(1, 8 << 20) == 1


def test_m25_no_window_is_fetched_twice_and_bytes_stay_exact() -> None:
    """M25: the watermark moves under the lock; windows never overlap."""
    asked: list[tuple[int, int]] = []

    class Recording(Prefetcher):
        def submit(self, stream: Stream, epoch: int, start: int, length: int) -> bool:
            accepted = super().submit(stream, epoch, start, length)
            if accepted:
                asked.append((start, start + length))
            return accepted

    budget = Budget(64 << 20)
    with Recording() as prefetcher, Stream(MemoryContent(DATA), budget, prefetcher) as stream:
        for offset in range(0, len(DATA), 128 * KIB):
            assert stream.read_at(offset, 128 * KIB) == DATA[offset : offset + 128 * KIB]
    assert asked
    for (_, end), (start, _) in itertools.pairwise(asked):
        assert start >= end
    assert budget.statistics()["charged_bytes"] == 0


def test_m25_m26_what_was_asked_for_before_a_release_is_void() -> None:
    """M26: the epoch moved, so a window that arrives late is thrown away and not charged."""
    budget = Budget(64 << 20)
    stream = Stream(MemoryContent(DATA), budget)
    stream.read_at(0, 10)
    epoch = stream.epoch
    assert stream.fetch(epoch, 4 << 20, 1 << 20)
    stream.void()
    assert not stream.fetch(epoch, 8 << 20, 1 << 20)
    stream.close()
    assert not stream.fetch(stream.epoch, 8 << 20, 1 << 20)
    assert budget.statistics()["charged_bytes"] == 0


def test_m25_prefetching_takes_only_what_is_free() -> None:
    """M25: nobody's window is cleared for a guess."""
    budget = Budget(1 << 20)
    stream = Stream(MemoryContent(DATA), budget)
    stream.read_at(0, 10)
    assert not stream.fetch(stream.epoch, 2 << 20, 1 << 20)
    assert stream.fetch(stream.epoch, 2 << 20, 256 * KIB)
    assert stream.read_at((2 << 20) + 5, 100) == DATA[(2 << 20) + 5 : (2 << 20) + 105]
    stream.close()
    assert budget.statistics()["charged_bytes"] == 0
