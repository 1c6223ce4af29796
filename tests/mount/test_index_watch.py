"""Being told of changes of an index by the kernel, and doing without (row M28)."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from musefs.index.counters import Counter, fresh_tally
from musefs.mount.serve.index_watch import GRACE_S, IndexWatch

LONG_S = 20.0
"""A time-out that a test never waits for."""


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "index.duckdb"
    path.parent.mkdir()
    path.write_bytes(b"1")
    return path


@pytest.fixture
def watch(index: Path) -> Iterator[IndexWatch]:
    made = IndexWatch(index)
    assert made.is_told
    yield made
    made.close()


def later(work: Callable[[], object], seconds: float = 0.05) -> threading.Timer:
    timer = threading.Timer(seconds, work)
    timer.start()
    return timer


def waited(watch: IndexWatch, seconds: float = LONG_S) -> tuple[bool, float]:
    begin = time.monotonic()
    told = watch.wait(seconds)
    return told, time.monotonic() - begin


def test_m28_a_writer_that_closes_the_index_ends_the_wait(index: Path, watch: IndexWatch) -> None:
    """M28: an edit is noticed long before the interval is over."""
    later(lambda: index.write_bytes(b"2"))
    told, seconds = waited(watch)
    assert told
    assert seconds < LONG_S / 2


def test_m28_another_file_in_its_place_ends_the_wait(index: Path, watch: IndexWatch) -> None:
    """M28: a scan publishes by renaming."""
    other = index.with_name("building")
    other.write_bytes(b"3")
    later(lambda: other.replace(index))
    assert waited(watch)[0]


def test_other_files_and_readers_do_not_end_it(index: Path, watch: IndexWatch) -> None:
    """Neither a journal nor a reader of the index is a change."""
    index.with_name("index.duckdb.wal").write_bytes(b"4")
    index.read_bytes()
    told, seconds = waited(watch, 0.1)
    assert not told
    assert seconds >= 0.1


def test_wake_ends_it(watch: IndexWatch) -> None:
    """A signal handler looks at once."""
    later(watch.wake)
    assert waited(watch)[0]
    assert not watch.wait(0.01)


def test_who_opens_the_index_again_at_once_is_not_disturbed(index: Path, watch: IndexWatch) -> None:
    """Two statements of a script: the wait goes on until the second is done."""
    closed: list[float] = []

    def write_twice() -> None:
        index.write_bytes(b"5")
        with index.open("ab") as file:
            time.sleep(20 * GRACE_S)
            file.write(b"6")
        closed.append(time.monotonic())

    timer = later(write_twice)
    assert waited(watch)[0]
    assert closed
    assert time.monotonic() >= closed[0]
    timer.join()


def test_a_holder_is_waited_for_no_longer_than_the_interval(index: Path, watch: IndexWatch) -> None:
    """Somebody who keeps the index open does not stop the mount from asking."""
    index.write_bytes(b"7")
    with index.open("ab"):
        told, seconds = waited(watch, 0.15)
    assert told
    assert seconds >= 0.14


@pytest.mark.expected_degradations(Counter.INDEX_WATCH_FALLBACKS)
def test_without_the_folder_the_time_is_left(index: Path, watch: IndexWatch) -> None:
    """A folder that is moved away is said, looked at once more, and then waited for by time."""
    with fresh_tally() as tally:
        index.parent.rename(index.parent.with_name("elsewhere"))
        assert waited(watch, 1.0)[0]
        assert not watch.is_told
        assert not watch.wait(0.01)
        later(watch.wake)
        assert waited(watch)[0]
        assert tally[Counter.INDEX_WATCH_FALLBACKS] == 1


@pytest.mark.expected_degradations(Counter.INDEX_WATCH_FALLBACKS)
def test_a_folder_that_cannot_be_watched_is_said(tmp_path: Path) -> None:
    """No inotify, or no folder: intervals only."""
    with fresh_tally() as tally:
        watch = IndexWatch(tmp_path / "nowhere" / "index.duckdb")
        assert not watch.is_told
        assert not watch.wait(0.01)
        watch.close()
        assert tally[Counter.INDEX_WATCH_FALLBACKS] == 1


def test_a_link_to_the_index_is_followed(index: Path, tmp_path: Path) -> None:
    """The folder that is watched is the file's own."""
    link = tmp_path / "link.duckdb"
    link.symlink_to(index)
    watch = IndexWatch(link)
    later(lambda: index.write_bytes(b"9"))
    assert waited(watch)[0]
    watch.close()


def test_no_descriptor_is_left(index: Path) -> None:
    """Watching and closing a hundred times leaves the process as it was."""
    IndexWatch(index).close()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(100):
        watch = IndexWatch(index)
        shutil.copy(index, index.with_name("copy"))
        watch.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
