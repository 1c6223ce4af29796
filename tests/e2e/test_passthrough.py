"""M27: the kernel reads plain originals itself, through the raw transport."""

import subprocess
from pathlib import Path

import pytest
from support.kernel_mount import FileSpec, KernelMount, client
from support.served_library import pattern

pytestmark = pytest.mark.fuse

FILES: list[FileSpec] = [
    ["a/plain.flac", "one.bin", 1, 0],
    ["a/also plain.flac", "two.bin", 1, 0],
    ["a/with header.flac", "two.bin", 1, 700],
]

HOLD_OPEN = """
import os, sys
descriptors = [os.open(path, os.O_RDONLY) for path in sys.argv[1:] for _ in range(3)]
data = b""
while part := os.pread(descriptors[0], 1 << 20, len(data)):
    data += part
print(len(data), flush=True)
sys.stdin.readline()
os.close(descriptors.pop(0))
for descriptor in descriptors:
    assert os.pread(descriptor, 10, 5)
"""


def test_m27_plain_files_are_read_by_the_kernel(mount_directory: Path) -> None:
    """M27: no READ reaches us, one id for all opens of an inode, closed at the last release."""
    with KernelMount(mount_directory, FILES, "raw", passthrough=True) as mount:
        plain = [mount.mountpoint / "a/plain.flac", mount.mountpoint / "a/also plain.flac"]
        with subprocess.Popen(
            ["python3", "-c", HOLD_OPEN, *plain],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as reader:  # fmt: skip
            assert reader.stdout is not None
            assert reader.stdout.readline() == f"{3 << 20}\n"
            stats = mount.stats()
            assert stats["transport"]["passthrough_active"] == 2
            assert stats["reads"] == 0
            reader.communicate("\n", timeout=20)
            assert reader.returncode == 0
        stats = mount.settled()
        assert stats["transport"]["passthrough_active"] == 0
        assert stats["handles"] == 0
        out = client("import sys; print(open(sys.argv[1], 'rb').read()[700:] == "
                     "open(sys.argv[2], 'rb').read())",
                     mount.mountpoint / "a/with header.flac", mount.root / "two.bin")  # fmt: skip
        assert out.strip() == "True"
        assert mount.stats()["reads"] > 0


def test_m27_bytes_and_mmap_are_the_originals(mount_directory: Path) -> None:
    """M27: read, mmap and O_DIRECT all go to the original."""
    with KernelMount(mount_directory, FILES, "raw", passthrough=True) as mount:
        script = """
import mmap, os, sys
want = open(sys.argv[2], "rb").read()
fd = os.open(sys.argv[1], os.O_RDONLY)
with mmap.mmap(fd, len(want), prot=mmap.PROT_READ) as view:
    print(view[:] == want, os.pread(fd, 1 << 20, 0) == want[: 1 << 20])
"""
        out = client(script, mount.mountpoint / "a/plain.flac", mount.root / "one.bin")
        assert out.split() == ["True", "True"]
        assert mount.stats()["reads"] == 0


def test_m27_the_descriptor_outlives_a_refresh_and_the_new_version_gets_its_own(
    mount_directory: Path,
) -> None:
    """M27: an open handle goes on after its inode retired."""
    with KernelMount(mount_directory, FILES, "raw", passthrough=True) as mount:
        script = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print(os.pread(fd, 16, 100).hex(), flush=True)
sys.stdin.readline()
print(os.pread(fd, 16, 100).hex(), open(sys.argv[1], "rb").read()[100:116].hex())
"""
        with subprocess.Popen(
            ["python3", "-c", script, mount.mountpoint / "a/plain.flac"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as reader:  # fmt: skip
            assert reader.stdout is not None
            before = reader.stdout.readline().strip()
            mount.set_files([["a/plain.flac", "two.bin", 2, 0]])
            out, _ = reader.communicate("\n", timeout=20)
        assert out.split() == [before, pattern(1, 200)[100:116].hex()]


def test_m27_registration_that_fails_falls_back_to_serving(tmp_path: Path) -> None:
    """M27: an original on a file system that cannot be registered is served through us, counted."""
    lower = tmp_path / "lower"
    (lower / "originals").mkdir(parents=True)
    data = pattern(3, 300_000)
    (lower / "originals" / "one.bin").write_bytes(data)
    inner = KernelMount(lower, [["one.bin", "one.bin", 1, 0]], "raw", passthrough=True)
    outer_directory = tmp_path / "outer"
    outer_directory.mkdir()
    with inner:
        (outer_directory / "originals").symlink_to(inner.mountpoint)
        with KernelMount(
            outer_directory, [["x.flac", "one.bin", 1, 0]], "raw", passthrough=True
        ) as outer:
            # a third level is one more than the kernel stacks
            third = tmp_path / "third"
            third.mkdir()
            (third / "originals").symlink_to(outer.mountpoint)
            with KernelMount(third, [["y.flac", "x.flac", 1, 0]], "raw", passthrough=True) as top:
                script = "import sys; print(len(open(sys.argv[1], 'rb').read()))"
                assert client(script, top.mountpoint / "y.flac").strip() == str(len(data))
                assert top.stats()["counters"]["passthrough_fallbacks"] == 1
                assert top.stats()["transport"]["passthrough_enabled"] == 0
