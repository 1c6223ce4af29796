"""The core without a kernel: opens that race refreshes, handles, drift, metrics, errors."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.served_library import MemoryFile, MemoryGeneration, pattern, reference

from musefs.index import errors
from musefs.index.backing.content import Content, ContentRef
from musefs.index.backing.mounted import MountedBacking
from musefs.index.counters import Counter, fresh_tally
from musefs.index.errors import BackingChangedError, MusefsError
from musefs.mount.formats.segments import Generated
from musefs.mount.plan import OwnershipPlan
from musefs.mount.serve.core import OPEN_ATTEMPTS, Core, Limits
from musefs.mount.serve.devices import Devices
from musefs.mount.serve.errno_table import ERRNO_BY_ERROR, errno_of
from musefs.mount.serve.opening import MountedOpener, Original, WaitingOpener
from musefs.mount.serve.ownership import Ownership
from musefs.mount.serve.pool import Pool
from musefs.mount.serve.telemetry import DEGRADATIONS, METRICS, Telemetry

DATA = pattern(1, 200_000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.bin").write_bytes(DATA)
    (tmp_path / "b.bin").write_bytes(DATA[::-1])
    return tmp_path


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(4) as made:
        yield made


def state(root: Path, number: int = 1, version: int = 1) -> MemoryGeneration:
    return MemoryGeneration(
        number,
        [
            MemoryFile(b"x/a.flac", reference(root, "a.bin"), version, 100),
            MemoryFile(b"x/b.flac", reference(root, "b.bin"), 1, 100),
            MemoryFile(b"x/text.lrc", None, 1, 60),
        ],
    )


def make_core(root: Path, pool: Pool, generation: MemoryGeneration | None = None) -> Core:
    devices = Devices()
    return Core(
        state(root) if generation is None else generation,
        MountedOpener(MountedBacking(root), devices),
        Ownership.of_plan(OwnershipPlan()),
        pool,
        devices=devices,
    )


def inode_of(core: Core, name: bytes = b"a.flac") -> int:
    folder = core.lookup(1, b"x")
    assert folder is not None
    found = core.lookup(folder.inode, name)
    assert found is not None
    return found.inode


def read_all(core: Core, handle: int) -> bytes:
    file = core.file(handle)
    assert file is not None
    parts: list[bytes] = []
    while data := core.read(file, sum(map(len, parts)), 50_000):
        parts.append(data)
    return b"".join(parts)


def test_m14_handles_are_never_zero_and_never_reused(root: Path, pool: Pool) -> None:
    """M14: numbers only grow; releasing twice takes one off once."""
    core = make_core(root, pool)
    seen = set()
    for _ in range(3):
        opened = core.open(inode_of(core))
        assert opened.handle > 0
        assert opened.handle not in seen
        seen.add(opened.handle)
        core.release(opened.handle)
        core.release(opened.handle)
    assert len(core.handles) == 0


def test_m15_a_read_after_release_finds_the_file_by_its_inode(root: Path, pool: Pool) -> None:
    """M15: a stale handle falls back to the inode; a number that never was is EBADF."""
    core = make_core(root, pool)
    opened = core.open(inode_of(core))
    core.release(opened.handle)
    assert core.file(opened.handle) is None
    assert core.read_late(opened.handle, 100, 50) == DATA[:50]
    assert core.read_late(999, 100, 50, inode_of(core)) == DATA[:50]
    with pytest.raises(OSError, match="not open") as caught:
        core.read_late(999, 0, 10)
    assert caught.value.errno == errno.EBADF
    assert len(core.handles) == 0


def test_m16_a_read_by_handle_opens_and_looks_up_nothing(
    root: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M16, M21: positioned reads on the held descriptor only; no open, no stat by path."""
    core = make_core(root, pool)
    opened = core.open_now(inode_of(core)) or core.open(inode_of(core))
    file = core.file(opened.handle)
    assert file is not None

    def forbidden(*args: object, **kwargs: object) -> None:
        raise AssertionError("a read must not open or stat by path")

    for name in ("open", "stat", "lstat"):
        monkeypatch.setattr(os, name, forbidden)
    assert core.read(file, 0, 400)[100:] == DATA[:300]
    now = core.read_now(file, 100, 300)
    assert now is None or bytes(now) == DATA[:300]


