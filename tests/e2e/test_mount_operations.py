"""Every operation through a real kernel mount, on both loops and both transports."""

import errno
import hashlib
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest
from support.kernel_mount import FileSpec, KernelMount, client
from support.served_library import MemoryFile, pattern, reference

pytestmark = pytest.mark.fuse

FILES: list[FileSpec] = [
    ["Artist/Album/01 One.flac", "one.bin", 1, 5000],
    ["Artist/Album/02 Two.flac", "two.bin", 1, 5000],
    ["Artist/Album/cover.jpg", None, 1, 900],
    ["Artist/Other/Ünïcödé 日本.mp3", "tiny.bin", 1, 10],
    ["plain.wav", "two.bin", 1, 0],
]


def expected(directory: Path, spec: FileSpec) -> bytes:
    """Return what a served file must consist of, made without the mount."""
    path, original, version, header_bytes = spec
    ref = None if original is None else reference(directory / "originals", original)
    header = MemoryFile(path.encode(), ref, version, header_bytes).header()
    tail = b"" if original is None else (directory / "originals" / original).read_bytes()
    return (header if header_bytes else b"") + tail


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


READ_ALL = """
import hashlib, os, sys
for root, _, names in sorted(os.walk(os.fsencode(sys.argv[1]))):
    for name in sorted(names):
        path = os.path.join(root, name)
        data = open(path, "rb").read()
        assert len(data) == os.stat(path).st_size, path
        name = os.fsdecode(os.path.relpath(path, os.fsencode(sys.argv[1])))
        print(hashlib.sha256(data).hexdigest(), name)
"""


def test_m1_m8_whole_tree_reads_byte_exact(mount_directory: Path, transport: str) -> None:
    """M8 lookup, M16 reads by handle: names, sizes and bytes of every file."""
    with KernelMount(mount_directory, FILES, transport) as mount:
        lines = client(READ_ALL, mount.mountpoint).splitlines()
        assert mount.settled()["handles"] == 0
    found = dict(reversed(line.split(" ", 1)) for line in lines)
    assert found == {spec[0]: sha(expected(mount_directory, spec)) for spec in FILES}


def test_m9_attributes(mount_directory: Path, transport: str) -> None:
    """M9 getattr: sizes, modes, links and inode numbers, the same by name and by listing."""
    with KernelMount(mount_directory, FILES, transport) as mount:
        script = """
import os, stat, sys
root = sys.argv[1]
top = os.stat(root)
assert stat.S_ISDIR(top.st_mode) and stat.S_IMODE(top.st_mode) == 0o555 and top.st_ino == 1
one = os.stat(root + "/Artist/Album/01 One.flac")
assert stat.S_ISREG(one.st_mode) and stat.S_IMODE(one.st_mode) == 0o444
assert one.st_nlink == 1 and one.st_size == 5000 + (3 << 20)
assert one.st_blocks == -(-one.st_size // 512)
assert one.st_mtime_ns == 1_600_000_000_000_000_001
assert one.st_uid == os.getuid() and one.st_gid == os.getgid()
for entry in os.scandir(root + "/Artist/Album"):
    assert entry.inode() == os.stat(entry.path).st_ino
assert os.stat(root + "/Artist").st_mtime > 1_700_000_000
print(sorted(os.listdir(root)), sorted(os.listdir(root + "/Artist/Other")))
"""
        out = client(script, mount.mountpoint)
    assert out.strip() == "['Artist', 'plain.wav'] ['Ünïcödé 日本.mp3']"


def test_m12_errors_of_directories(mount_directory: Path, transport: str) -> None:
    """M12: unknown name ENOENT, listing a file ENOTDIR, reading a directory EISDIR."""
    with KernelMount(mount_directory, FILES, transport) as mount:
        script = """
import errno, os, sys
root = sys.argv[1]
def fails(number, call, *args):
    try:
        call(*args)
    except OSError as error:
        assert error.errno == number, (error, number)
    else:
        raise AssertionError((call, args))
fails(errno.ENOENT, os.stat, root + "/nothing")
fails(errno.ENOENT, os.stat, root + "/Artist/nothing/at/all")
fails(errno.ENOENT, os.stat, os.fsencode(root) + b"/not-utf8-\\xff")
fails(errno.ENOTDIR, os.listdir, root + "/plain.wav")
fails(errno.ENOTDIR, os.stat, root + "/plain.wav/x")
fails(errno.EISDIR, os.read, os.open(root + "/Artist", os.O_RDONLY), 10)
fails(errno.ENAMETOOLONG, os.stat, root + "/" + "n" * 256)
"""
        client(script, mount.mountpoint)


