"""Reads on the loop and in threads give the same bytes; the loop gives up where it would wait."""

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.served_library import MemoryFile, MemoryGeneration, pattern, reference

from musefs.index.backing.mounted import MountedBacking
from musefs.index.counters import Counter
from musefs.index.errors import BackingChangedError
from musefs.index.media.facts import Encoding, Span
from musefs.mount.formats.layout import make_layout
from musefs.mount.formats.ogg_pages import packet_pages
from musefs.mount.formats.segments import (
    Encoded,
    Generated,
    OriginalRange,
    Patched,
    Segment,
    ShiftedOffsets,
    StoredArt,
)
from musefs.mount.plan import OwnershipPlan
from musefs.mount.serve.core import Core
from musefs.mount.serve.devices import Devices, ReadPath
from musefs.mount.serve.handles import OpenFile
from musefs.mount.serve.opening import MountedOpener, Opener, WaitingOpener
from musefs.mount.serve.ownership import Ownership
from musefs.mount.serve.pool import Pool
from musefs.mount.serve.reads import WORK_BYTES

BODY = pattern(9, 5_000)
DATA = pattern(3, 300_000) + zlib.compress(BODY)


@dataclass
class FileOfSegments(MemoryFile):
    """A served file of any segments."""

    made: tuple[Segment, ...] = field(default=())

    def segments(self) -> list[Segment]:
        return list(self.made)


def core_of(root: Path, pool: Pool, made: tuple[Segment, ...], *, slow: bool = False) -> Core:
    served = FileOfSegments(b"a.bin", reference(root, "a.bin"), made=made)
    devices = Devices()
    backing = MountedBacking(root)
    opener: Opener = WaitingOpener(backing) if slow else MountedOpener(backing, devices)
    ownership = Ownership.of_plan(OwnershipPlan())
    return Core(MemoryGeneration(1, [served]), opener, ownership, pool, devices=devices)


def opened(core: Core) -> OpenFile:
    found = core.lookup(1, b"a.bin")
    assert found is not None
    file = core.file(core.open(found.inode).handle)
    assert file is not None
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.bin").write_bytes(DATA)
    return tmp_path


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(2) as made:
        yield made


LIGHT: tuple[Segment, ...] = (
    Generated(b"head"),
    ShiftedOffsets(100, 400, 4, 3),
    OriginalRange(1_000, 70_000),
    Patched(80_000, 9_000, ((5, b"new"), (8_990, b"bytes"))),
    Encoded((Span(90_000, 10), Span(90_100, 10), Span(200_000, 10)), Encoding.RAW, 4, 22),
    packet_pages([40_000], make_layout((OriginalRange(5, 40_000),), len(DATA)), 7, 0),
)


def knows_no_wait(file: OpenFile) -> bool:
    """Whether the file system of this test tells cached pages from others."""
    return file.read_path is not ReadPath.THREAD


def test_computed_segments_are_served_at_once_while_their_original_is_cached(
    root: Path, pool: Pool
) -> None:
    core = core_of(root, pool, LIGHT)
    file = opened(core)
    whole = bytes(core.read(file, 0, 1 << 20))
    assert len(whole) == file.layout.size
    for offset in range(0, len(whole), 7_777):
        now = core.read_now(file, offset, 9_999)
        if now is None:
            assert not knows_no_wait(file)
            return
        assert bytes(now) == whole[offset : offset + 9_999]
    assert core.reader.offloaded == 0


def test_what_is_not_in_memory_is_left_to_a_thread(root: Path, pool: Pool) -> None:
    """Never wrong bytes: the loop gives all that was asked for, or nothing."""
    core = core_of(root, pool, LIGHT)
    file = opened(core)
    whole = bytes(core.read(file, 0, 1 << 20))
    for _ in range(20):
        os.fsync(file.descriptor)
        os.posix_fadvise(file.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        now = core.read_now(file, 0, 1 << 20)
        assert now is None or bytes(now) == whole
    assert bytes(core.read(file, 0, 1 << 20)) == whole


@pytest.mark.parametrize(
    "heavy",
    [
        Encoded((Span(300_000, len(DATA) - 300_000),), Encoding.ZLIB, 0, len(BODY)),
        StoredArt("abc", 100),
        Patched(0, WORK_BYTES + 1, ()),
        packet_pages([9], make_layout((StoredArt("abc", 9),), 0), 7, 0),
    ],
)
def test_what_takes_long_is_left_to_a_thread(root: Path, pool: Pool, heavy: Segment) -> None:
    core = core_of(root, pool, (Generated(b"x"), heavy))
    file = opened(core)
    assert core.read_now(file, 0, 1 << 20) is None
    assert core.reader.offloaded == 1
    head = core.read_now(file, 0, 1)
    assert head is not None
    assert bytes(head) == b"x"


@pytest.mark.expected_degradations(Counter.BACKING_CHANGED)
@pytest.mark.parametrize("made", [LIGHT[2:3], LIGHT[3:4]])
def test_a_truncated_original_is_an_error_of_the_thread(
    root: Path, pool: Pool, made: tuple[Segment, ...]
) -> None:
    core = core_of(root, pool, made)
    file = opened(core)
    os.truncate(root / "a.bin", 1_500)
    assert core.read_now(file, 0, 5_000) is None
    with pytest.raises(BackingChangedError):
        core.read(file, 0, 5_000)


def test_plain_ranges_of_a_window_are_not_copied(root: Path, pool: Pool) -> None:
    """Eight readers of a slow store would hold the interpreter with their copies."""
    core = core_of(root, pool, (Generated(b"head"), OriginalRange(0, 300_000)), slow=True)
    file = opened(core)
    assert bytes(core.read(file, 0, 1_004)) == b"head" + DATA[:1_000]
    one, other = core.read(file, 1_004, 50_000), core.read(file, 51_004, 50_000)
    assert isinstance(one, memoryview)
    assert isinstance(other, memoryview)
    assert one.obj is other.obj
    core.release(file.number)
    assert bytes(one) + bytes(other) == DATA[1_000:101_000]