@pytest.mark.expected_degradations(Counter.BACKING_CHANGED)
def test_m17_every_read_looks_at_the_held_descriptor(root: Path, pool: Pool) -> None:
    """M17: a change in place is EIO at the next read, at once and in a thread, without retry."""
    core = make_core(root, pool)
    file = core.file(core.open(inode_of(core)).handle)
    assert file is not None
    assert core.read(file, 0, 10)
    with (root / "a.bin").open("r+b") as original:
        original.write(b"changed!")
    with fresh_tally() as tally:
        for read in (core.read, core.read_now):
            with pytest.raises(BackingChangedError):
                read(file, 0, 10)
        assert tally[Counter.BACKING_CHANGED] == 2


@pytest.mark.expected_degradations(Counter.BACKING_CHANGED)
def test_m10_a_known_drift_is_shown_by_getattr_until_the_next_state(root: Path, pool: Pool) -> None:
    """M10: after an original was found changed, its attributes are not given out as if it were."""
    core = make_core(root, pool)
    inode = inode_of(core)
    assert core.getattr(inode).size == len(DATA) + 100
    os.utime(root / "a.bin", ns=(1, 1))
    with pytest.raises(BackingChangedError):
        core.open(inode)
    with pytest.raises(BackingChangedError):
        core.getattr(inode)
    core.swap(state(root, 2))
    assert core.getattr(inode).size == len(DATA) + 100


def test_m10_a_rescan_that_only_moves_the_stamp_is_followed(root: Path, pool: Pool) -> None:
    """M10: the same inode with another stamp in the next state opens; its layout was kept."""
    core = make_core(root, pool)
    inode = inode_of(core)
    core.release(core.open(inode).handle)
    os.utime(root / "a.bin", ns=(1, 1))
    core.swap(state(root, 2))
    assert inode_of(core) == inode
    opened = core.open(inode)
    assert read_all(core, opened.handle)[100:] == DATA


class SwappingOpener(WaitingOpener):
    """An opener in whose every open a refresh happens."""

    def __init__(self, root: Path, swap: Callable[[], None]) -> None:
        super().__init__(MountedBacking(root))
        self.swap = swap
        self.opens = 0
        self.contents: list[Content] = []

    def open(self, ref: ContentRef) -> Original:
        original = super().open(ref)
        self.contents.append(original.content)
        self.opens += 1
        self.swap()
        return original


def racing_core(root: Path, pool: Pool, opener: SwappingOpener) -> Core:
    return Core(state(root), opener, Ownership.of_plan(OwnershipPlan()), pool)


def test_m13_m18_an_open_that_a_refresh_overtakes_serves_its_own_inode(
    root: Path, pool: Pool
) -> None:
    """M13, M18: the inode retired between resolve and store; what is served is that inode whole.

    A lookup finds the new one at once, and after a while the old one is no more.
    """
    opener = SwappingOpener(root, lambda: core.swap(state(root, 2, version=2)))
    core = racing_core(root, pool, opener)
    old = inode_of(core)
    before = core.getattr(old)
    wanted = b"".join(
        s.data if isinstance(s, Generated) else DATA for s in state(root).contents[0].segments()
    )
    opened = core.open(old)
    assert core.getattr(old) == before
    assert read_all(core, opened.handle) == wanted
    assert inode_of(core) != old
    core.release(opened.handle)
    core._retired.clear()
    with pytest.raises(OSError, match="earlier state") as caught:
        core.open(old)
    assert caught.value.errno == errno.ESTALE


def test_m18_an_open_is_kept_if_the_refresh_left_its_inode(root: Path, pool: Pool) -> None:
    """M18: an unchanged inode has the same bytes in every state; nothing is repeated."""
    opener = SwappingOpener(root, lambda: core.swap(state(root, 2)))
    core = racing_core(root, pool, opener)
    opened = core.open(inode_of(core))
    assert opener.opens == 1
    assert read_all(core, opened.handle)[100:] == DATA


