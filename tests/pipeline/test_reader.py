"""Reading ahead: chunk plan, one thread, three buffers, failures."""

import errno
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musefs.index.counters import Counter, fresh_tally
from musefs.index.errors import CancelledError, DamagedVolumeError, VolumeReadError
from musefs.pipeline.read.chunks import ChunkPlan, cut_sub_ranges, plan_chunks
from musefs.pipeline.read.layout import MftLayout
from musefs.pipeline.read.reader import IO_THREAD_NAME, ChunkReader, start_io_thread
from musefs.pipeline.read.run_map import HOLE, MapSpan, RunMap
from musefs.pipeline.volume.doubles import MemoryVolume

RECORD = 1024


def mapped(*parts: tuple[int, int]) -> RunMap:
    """(physical, length) in logical order."""
    spans, logical = [], 0
    for physical, length in parts:
        spans.append(MapSpan(logical, physical, length))
        logical += length
    return RunMap(tuple(spans))


def plan_of(run_map: RunMap, chunk_bytes: int, record_bytes: int = RECORD) -> ChunkPlan:
    return plan_chunks(MftLayout(record_bytes, run_map.length, run_map, None), chunk_bytes)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 9)), min_size=1, max_size=12),
    st.integers(1, 5000),
)
def test_f1_plan_covers_the_data_exactly_in_whole_records(
    parts: list[tuple[bool, int]], chunk_bytes: int
) -> None:
    """F1: any fragmentation, any chunk size; records that straddle runs stay whole."""
    half = RECORD // 2
    total = sum(count for _, count in parts)
    parts = [*parts, (False, 1)] if total % 2 else parts
    content = bytes(range(256)) * 200
    run_map = mapped(
        *((HOLE if hole else 512 * (7 * i % 50), half * n) for i, (hole, n) in enumerate(parts))
    )
    plan = plan_of(run_map, chunk_bytes)
    expected = b"".join(
        bytes(s.length) if s.physical == HOLE else content[s.physical : s.physical + s.length]
        for s in run_map.spans
    )
    seen = b""
    with ChunkReader(MemoryVolume(content), plan) as reader:
        for loaded in reader:
            assert loaded.chunk.first_record * RECORD == len(seen)
            assert loaded.chunk.length % RECORD == 0
            seen += loaded.buffer[: loaded.chunk.length]
            reader.release(loaded)
    assert seen == expected


def test_f1_a_length_that_is_no_whole_number_of_records_is_refused() -> None:
    run_map = mapped((0, 5000))
    with pytest.raises(DamagedVolumeError):
        plan_chunks(MftLayout(RECORD, 5000, run_map, None))


def test_f2_the_next_chunk_is_read_while_one_is_parsed() -> None:
    """F2: one dedicated thread; it reads chunk N+1 before N is released."""
    second = threading.Event()
    volume = MemoryVolume(
        bytes(8 * RECORD), before_read=lambda offset, _: second.set() if offset == RECORD else None
    )
    with ChunkReader(volume, plan_of(mapped((0, 8 * RECORD)), RECORD)) as reader:
        first = next(iter(reader))
        assert second.wait(5)
        reader.release(first)
    assert volume.threads == {IO_THREAD_NAME}


def test_f3_three_buffers_go_round() -> None:
    """F3: the set of buffers has three members however many chunks there are."""
    with ChunkReader(
        MemoryVolume(bytes(40 * RECORD)), plan_of(mapped((0, 40 * RECORD)), RECORD)
    ) as reader:
        buffers = set()
        for loaded in reader:
            buffers.add(id(loaded.buffer))
            reader.release(loaded)
        assert len(buffers) == 3
        assert reader.statistics().chunks == 40


def refuse(_: Callable[[], None]) -> threading.Thread:
    raise RuntimeError("can't start new thread")


@pytest.mark.expected_degradations(Counter.SCAN_PIPELINE_FALLBACKS)
@pytest.mark.expected_degradations(Counter.SCAN_PIPELINE_FALLBACKS)
def test_f8_without_a_thread_the_same_chunks_are_read_inline() -> None:
    """F8: scan_pipeline_fallbacks is 1, the rows are the same, nothing is silent."""
    content = bytes(range(256)) * 40
    plan = plan_of(mapped((0, 5 * RECORD), (6 * RECORD, 4 * RECORD)), 2 * RECORD)
    seen = b""
    with fresh_tally() as tally, ChunkReader(
        MemoryVolume(content), plan, start_thread=refuse
    ) as reader:  # fmt: skip
        for loaded in reader:
            seen += loaded.buffer[: loaded.chunk.length]
            reader.release(loaded)
        assert tally[Counter.SCAN_PIPELINE_FALLBACKS] == 1
    assert seen == content[: 5 * RECORD] + content[6 * RECORD : 10 * RECORD]


def read_all(volume: MemoryVolume, plan: ChunkPlan) -> bytes:
    seen = b""
    with ChunkReader(volume, plan) as reader:
        for loaded in reader:
            seen += loaded.buffer[: loaded.chunk.length]
            reader.release(loaded)
    return seen


@pytest.mark.parametrize(
    "volume",
    [
        MemoryVolume(bytes(5000)),
        MemoryVolume(bytes(20000), error_ranges=(range(4000, 5000),), error_number=errno.ENXIO),
        MemoryVolume(bytes(20000), error_ranges=(range(20000),)),
    ],
    ids=["short file", "device error", "drive gone"],
)
def test_f15_a_failing_source_surfaces_and_ends_the_thread(volume: MemoryVolume) -> None:
    """F15: the error arrives at the consumer and no thread is left."""
    with pytest.raises(VolumeReadError, match="memory"):
        read_all(volume, plan_of(mapped((0, 16 * RECORD)), 2 * RECORD))
    assert IO_THREAD_NAME not in {thread.name for thread in threading.enumerate()}


@pytest.mark.expected_degradations(Counter.UNREADABLE_RECORDS)
@pytest.mark.expected_degradations(Counter.UNREADABLE_RECORDS)
def test_b17_bad_sectors_cost_their_records_only() -> None:
    content = b"\x01" * (64 * RECORD)
    volume = MemoryVolume(content, error_ranges=(range(8192, 8200),))
    with fresh_tally() as tally:
        seen = read_all(volume, plan_of(mapped((0, 64 * RECORD)), 16 * RECORD))
        assert tally[Counter.UNREADABLE_RECORDS] == 4
    assert seen == content[:8192] + bytes(4096) + content[12288:]


def test_leaving_early_or_cancelling_ends_the_thread() -> None:
    plan = plan_of(mapped((0, 64 * RECORD)), RECORD)
    with ChunkReader(MemoryVolume(bytes(64 * RECORD)), plan) as reader:
        next(iter(reader))
    cancelled = threading.Event()
    cancelled.set()
    volume = MemoryVolume(bytes(64 * RECORD))
    with pytest.raises(CancelledError), ChunkReader(volume, plan, cancelled=cancelled) as reader:
        list(reader)
    assert volume.reads == []
    assert IO_THREAD_NAME not in {thread.name for thread in threading.enumerate()}
    assert start_io_thread(lambda: None).name == IO_THREAD_NAME


@given(st.integers(1, 40), st.integers(1, 30000))
def test_f4_sub_ranges_cover_a_chunk_in_whole_records(records: int, wanted: int) -> None:
    parts = cut_sub_ranges(records * RECORD, RECORD, wanted)
    assert sum(length for _, length in parts) == records * RECORD
    assert all(at % RECORD == 0 and length % RECORD == 0 for at, length in parts)
