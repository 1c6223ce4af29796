"""The mounted backing: stamps are checked, links are not followed, errors name the file."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from musefs.index.backing.content import ContentRef, Stamp
from musefs.index.backing.mounted import MountedBacking, stamp_of
from musefs.index.backing.positioned import read_by_seeking
from musefs.index.errors import BackingChangedError, BackingMissingError, BackingReadError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Music" / "LP").mkdir(parents=True)
    (tmp_path / "Music" / "LP" / "a.flac").write_bytes(b"0123456789")
    return tmp_path


def ref(root: Path, path: str = "/Music/LP/a.flac") -> ContentRef:
    status = (root / path[1:]).stat()
    return ContentRef(path.encode(), status.st_ino, 0, stamp_of(status))


def test_reads_any_range_and_is_short_only_at_the_end(root: Path) -> None:
    with MountedBacking(root).open(ref(root)) as content:
        assert content.size == 10
        assert content.read_at(3, 4) == b"3456"
        assert content.read_at(8, 100) == b"89"
        assert content.read_at(50, 1) == b""
        assert content.stamp() == ref(root).stamp


def test_seeking_reads_what_pread_reads_from_many_threads(tmp_path: Path) -> None:
    """What Windows uses, which has no pread."""
    numbers = b"".join(number.to_bytes(4, "big") for number in range(20_000))
    path = tmp_path / "numbers"
    path.write_bytes(numbers)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    def read(offset: int) -> bool:
        return read_by_seeking(descriptor, 100, offset) == numbers[offset : offset + 100]

    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(read, range(len(numbers), 0, -41)))
        assert read_by_seeking(descriptor, 1, len(numbers) + 1) == b""
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.write_bytes(b"longer than before"), "size"),
        (lambda path: os.utime(path, ns=(1, 1)), "modified"),
        (lambda path: path.chmod(0o400), "attributes"),
    ],
)
def test_a_changed_original_is_refused(
    root: Path, change: Callable[[Path], None], words: str
) -> None:
    recorded = ref(root)
    change(root / "Music/LP/a.flac")
    with pytest.raises(BackingChangedError, match=words) as caught:
        MountedBacking(root).open(recorded)
    assert caught.value.path is not None
    assert caught.value.path.endswith("a.flac")


def test_a_replaced_original_of_the_same_size_and_time_is_refused(root: Path) -> None:
    path = root / "Music/LP/a.flac"
    recorded = ref(root)
    stamp = Stamp(recorded.stamp.size, recorded.stamp.mtime_ns, 0, recorded.stamp.inode)
    other = root / "other"
    other.write_bytes(b"9876543210")
    os.utime(other, ns=(recorded.stamp.mtime_ns, recorded.stamp.mtime_ns))
    other.replace(path)
    with pytest.raises(BackingChangedError, match="replaced"):
        MountedBacking(root).open(ContentRef(recorded.path, 0, 0, stamp))


@pytest.mark.parametrize("path", ["/Music/gone.flac", "/Music/LP/a.flac/below", "/../etc/passwd"])
def test_a_missing_original_is_named(root: Path, path: str) -> None:
    with pytest.raises(BackingMissingError):
        MountedBacking(root).open(ContentRef(path.encode(), 0, 0, Stamp(0, 0)))


@pytest.mark.parametrize("link", ["/Music/LP/link.flac", "/Linked/a.flac"])
def test_symbolic_links_are_not_followed(root: Path, tmp_path: Path, link: str) -> None:
    recorded = ref(root)
    (root / "Music/LP/link.flac").symlink_to(root / "Music/LP/a.flac")
    (root / "Linked").symlink_to(root / "Music/LP")
    with pytest.raises(BackingMissingError):
        MountedBacking(root).open(ContentRef(link.encode(), 0, 0, recorded.stamp))


def test_a_fifo_in_place_of_a_file_does_not_hang(root: Path) -> None:
    os.mkfifo(root / "Music/fifo")
    with pytest.raises(BackingChangedError, match="plain file"):
        MountedBacking(root).open(ContentRef(b"/Music/fifo", 0, 0, Stamp(0, 0)))


def test_a_failing_read_names_the_file(root: Path) -> None:
    content = MountedBacking(root).open(ref(root))
    content.close()
    with pytest.raises(BackingReadError, match=r"a\.flac"):
        content.read_at(0, 1)