def test_m19_m22_at_most_four_attempts_then_a_retryable_error(root: Path, pool: Pool) -> None:
    """M19, M22: each attempt is overtaken by a refresh and fails with BackingChanged."""
    number = iter(range(2, 100))

    class Failing(SwappingOpener):
        def open(self, ref: ContentRef) -> Original:
            self.opens += 1
            self.swap()
            raise BackingChangedError("changed", path="a.bin")

    opener = Failing(root, lambda: core.swap(state(root, next(number))))
    core = racing_core(root, pool, opener)
    with pytest.raises(BackingChangedError, match="refreshed 4 times"):
        core.open(inode_of(core))
    assert opener.opens == OPEN_ATTEMPTS == 4


@pytest.mark.expected_degradations(Counter.BACKING_MISSING)
def test_m22_other_errors_are_not_retried(root: Path, pool: Pool) -> None:
    """M22: only BackingChanged together with a refresh starts again."""
    opener = SwappingOpener(root, lambda: None)
    core = racing_core(root, pool, opener)
    (root / "a.bin").unlink()
    with pytest.raises(errors.BackingMissingError):
        core.open(inode_of(core))
    assert opener.opens == 0


def test_m23_answers_share_one_buffer(root: Path, pool: Pool) -> None:
    """M23: the fast path never allocates for data; a shorter read shows nothing of a longer one."""
    core = make_core(root, pool)
    file = core.file(core.open(inode_of(core)).handle)
    assert file is not None
    core.read(file, 0, 200_000)  # into the page cache
    long, short = core.read_now(file, 0, 100_000), core.read_now(file, 150_000, 10)
    if isinstance(long, memoryview) and isinstance(short, memoryview):
        assert long.obj is short.obj
        assert bytes(short) == DATA[149_900:149_910]
        assert len(short) == 10


def test_m26_release_during_a_read_closes_after_it(root: Path, pool: Pool) -> None:
    """M24, M26: a read that runs in a thread keeps the descriptor; the last reference closes."""
    core = make_core(root, pool)
    opened = core.open(inode_of(core))
    file = core.file(opened.handle)
    assert file is not None
    core.handles.hold(file)
    core.release(opened.handle)
    assert core.read(file, 100, 10) == DATA[:10]
    core.handles.let_go(file)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file.descriptor)


def test_a_retired_inode_that_is_open_still_has_attributes(root: Path, pool: Pool) -> None:
    """`fstat` on an open descriptor works after its inode retired; others get ESTALE."""
    core = make_core(root, pool)
    inode = inode_of(core)
    opened = core.open(inode)
    before = core.getattr(inode)
    core.swap(state(root, 2, version=2))
    assert core.getattr(inode) == before
    core._retired.clear()
    assert core.getattr(inode) == before
    core.release(opened.handle)
    with pytest.raises(OSError, match="earlier state"):
        core.getattr(inode)


def test_m6_lookups_never_see_half_a_state(root: Path, pool: Pool) -> None:
    """M6, M11: threads hammer lookups while states are swapped; every answer is of one state."""
    core = make_core(root, pool)
    states = [state(root, number, version=number) for number in range(2, 40)]
    valid = {
        (s.attributes(n).inode, s.attributes(n).size)
        for s in [core.generation, *states]
        for n in range(5)
    }
    wrong: list[object] = []
    done = threading.Event()

    def hammer() -> None:
        while not done.is_set():
            folder = core.lookup(1, b"x")
            assert folder is not None
            found = core.lookup(folder.inode, b"a.flac")
            if found is None or (found.inode, found.size) not in valid:
                wrong.append(found)

    threads = [threading.Thread(target=hammer) for _ in range(3)]
    for thread in threads:
        thread.start()
    for following in states * 10:
        core.swap(following)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_m12_listing_errors_and_offsets(root: Path, pool: Pool) -> None:
    """M12: ENOTDIR for a file, ESTALE for an unknown inode, EBADF for a closed handle."""
    core = make_core(root, pool)
    with pytest.raises(NotADirectoryError):
        core.opendir(inode_of(core))
    with pytest.raises(OSError, match="earlier state"):
        core.opendir(12345)
    with pytest.raises(OSError, match="not open"):
        list(core.readdir(77, 0))
    folder = core.lookup(1, b"x")
    assert folder is not None
    handle = core.opendir(folder.inode)
    names = [entry.name for entry in core.readdir(handle, 0)]
    assert names == [b"a.flac", b"b.flac", b"text.lrc"]
    assert [entry.name for entry in core.readdir(handle, 2)] == [b"text.lrc"]
    core.releasedir(handle)
    assert len(core.directories) == 0