def test_everything_that_writes_is_erofs(mount_directory: Path, transport: str) -> None:
    """M38: the file system is read-only."""
    with KernelMount(mount_directory, FILES, transport) as mount:
        script = """
import errno, os, sys
root = sys.argv[1]
track = root + "/plain.wav"
calls = [
    (os.open, track, os.O_WRONLY), (os.open, track, os.O_RDWR),
    (os.open, root + "/new", os.O_CREAT | os.O_WRONLY), (os.open, track, os.O_TRUNC),
    (os.truncate, track, 0), (os.unlink, track), (os.mkdir, root + "/d"),
    (os.rmdir, root + "/Artist"), (os.rename, track, root + "/b"), (os.link, track, root + "/b"),
    (os.symlink, "x", root + "/s"), (os.chmod, track, 0o777), (os.chown, track, 1, 1),
    (os.utime, track, (1, 1)), (os.mknod, root + "/n"), (os.setxattr, track, "user.x", b"1"),
]
for call, *args in calls:
    try:
        call(*args)
    except OSError as error:
        allowed = (errno.EROFS, errno.ENOTSUP) if call is os.setxattr else (errno.EROFS,)
        assert error.errno in allowed, (call, error)
    else:
        raise AssertionError(call)
"""
        client(script, mount.mountpoint)


def test_xattrs_are_asked_for_once_at_most(mount_directory: Path, transport: str) -> None:
    """`ls -l` must not pay for extended attributes: the kernel is told that there are none."""
    with KernelMount(mount_directory, FILES, transport) as mount:
        script = """
import errno, os, sys
for _ in range(3):
    for call, *args in ((os.getxattr, "security.selinux"), (os.listxattr,)):
        try:
            call(sys.argv[1] + "/plain.wav", *args)
        except OSError as error:
            assert error.errno == errno.ENOTSUP
        else:
            assert call is os.listxattr
"""
        client(script, mount.mountpoint)


