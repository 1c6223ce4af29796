"""Other people's programs, random reads against an oracle, and a long day in fast-forward."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from support.kernel_mount import FileSpec, KernelMount, client
from support.mounted_index import MountedIndex, execute, index_folder
from support.served_library import MemoryFile, reference
from support.waiting import wait_until

pytestmark = pytest.mark.fuse

SLOW = bool(os.environ.get("MUSEFS_SLOW"))

READ_ONLY_FSX = """
import mmap, os, random, sys
path, oracle, seed, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
want = open(oracle, "rb").read()
choose = random.Random(seed)
fd = os.open(path, os.O_RDONLY)
direct = os.open(path, os.O_RDONLY | os.O_DIRECT)
print("open", flush=True)
page = mmap.mmap(-1, 1 << 20)
size = len(want)

def pread(offset, length):
    return os.pread(fd, length, offset)

def readv(offset, length):
    buffers = [bytearray(length // 3), bytearray(length - length // 3)]
    count = os.preadv(fd, buffers, offset)
    return b"".join(buffers)[:count]

def mapped(offset, length):
    with mmap.mmap(fd, size, prot=mmap.PROT_READ) as view:
        return view[offset:offset + length]

def unbuffered(offset, length):
    offset -= offset % 4096
    count = os.preadv(direct, [memoryview(page)[:max(4096, length // 4096 * 4096)]], offset)
    assert page[:count] == want[offset:offset + count], ("direct", offset, count)
    return None

def seek_and_read(offset, length):
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, length)

def sendfile(offset, length):
    out = os.memfd_create("out")
    while length > 0 and (count := os.sendfile(out, fd, offset, length)):
        offset, length = offset + count, length - count
    data = os.pread(out, 1 << 30, 0)
    os.close(out)
    return data

def advise(offset, length):
    os.posix_fadvise(fd, offset, length, choose.choice(
        (os.POSIX_FADV_DONTNEED, os.POSIX_FADV_WILLNEED, os.POSIX_FADV_RANDOM)))
    return None

ways = (pread, readv, mapped, unbuffered, seek_and_read, sendfile, advise)
for number in range(rounds):
    offset = choose.randrange(size + 1) if number % 9 else max(0, size - choose.randrange(9000))
    length = choose.choice((1, 100, 4096, 65536, 131072, 700_000))
    way = choose.choice(ways)
    got = way(offset, length)
    if got is not None:
        assert got == want[offset:offset + length], (number, way.__name__, offset, length)
    assert os.fstat(fd).st_size == size
print("ok")
"""


def test_read_only_fsx_during_refreshes(mount_directory: Path, transport: str) -> None:
    """Random reads of every kind equal the oracle while the library is swapped beneath them."""
    spec: FileSpec = ["a/one.flac", "one.bin", 1, 5000]
    ref = reference(mount_directory / "originals", "one.bin")
    oracle = mount_directory / "want"
    header = MemoryFile(b"a/one.flac", ref, 1, 5000).header()
    oracle.write_bytes(header + (mount_directory / "originals" / "one.bin").read_bytes())
    rounds = 6000 if SLOW else 400
    with KernelMount(mount_directory, [spec], transport) as mount:
        workers = [
            subprocess.Popen(
                ["python3", "-c", READ_ONLY_FSX, mount.mountpoint / "a/one.flac", oracle,
                 str(seed), str(rounds)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for seed in range(2)
        ]  # fmt: skip
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "open\n"
        version = 1
        while any(worker.poll() is None for worker in workers):
            version += 1
            mount.set_files([["a/one.flac", "two.bin", version, 700 + version]])
        for worker in workers:
            with worker:  # not communicate(): a part of the output is already in the buffer
                assert worker.stdout is not None
                assert worker.stderr is not None
                assert worker.stdout.read() == "ok\n", worker.stderr.read()
    assert version > 3


@pytest.mark.parametrize("engine", ["psync", "mmap", "libaio"])
def test_fio_verifies_what_it_wrote(tmp_path: Path, engine: str) -> None:
    """Fio's own checksums, written to the original, hold through the mount."""
    if shutil.which("fio") is None:
        pytest.skip("fio is not installed")
    originals = tmp_path / "originals"
    originals.mkdir()
    common = ["--size=24m", "--bs=8k", "--verify=crc32c", "--randrepeat=1", "--output-format=terse"]
    subprocess.run(
        ["fio", "--name=v", f"--filename={originals / 'v.bin'}", "--rw=write", "--do_verify=0",
         *common],
        check=True, capture_output=True, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    with KernelMount(tmp_path, [["v.wav", "v.bin", 1, 0]], "mini") as mount:
        done = subprocess.run(
            ["fio", "--name=v", f"--filename={mount.mountpoint / 'v.wav'}", "--readonly",
             "--rw=randread", f"--ioengine={engine}", *common],
            check=False, capture_output=True, text=True, cwd=tmp_path, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert mount.stats()["reads"] > 10


def test_mpd_scans_the_library(tmp_path: Path, audio_library: Path) -> None:
    """A real player's database scan: every album and title that the index has."""
    program = shutil.which("mpd")
    if program is None:
        pytest.skip("mpd is not installed")
    music = tmp_path / "music"
    shutil.copytree(audio_library / "flac", music)
    index = tmp_path / "index.duckdb"
    index_folder(music, index)
    execute(index, "UPDATE tags SET value = 'An Album For Mpd' WHERE key = 'album'")
    with MountedIndex(index, tmp_path / "mnt", "--allow-other", "-t", "$album/$title") as mount:
        conf = tmp_path / "mpd.conf"
        address = tmp_path / "mpd.socket"
        conf.write_text(
            f'music_directory "{mount.mountpoint}"\ndb_file "{tmp_path}/mpd.db"\n'
            f'bind_to_address "{address}"\npid_file "{tmp_path}/mpd.pid"\n'
            'audio_output {\n type "null"\n name "null"\n}\n'
        )
        player = subprocess.Popen(
            [program, "--no-daemon", "--stderr", str(conf)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_until(address.exists)
            with socket.socket(socket.AF_UNIX) as channel:
                channel.connect(str(address))
                assert channel.recv(100).startswith(b"OK MPD")

                def ask(words: str) -> str:
                    channel.sendall(words.encode() + b"\n")
                    answer = b""
                    while not answer.endswith(b"OK\n"):
                        answer += channel.recv(65536)
                    return answer.decode()

                ask("update")
                wait_until(lambda: "updating_db" not in ask("status"))
                albums = ask("list album")
                songs = int(ask("stats").split("songs: ")[1].split("\n")[0])
        finally:
            player.terminate()
            player.wait(20)
    assert "Album: An Album For Mpd" in albums
    assert songs > 5


def test_a_day_in_fast_forward(mount_directory: Path, transport: str) -> None:
    """Thousands of operations with refreshes: memory and descriptors stay flat."""
    operations = 200_000 if SLOW else 4000
    files: list[FileSpec] = [
        [f"{number % 40}/{number}.flac", "two.bin", 1, 3000] for number in range(400)
    ]
    script = """
import os, random, sys
root, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
choose = random.Random(seed)
for _ in range(count):
    folder = f"{root}/{choose.randrange(40)}"
    what = choose.randrange(5)
    try:
        names = os.listdir(folder)
        path = f"{folder}/{choose.choice(names)}"
        if what == 0:
            os.stat(path)
        elif what == 1:
            os.path.exists(folder + "/nothing")
        elif what == 2:
            os.statvfs(root)
        else:
            with open(path, "rb") as file:
                file.seek(choose.randrange(500_000))
                file.read(choose.randrange(70_000))
    except FileNotFoundError:
        pass
"""
    with KernelMount(mount_directory, files, transport) as mount:

        def round_of(seed: int, count: int) -> None:
            client(script, mount.mountpoint, seed, count, timeout=600)

        round_of(0, operations // 4)
        before = mount.stats()
        for seed in range(1, 5):
            version = seed + 1
            mount.set_files([[path, name, version, size] for path, name, _, size in files])
            round_of(seed, operations // 4)
        after = mount.stats()
    assert after["handles"] == after["directories"] == 0
    assert after["descriptors"] <= before["descriptors"] + 2
    assert after["resident_kib"] <= before["resident_kib"] * 1.25 + 4096
    assert after["budget"]["charged_bytes"] == 0
    assert after["counters"] == {}


def test_kill_9_and_remount(mount_directory: Path, transport: str) -> None:
    """After kill -9 clients get ENOTCONN; a new mount over the cleaned place serves again."""
    files: list[FileSpec] = [["a.flac", "one.bin", 1, 100]]
    script = """
import sys
try:
    open(sys.argv[1], "rb").read()
except OSError as error:
    print(error.errno)
else:
    print("read")
"""
    for _ in range(2):
        with KernelMount(mount_directory, files, transport) as mount:
            path = mount.mountpoint / "a.flac"
            assert client(script, path).strip() == "read"
            mount.kill()
            assert client(script, path).strip() == "107"


def test_bytes_are_exact_on_a_store_that_fails_and_recovers(
    mount_directory: Path, transport: str
) -> None:
    """An original that vanishes and comes back is served again, exactly."""
    files: list[FileSpec] = [["a.flac", "two.bin", 1, 100]]
    original = mount_directory / "originals" / "two.bin"
    status = original.stat()
    data = original.read_bytes()
    with KernelMount(mount_directory, files, transport) as mount:
        path = mount.mountpoint / "a.flac"
        hidden = original.with_name("hidden")
        original.rename(hidden)
        assert client("import os, sys; print(os.path.getsize(sys.argv[1]))", path).strip() == str(
            status.st_size + 100
        )
        failed = client(
            "import sys\ntry: open(sys.argv[1])\nexcept OSError as e: print(e.errno)", path
        )
        assert failed.strip() == "2"
        hidden.rename(original)  # the same inode, but its change time moved: still another file
        out = client(
            "import sys\ntry: print(len(open(sys.argv[1],'rb').read()))\n"
            "except OSError as e: print(-e.errno)", path,
        )  # fmt: skip
        assert out.strip() in ("-5", str(len(data) + 100))