@pytest.mark.expected_degradations(Counter.DIRECTORY_HANDLES_REFUSED)
def test_a_full_directory_table_lists_without_a_snapshot(root: Path, pool: Pool) -> None:
    """Over the capacity nothing is refused: walkers must not lose folders."""
    core = make_core(root, pool)
    core.directories._capacity = 0
    with fresh_tally() as tally:
        handle = core.opendir(1)
        assert tally[Counter.DIRECTORY_HANDLES_REFUSED] == 1
    assert handle == 0
    assert [entry.name for entry in core.readdir(0, 0, 1)] == [b"x"]


def test_m33_layouts_are_kept_within_a_byte_budget(root: Path, pool: Pool) -> None:
    """M33: hits, misses, entries, bytes and limit are known; the budget holds."""
    generation = state(root)
    core = Core(
        generation,
        MountedOpener(MountedBacking(root), Devices()),
        Ownership.of_plan(OwnershipPlan()),
        pool,
        limits=Limits(header_budget_bytes=1500),
    )
    for name in (b"a.flac", b"a.flac", b"b.flac", b"text.lrc", b"a.flac"):
        core.release(core.open(inode_of(core, name)).handle)
    statistics = core.layouts.statistics()
    assert statistics["hits"] >= 1
    assert statistics["misses"] >= 3
    assert 0 < statistics["bytes"] <= statistics["limit_bytes"] == 1500
    assert generation.served_calls == statistics["misses"]


def test_m35_metrics_parse_and_are_the_closed_list(root: Path, pool: Pool) -> None:
    """M34, M35: every metric of the list, read back by Prometheus' own parser."""
    core = make_core(root, pool)
    core.release(core.open(inode_of(core)).handle)
    text = Telemetry(core).text()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for metric in METRICS:
        family = families.pop(f"musefs_{metric.name}")
        assert family.type == ("counter" if metric.is_counter else "gauge")
        assert family.documentation == metric.help
        assert len(family.samples) == 1
    kinds = {sample.labels["kind"] for sample in families.pop("musefs_degradations").samples}
    assert "backing_changed" in kinds
    assert not families
    assert Telemetry(core).snapshot()["library_files"] == 3


def all_errors(kind: type[MusefsError]) -> Iterator[type[MusefsError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from all_errors(below)


def test_m36_every_core_error_has_one_errno_and_carries_its_path() -> None:
    """M36: the table covers the whole tree; messages name the original."""
    for kind in all_errors(MusefsError):
        number = errno_of(kind("what", path="/music/a.flac"))
        assert number in errno.errorcode
        assert "/music/a.flac" in str(kind("what", path="/music/a.flac"))
    assert errno_of(errors.BackingChangedError("x")) == errno.EIO
    assert errno_of(errors.BackingMissingError("x")) == errno.ENOENT
    assert errno_of(errors.ContentRefusedError("x")) == errno.EIO
    assert errno_of(errors.MediaFormatError("x")) == errno.EIO
    assert errno_of(OSError(errno.ENXIO, "x")) == errno.ENXIO
    assert errno_of(OSError("without a number")) == errno.EIO
    assert errno_of(ZeroDivisionError()) is None
    assert set(ERRNO_BY_ERROR.values()) <= set(errno.errorcode)


def test_m37_production_code_has_no_test_seams() -> None:
    """M37: faults come from doubles behind the protocols; nothing in the mount knows of tests."""
    package = Path(errors.__file__).parents[1] / "mount"
    for module in package.rglob("*.py"):
        text = module.read_text()
        assert "pytest" not in text, module
        assert "for_test" not in text, module
        assert "_testing" not in text, module


def test_m35_every_metric_is_documented() -> None:
    """M35: docs/metrics.md names each metric of the closed list, and no other."""
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    named = {line.split("`")[1].partition("{")[0] for line in text.splitlines() if "| `" in line}
    assert named == {metric.exposed_name for metric in (*METRICS, DEGRADATIONS)}