def test_statfs_has_real_numbers(mount_directory: Path, transport: str) -> None:
    """Importers mind a file system without space."""
    with KernelMount(mount_directory, FILES, transport) as mount:
        out = client(
            "import os, sys; s = os.statvfs(sys.argv[1]); "
            "print(s.f_blocks - s.f_bfree, s.f_bsize, s.f_bavail > 0, s.f_files > 5, s.f_namemax)",
            mount.mountpoint,
        )
    total = sum(len(expected(mount_directory, spec)) for spec in FILES)
    assert out.split() == [str(-(-total // 4096)), "4096", "True", "True", "255"]


def test_reads_at_the_edges(mount_directory: Path, transport: str) -> None:
    """Beyond the end is short, and borders between header and audio are seamless."""
    with KernelMount(mount_directory, FILES, transport) as mount:
        script = """
import os, sys
fd = os.open(sys.argv[1] + "/Artist/Album/01 One.flac", os.O_RDONLY)
size = os.fstat(fd).st_size
assert os.pread(fd, 100, size) == b"" and os.pread(fd, 100, size + 10**9) == b""
assert len(os.pread(fd, 100, size - 7)) == 7
print(os.pread(fd, 40, 4980).hex(), os.pread(fd, 4 << 20, 0)[4980:5020].hex())
"""
        first, second = client(script, mount.mountpoint).split()
    assert first == second == expected(mount_directory, FILES[0])[4980:5020].hex()


def test_m7_m13_open_handles_keep_what_they_opened(mount_directory: Path, transport: str) -> None:
    """M7, M13, M18: an open descriptor survives a refresh; a new open sees the new version."""
    with KernelMount(mount_directory, FILES, transport) as mount:
        path = mount.mountpoint / "Artist/Album/01 One.flac"
        script = """
import hashlib, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
before = os.fstat(fd)
print("open", flush=True)
sys.stdin.readline()
data = b""
while part := os.pread(fd, 65536, len(data)):
    data += part
after = os.fstat(fd)
assert (before.st_ino, before.st_size) == (after.st_ino, after.st_size) == (after.st_ino, len(data))
new = open(sys.argv[1], "rb").read()
assert os.stat(sys.argv[1]).st_size == len(new)
print(hashlib.sha256(data).hexdigest(), hashlib.sha256(new).hexdigest())
"""
        with subprocess.Popen(
            ["python3", "-c", script, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "open\n"
            changed = [["Artist/Album/01 One.flac", "one.bin", 2, 6000], *FILES[1:]]
            mount.set_files(changed)
            out, _ = reader.communicate("\n", timeout=20)
        old = sha(expected(mount_directory, FILES[0]))
        new = sha(expected(mount_directory, changed[0]))
        assert out.split() == [old, new]


def test_m6_names_appear_and_go_at_once(mount_directory: Path, transport: str) -> None:
    """A refresh shows at once although names were cached, also those cached as missing."""
    with KernelMount(
        mount_directory, FILES, transport,
        kernel={"entry_timeout_s": 300.0, "attr_timeout_s": 300.0, "negative_timeout_s": 300.0},
    ) as mount:  # fmt: skip
        new = mount.mountpoint / "Artist/Album/03 New.flac"
        old = mount.mountpoint / "plain.wav"
        check = "import os, sys; print(os.path.exists(sys.argv[1]), os.path.exists(sys.argv[2]))"
        assert client(check, new, old).split() == ["False", "True"]
        mount.set_files([*FILES[:4], ["Artist/Album/03 New.flac", "one.bin", 1, 4]])
        assert client(check, new, old).split() == ["True", "False"]


def test_listing_is_a_snapshot(mount_directory: Path, transport: str) -> None:
    """A directory that is being listed while the library changes neither skips nor repeats."""
    many = [[f"big/{number:05}.mp3", "tiny.bin", 1, 20] for number in range(4000)]
    with KernelMount(mount_directory, many, transport) as mount:
        script = """
import os, sys
listing = os.scandir(sys.argv[1] + "/big")
names = [next(listing).name]
print("started", flush=True)
sys.stdin.readline()
names += [entry.name for entry in listing]
assert names == sorted(set(names)), "shifted"
print(len(names), len(os.listdir(sys.argv[1] + "/big")))
"""
        with subprocess.Popen(
            ["python3", "-c", script, mount.mountpoint],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as lister:  # fmt: skip
            assert lister.stdout is not None
            assert lister.stdout.readline() == "started\n"
            mount.set_files(many[::2])
            out, _ = lister.communicate("\n", timeout=20)
    assert out.split() == ["4000", "2000"]


def test_m17_changed_original_is_eio(mount_directory: Path, transport: str) -> None:
    """M10, M17: an original changed in place, or replaced, gives EIO and never a mixture."""
    with KernelMount(mount_directory, FILES, transport, kernel={"attr_timeout_s": 0.0}) as mount:
        script = """
import errno, os, sys
path = sys.argv[1]
fd = os.open(path, os.O_RDONLY)
assert len(os.pread(fd, 1000, 0)) == 1000
print("open", flush=True)
sys.stdin.readline()
for call, *args in ((os.pread, fd, 4096, 2 << 20), (os.open, path, os.O_RDONLY), (os.stat, path)):
    try:
        call(*args)
    except OSError as error:
        assert error.errno == errno.EIO, (call, error)
    else:
        raise AssertionError(call)
print("done")
"""
        with subprocess.Popen(
            ["python3", "-c", script, mount.mountpoint / "Artist/Album/01 One.flac"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as reader:  # fmt: skip
            assert reader.stdout is not None
            assert reader.stdout.readline() == "open\n"
            with (mount.root / "one.bin").open("r+b") as original:
                original.seek(2 << 20)
                original.write(b"changed")
            out, _ = reader.communicate("\n", timeout=20)
        assert out == "done\n"
        assert mount.stats()["counters"]["backing_changed"] >= 2
        assert client("import sys; print(len(open(sys.argv[1], 'rb').read()))",
                      mount.mountpoint / "plain.wav").strip() == "700001"  # fmt: skip


def test_missing_original_is_enoent_and_truncated_is_eio(
    mount_directory: Path, transport: str
) -> None:
    """The fault list of the errno table, through the kernel."""
    with KernelMount(mount_directory, FILES, transport) as mount:
        (mount.root / "one.bin").rename(mount.root / "gone.bin")
        os.truncate(mount.root / "two.bin", 1000)
        script = """
import os, sys
for name in sys.argv[2:]:
    try:
        os.open(sys.argv[1] + "/" + name, os.O_RDONLY)
    except OSError as error:
        print(error.errno)
"""
        out = client(script, mount.mountpoint, "Artist/Album/01 One.flac", "plain.wav")
    assert out.split() == [str(errno.ENOENT), str(errno.EIO)]


def test_a_symlink_in_place_of_an_original_is_not_followed(
    mount_directory: Path, transport: str
) -> None:
    """What leads out of the root is not served."""
    with KernelMount(mount_directory, FILES, transport) as mount:
        (mount.root / "two.bin").unlink()
        (mount.root / "two.bin").symlink_to("/etc/passwd")
        script = "import os, sys; os.open(sys.argv[1], os.O_RDONLY)"
        done = subprocess.run(
            ["python3", "-c", script, mount.mountpoint / "plain.wav"],
            capture_output=True, text=True, check=False, timeout=20,
        )  # fmt: skip
    assert "OSError" in done.stderr or "FileNotFoundError" in done.stderr


def test_a_crash_in_one_operation_is_eio_and_the_mount_lives_on(
    mount_directory: Path, transport: str
) -> None:
    """M37's counterpart in production: a bug answers EIO, is logged with its operation, counted."""
    with KernelMount(mount_directory, FILES, transport) as mount:
        mount.crash()
        out = client(
            """
import os, sys
try:
    os.statvfs(sys.argv[1])
except OSError as error:
    print(error.errno)
print(len(os.listdir(sys.argv[1])))
""",
            mount.mountpoint,
        )
        assert out.split() == [str(errno.EIO), "2"]
        assert mount.stats()["counters"]["handler_crashes"] == 1
        assert "ZeroDivisionError" in mount.log()


def test_mmap_sendfile_and_direct_io(mount_directory: Path, transport: str) -> None:
    """The other ways in which programs read."""
    with KernelMount(mount_directory, FILES, transport) as mount:
        script = """
import hashlib, mmap, os, socket, sys
path = sys.argv[1]
fd = os.open(path, os.O_RDONLY)
size = os.fstat(fd).st_size
with mmap.mmap(fd, size, prot=mmap.PROT_READ) as view:
    print(hashlib.sha256(view).hexdigest())
left, right = socket.socketpair()
got = b""
sent = 0
while sent < size:
    sent += os.sendfile(left.fileno(), fd, sent, 32768)
    while len(got) < sent:
        got += right.recv(1 << 20)
print(hashlib.sha256(got).hexdigest())
direct = os.open(path, os.O_RDONLY | os.O_DIRECT)
buffer = mmap.mmap(-1, 1 << 20)
data = b""
while count := os.preadv(direct, [buffer], len(data)):
    data += buffer[:count]
print(hashlib.sha256(data).hexdigest())
"""
        out = client(script, mount.mountpoint / "Artist/Album/01 One.flac")
    assert set(out.split()) == {sha(expected(mount_directory, FILES[0]))}


def test_m14_a_full_handle_table_is_enfile(mount_directory: Path, transport: str) -> None:
    """M14: capacity 1; the second open fails, the first goes on, nothing crashes."""
    with KernelMount(mount_directory, FILES, transport, limits={"handles": 1}) as mount:
        script = """
import os, sys
first = os.open(sys.argv[1], os.O_RDONLY)
try:
    os.open(sys.argv[2], os.O_RDONLY)
except OSError as error:
    print(error.errno)
print(len(os.read(first, 10)))
os.close(first)
"""
        out = client(
            script, mount.mountpoint / "plain.wav", mount.mountpoint / "Artist/Album/cover.jpg"
        )
    assert out.split() == [str(errno.ENFILE), "10"]


def test_a_slow_original_does_not_delay_others(mount_directory: Path, transport: str) -> None:
    """No blocking call is on the loop: `stat` and cached reads go on beside a 300 ms read."""
    (mount_directory / "originals" / "slow.bin").write_bytes(pattern(9, 4 << 20))
    files = [*FILES, ["slow.flac", "slow.bin", 1, 100]]
    with KernelMount(mount_directory, files, transport, delay_s=0.3) as mount:
        script = (
            "import os, sys; fd = os.open(sys.argv[1], os.O_RDONLY); os.pread(fd, 1000, 1 << 20)"
        )
        readers = [
            subprocess.Popen(["python3", "-c", script, mount.mountpoint / "slow.flac"])
            for _ in range(3)
        ]
        time.sleep(0.1)
        out = client(
            """
import os, sys, time
slowest = 0
for number in range(200):
    begin = time.perf_counter()
    try:
        os.stat(sys.argv[1] + f"/no-such-{number}")
    except FileNotFoundError:
        pass
    slowest = max(slowest, time.perf_counter() - begin)
print(slowest)
""",
            mount.mountpoint,
        )
        for reader in readers:
            assert reader.wait(20) == 0
        assert mount.stats()["offloaded"] > 0
    assert float(out) < 0.25


def test_m24_read_ahead_charge_returns_to_zero(mount_directory: Path, transport: str) -> None:
    """M24: windows are freed with the last reference; the charge returns to 0."""
    (mount_directory / "originals" / "slow.bin").write_bytes(pattern(9, 8 << 20))
    files = [["slow.flac", "slow.bin", 1, 100]]
    with KernelMount(mount_directory, files, transport, delay_s=0.001) as mount:
        out = client(
            "import hashlib, sys; d = open(sys.argv[1], 'rb').read();"
            "print(hashlib.sha256(d).hexdigest())",
            mount.mountpoint / "slow.flac",
        )
        stats = mount.settled()
    assert out.strip() == sha(expected(mount_directory, files[0]))
    assert stats["budget"]["charged_bytes"] == 0
    assert stats["budget"]["streams"] == 0
    assert stats["budget"]["hits"] > 0
    assert stats["handles"] == 0


def test_m35_metrics_file_is_read_fresh(mount_directory: Path, transport: str) -> None:
    """M35: .musefs-metrics/metrics has no size and is never cached."""
    with KernelMount(mount_directory, FILES, transport, metrics=True) as mount:
        script = """
import os, sys
root = sys.argv[1]
assert ".musefs-metrics" in os.listdir(root)
assert os.listdir(root + "/.musefs-metrics") == ["metrics"]
path = root + "/.musefs-metrics/metrics"
assert os.stat(path).st_size == 0
print(open(path).read())
"""
        assert "musefs_uptime_seconds 1" in client(script, mount.mountpoint)


def test_many_threads_on_one_file(mount_directory: Path, transport: str) -> None:
    """Concurrent readers of one file each get their own bytes."""
    want = expected(mount_directory, FILES[0])
    with KernelMount(mount_directory, FILES, transport) as mount:
        script = """
import os, random, sys, threading
path, want = sys.argv[1], open(sys.argv[2], "rb").read()
wrong = []
def read(seed):
    choose = random.Random(seed)
    fd = os.open(path, os.O_RDONLY)
    for _ in range(60):
        offset, length = choose.randrange(len(want)), choose.randrange(1, 300_000)
        if os.pread(fd, length, offset) != want[offset:offset + length]:
            wrong.append((offset, length))
    os.close(fd)
threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(wrong)
"""
        oracle = mount_directory / "want"
        oracle.write_bytes(want)
        out = client(script, mount.mountpoint / "Artist/Album/01 One.flac", oracle)
    assert out.strip() == "[]"


def test_sigterm_unmounts(mount_directory: Path, transport: str) -> None:
    """A stopped daemon leaves no mount behind."""
    mount = KernelMount(mount_directory, FILES, transport)
    with mount:
        assert mount.stop() == 0
        assert not os.path.ismount(mount.mountpoint)
    assert threading.active_count() >= 1
