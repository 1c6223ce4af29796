"""musefs-mount itself on a real index: what is served, edits that show, clients, ends."""

import hashlib
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import duckdb
import mutagen
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.kernel_mount import client, detach
from support.mounted_index import MountedIndex, execute, index_folder, run_mount
from support.waiting import wait_until

pytestmark = pytest.mark.fuse

TRACKS_ONLY = ("--no-covers", "--no-sidecars", "--no-playlists")
TEMPLATE = ("--template", "$artist/$album/$title", *TRACKS_ONLY)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, audio_library: Path) -> Path:
    """A folder with a copy of the audio fixtures and the index of it."""
    folder = tmp_path_factory.mktemp("library")
    shutil.copytree(audio_library, folder / "music")
    index_folder(folder / "music", folder / "index.duckdb")
    return folder


@pytest.fixture
def index(library: Path, tmp_path: Path) -> Path:
    """A copy of the index that a test may edit."""
    return Path(shutil.copy(library / "index.duckdb", tmp_path / "index.duckdb"))


def files_below(root: Path) -> list[Path]:
    """Return all files of a mount, listed by another process."""
    out = subprocess.run(
        ["find", str(root), "-type", "f", "-print0"], capture_output=True, check=True
    ).stdout
    return sorted(Path(os.fsdecode(name)) for name in out.split(b"\0") if name)


def count_below(root: Path) -> int | None:
    """Return how many files a walk meets; None if what it had listed went away under it."""
    try:
        return len(files_below(root))
    except subprocess.CalledProcessError as error:
        lines = error.stderr.splitlines()
        assert all(line.endswith(b"No such file or directory") for line in lines), lines
        return None


def digests(folder: Path) -> dict[str, str]:
    """Return the hash of every file of a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def copy_out(mount: Path, target: Path) -> Path:
    """Copy a mount with `cp -a`, so that this process never maps its pages."""
    subprocess.run(["cp", "-a", str(mount), str(target)], check=True, timeout=60)
    return target


def test_m1_m34_both_modes_have_the_same_tree_and_say_how_much(
    library: Path, index: Path, tmp_path: Path
) -> None:
    """M1, M34: synthesis and structure-only show the same names; counts are said at mount."""
    trees: dict[str, list[str]] = {}
    for mode in ("synthesis", "structure-only"):
        with MountedIndex(index, tmp_path / mode, *TEMPLATE, "--mode", mode) as mount:
            found = files_below(mount.mountpoint)
            trees[mode] = [str(path.relative_to(mount.mountpoint)) for path in found]
            assert f"{len(found)} files in " in mount.log()
    assert trees["synthesis"] == trees["structure-only"]
    assert len(trees["synthesis"]) > 40


def test_m38_nothing_of_the_originals_changes(library: Path, index: Path, tmp_path: Path) -> None:
    """M38: hash, size and times of every original before and after all of it was read."""
    before = digests(library / "music")
    times = {path: path.stat().st_mtime_ns for path in (library / "music").rglob("*")}
    with MountedIndex(index, tmp_path / "mnt", *TEMPLATE) as mount:
        copy = copy_out(mount.mountpoint, tmp_path / "copy")
        assert len(files_below(copy)) == len(files_below(mount.mountpoint))
    assert digests(library / "music") == before
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_structure_only_serves_the_originals_bytes(
    library: Path, index: Path, tmp_path: Path
) -> None:
    """Every served file is one original, byte for byte, on pyfuse3 and by passthrough."""
    originals = sorted(digests(library / "music").values())
    for transport in ("pyfuse3", "raw"):
        flags = ("--mode", "structure-only", "--transport", transport)
        with MountedIndex(index, tmp_path / transport, *TEMPLATE, *flags) as mount:
            served = digests(copy_out(mount.mountpoint, tmp_path / f"copy-{transport}"))
        assert set(served.values()) <= set(originals)
        assert len(served) > 40


def test_synthesised_tags_are_the_indexs(library: Path, index: Path, tmp_path: Path) -> None:
    """A tag set with SQL is what another program reads from the served file."""
    execute(index, "UPDATE tags SET value = 'Set by SQL' WHERE key = 'title'")
    with MountedIndex(index, tmp_path / "mnt", "-t", "$artist/$album/$ext/$track_id") as mount:
        copy = copy_out(mount.mountpoint, tmp_path / "copy")
    titles = []
    for path in copy.rglob("*.flac"):
        found = mutagen.File(path)
        if found is not None and found.tags is not None and "title" in found.tags:
            titles.append(found.tags["title"])
    assert titles
    assert all(title == ["Set by SQL"] for title in titles)


def test_m29_m32_an_edit_shows_within_the_poll_interval(index: Path, tmp_path: Path) -> None:
    """M29, M32: an edit moves a track to its new name, with new bytes, with no error between."""
    flags = ("--poll-interval", "100ms", "--entry-timeout", "1h", "--attr-timeout", "1h")
    with MountedIndex(index, tmp_path / "mnt", *TEMPLATE, *flags) as mount:
        before = files_below(mount.mountpoint)
        begin = time.monotonic()
        execute(index, "UPDATE tags SET value = 'Brand New Album' WHERE key = 'album'")
        wait_until(lambda: any("Brand New Album" in str(p) for p in files_below(mount.mountpoint)))
        assert time.monotonic() - begin < 5
        after = files_below(mount.mountpoint)
        assert len(after) == len(before)
        for path in after[:10]:
            size = client("import os, sys; print(os.stat(sys.argv[1]).st_size)", path)
            length = client("import sys; print(len(open(sys.argv[1], 'rb').read()))", path)
            assert size == length


def test_m29_change_log_and_fresh_mount_give_the_same_tree(index: Path, tmp_path: Path) -> None:
    """M29: after edits, additions and removals the refreshed mount equals a new one."""
    edits = (
        "UPDATE tags SET value = value || ' (edited)' WHERE key = 'title' AND track_id % 3 = 0",
        "UPDATE tags SET value = 'Same' WHERE key = 'title' AND track_id % 5 = 0",
        "DELETE FROM tags WHERE key = 'album' AND track_id % 4 = 1",
        "INSERT INTO tags SELECT track_id, 'artist', 0, 'Added' FROM tracks "
        "WHERE track_id NOT IN (SELECT track_id FROM tags WHERE key = 'artist')",
        "UPDATE tracks SET state = 'missing' WHERE track_id % 7 = 2",
    )
    with MountedIndex(index, tmp_path / "old", *TEMPLATE, "--poll-interval", "50ms") as refreshed:
        for edit in edits:
            execute(index, edit)
            time.sleep(0.3)
        with MountedIndex(index, tmp_path / "new", *TEMPLATE) as fresh:
            script = """
import os, sys
for root, _, names in sorted(os.walk(sys.argv[1])):
    for name in sorted(names):
        path = os.path.join(root, name)
        found = os.stat(path)
        print(os.path.relpath(path, sys.argv[1]), found.st_ino, found.st_size, found.st_mtime_ns)
"""
            want = client(script, fresh.mountpoint)
            wait_until(lambda: client(script, refreshed.mountpoint) == want)
        assert "built anew" not in refreshed.log()


def test_m29_a_gap_in_the_log_builds_anew_and_is_counted(index: Path, tmp_path: Path) -> None:
    """M29: the log lost lines that the mount had not seen; a full rebuild gives the right tree."""
    flags = ("--poll-interval", "50ms", "--expose-metrics")
    with MountedIndex(index, tmp_path / "mnt", *TEMPLATE, *flags) as mount:
        execute(
            index,
            "DROP TRIGGER changes_delete_refused ON changes",
            "UPDATE tags SET value = 'After The Gap' WHERE key = 'album'",
            "DELETE FROM changes WHERE sequence < (SELECT max(sequence) FROM changes)",
            "UPDATE tags SET value = 'After The Gap 2' WHERE key = 'album'",
            "DELETE FROM changes WHERE sequence < (SELECT max(sequence) FROM changes)",
        )
        wait_until(lambda: any("After The Gap 2" in str(p) for p in files_below(mount.mountpoint)))
        path = mount.mountpoint / ".musefs-metrics" / "metrics"
        text = client("import sys; print(open(sys.argv[1]).read())", path)
    found = {
        (sample.name, sample.labels.get("kind")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["musefs_degradations_total", "refresh_gap_fallbacks"] >= 1
    assert found["musefs_refresh_full_rebuilds_total", None] >= 1


def test_d6_a_writer_never_stops_reading(library: Path, index: Path, tmp_path: Path) -> None:
    """While another process holds the index for writing, every read goes on."""
    with MountedIndex(index, tmp_path / "mnt", *TEMPLATE, "--poll-interval", "50ms") as mount:
        count = len(files_below(mount.mountpoint))
        holder = subprocess.Popen(
            [
                "python3",
                "-c",
                "import sys; sys.path[:0] = sys.argv[2:]\n"
                "import duckdb, time\n"
                "con = duckdb.connect(sys.argv[1])\n"
                "con.execute(\"UPDATE tags SET value = 'Held' WHERE key = 'album'\")\n"
                "print('held', flush=True); time.sleep(1.5); con.close()",
                str(index),
                str(Path(duckdb.__file__).parents[1]),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        begin = time.monotonic()
        copied = copy_out(mount.mountpoint, tmp_path / "copy")
        assert len(files_below(copied)) == count
        assert time.monotonic() - begin < 30
        assert holder.wait(10) == 0
        wait_until(lambda: any("Held" in str(p) for p in files_below(mount.mountpoint)))
        holder.stdout.close()


def test_a_rescan_that_replaces_the_file_is_followed(
    library: Path, index: Path, tmp_path: Path
) -> None:
    """Another index at the same path: the mount takes it over, whatever its history."""
    with MountedIndex(index, tmp_path / "mnt", *TEMPLATE, "--poll-interval", "50ms") as mount:
        assert len(files_below(mount.mountpoint)) > 40
        part = tmp_path / "part"
        shutil.copytree(library / "music" / "flac", part)
        other = tmp_path / "other.duckdb"
        index_folder(part, other)
        other.replace(index)
        expected = len(list(part.rglob("*.flac")))
        wait_until(lambda: count_below(mount.mountpoint) == expected)


def test_views_where_and_owner(index: Path, tmp_path: Path) -> None:
    """Several views in one mount, a selection, and whom files belong to."""
    flags = (
        "--view", "by artist=$artist/$title", "--view", "by format=$codec/$title",
        "--where", "format = 'flac'", *TRACKS_ONLY, "--owner", "12345", "--file-mode", "440",
    )  # fmt: skip
    with MountedIndex(index, tmp_path / "mnt", *flags) as mount:
        found = files_below(mount.mountpoint)
        assert {path.relative_to(mount.mountpoint).parts[0] for path in found} == {
            "by artist", "by format",
        }  # fmt: skip
        with duckdb.connect() as con:
            con.execute(f"ATTACH '{index}' AS idx (READ_ONLY)")
            ((count,),) = con.execute(
                "SELECT count(*) FROM idx.tracks WHERE format = 'flac' AND state = 'present'"
            ).fetchall()
        assert len(found) == 2 * count > 0
        status = client(
            "import os, sys; s = os.stat(sys.argv[1]); print(s.st_uid, oct(s.st_mode))", found[0]
        )
        assert status.split() == ["12345", "0o100440"]


def test_sigterm_waits_for_readers_then_detaches(index: Path, tmp_path: Path) -> None:
    """An open file keeps the mount for up to five seconds; then it is detached, exit code 0."""
    with MountedIndex(index, tmp_path / "mnt", *TEMPLATE) as mount:
        track = files_below(mount.mountpoint)[0]
        holder = subprocess.Popen(
            ["python3", "-c", "import sys; f = open(sys.argv[1]); print('x', flush=True); "
             "sys.stdin.read()", track],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"x\n"
        begin = time.monotonic()
        assert mount.stop() == 0
        assert 4 < time.monotonic() - begin < 9
        holder.communicate(timeout=10)
        assert not os.path.ismount(mount.mountpoint)


def test_a_second_signal_leaves_at_once(index: Path, tmp_path: Path) -> None:
    """Exit code 130, and no mount is left."""
    with MountedIndex(index, tmp_path / "mnt", *TEMPLATE) as mount:
        track = files_below(mount.mountpoint)[0]
        holder = subprocess.Popen(
            ["python3", "-c", "import sys; f = open(sys.argv[1]); print('x', flush=True); "
             "sys.stdin.read()", track],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"x\n"
        process = mount.process
        assert process is not None
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 130
        holder.communicate(timeout=10)
        assert not os.path.ismount(mount.mountpoint)


def test_kill_9_leaves_a_stale_mount_that_is_found_and_cleaned(index: Path, tmp_path: Path) -> None:
    """A dead mount is refused by name, and cleaned when asked."""
    first = MountedIndex(index, tmp_path / "mnt", *TEMPLATE)
    try:
        with first:
            assert first.process is not None
            first.process.kill()
            first.process.wait(10)
            first.process = None
            refused = run_mount(index, tmp_path / "mnt")
            assert refused.returncode == 8
            assert "dead mount" in refused.stderr
            assert "--clean-stale" in refused.stderr
            with MountedIndex(index, tmp_path / "mnt", *TEMPLATE, "--clean-stale") as second:
                assert files_below(second.mountpoint)
                busy = run_mount(index, tmp_path / "mnt")
                assert busy.returncode == 8
                assert "already mounted" in busy.stderr
    finally:
        detach(tmp_path / "mnt")


def test_mount_problems_say_what_to_do(index: Path, tmp_path: Path) -> None:
    """Each refusal has its exit code, the path and a hint."""
    (tmp_path / "file").write_text("x")
    for words, code, said in (
        ((index, tmp_path / "nowhere"), 8, "mkdir -p"),
        ((index, tmp_path / "file"), 8, "not a directory"),
        ((tmp_path / "no.duckdb", tmp_path), 5, "no index there"),
        ((tmp_path / "file", tmp_path), 5, "not a musefs index"),
        ((index, tmp_path, "-t", "$artist/[$title"), 2, "["),
        ((index, tmp_path, "--volume", "/nowhere.img"), 2, "nowhere.img"),
    ):
        done = run_mount(*words)
        assert done.returncode == code, (words, done.stderr)
        assert said in done.stderr, (words, done.stderr)


def test_daemon_returns_when_mounted_or_says_why_not(index: Path, tmp_path: Path) -> None:
    """--daemon: exit code 0 once the mount is there, the error's code and words otherwise."""
    mountpoint = tmp_path / "mnt"
    mountpoint.mkdir()
    try:
        done = run_mount(index, mountpoint, *TEMPLATE, "--daemon")
        assert done.returncode == 0, done.stderr
        assert os.path.ismount(mountpoint)
        assert files_below(mountpoint)
        again = run_mount(index, tmp_path / "other", "--daemon")
        assert again.returncode == 8
        assert "mkdir -p" in again.stderr
    finally:
        subprocess.run(["umount", str(mountpoint)], check=True)
    wait_until(lambda: not os.path.ismount(mountpoint))


def test_systemd_is_told_when_it_is_ready(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """READY=1 after the mount, STOPPING=1 before its end."""
    import socket

    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(address)
        channel.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        with MountedIndex(index, tmp_path / "mnt", *TEMPLATE) as mount:
            assert b"READY=1" in channel.recv(1000)
            assert os.path.ismount(mount.mountpoint)
            mount.stop()
            assert channel.recv(1000) == b"STOPPING=1"


def test_clients_copy_compare_and_archive(index: Path, tmp_path: Path) -> None:
    """Cp -a, diff -r, tar and rsync -c all see the same bytes, twice."""
    with MountedIndex(index, tmp_path / "mnt", *TEMPLATE) as mount:
        source, copy = mount.mountpoint, tmp_path / "copy"
        copy_out(source, copy)
        subprocess.run(["diff", "-r", str(source), str(copy)], check=True, timeout=60)
        archive = tmp_path / "all.tar"
        subprocess.run(["tar", "-cf", str(archive), "-C", str(source), "."], check=True, timeout=60)
        subprocess.run(["tar", "-df", str(archive), "-C", str(source)], check=True, timeout=60)
        if shutil.which("rsync"):
            out = subprocess.run(
                ["rsync", "-acni", "--delete", f"{source}/", f"{copy}/"],
                check=True, capture_output=True, text=True, timeout=60,
            ).stdout  # fmt: skip
            assert [line for line in out.splitlines() if not line.startswith(".d")] == []


def test_reads_are_exact_under_many_refreshes(index: Path, tmp_path: Path) -> None:
    """Several readers at random offsets while the index is edited again and again.

    Each reads by an open descriptor: size and bytes of that descriptor never change, whatever the
    name means by then; a name that is read twice through one descriptor gives the same bytes.
    """
    rounds = 200 if os.environ.get("MUSEFS_SLOW") else 25
    script = """
import hashlib, os, random, sys, time
root, seed, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
choose = random.Random(seed)
end = time.monotonic() + seconds
checked = 0
while time.monotonic() < end:
    paths = [os.path.join(r, n) for r, _, names in os.walk(root)
             for n in names if n != "metrics"]
    for path in choose.sample(paths, min(8, len(paths))):
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue  # renamed since the listing
        size = os.fstat(fd).st_size
        whole = b""
        while part := os.pread(fd, 1 << 20, len(whole)):
            whole += part
        assert len(whole) == size == os.fstat(fd).st_size, path
        for _ in range(5):
            offset, length = choose.randrange(size), choose.randrange(1, 70000)
            assert os.pread(fd, length, offset) == whole[offset:offset + length], path
        os.close(fd)
        checked += 1
print(checked)
"""
    flags = ("--poll-interval", "20ms", "--expose-metrics")
    with MountedIndex(index, tmp_path / "mnt", *TEMPLATE, *flags) as mount:
        seconds = rounds * 0.12
        readers = [
            subprocess.Popen(
                ["python3", "-c", script, mount.mountpoint, str(seed), str(seconds)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for seed in range(3)
        ]  # fmt: skip
        stop = threading.Event()
        for number in range(rounds):
            execute(
                index,
                f"UPDATE tags SET value = 'Album {number}' WHERE key = 'album' "
                f"AND track_id % 3 = {number % 3}",
            )
            stop.wait(0.05)
        for reader in readers:
            out, complaint = reader.communicate(timeout=120)
            assert reader.returncode == 0, complaint
            assert int(out) > 5
        metrics = client(
            "import sys; print(open(sys.argv[1]).read())",
            mount.mountpoint / ".musefs-metrics" / "metrics",
        )
        numbers = dict(
            line.split(" ") for line in metrics.splitlines() if line and not line.startswith("#")
        )
        assert int(float(numbers["musefs_refreshes_total"])) >= 2
        assert numbers["musefs_handles_open"] == "0"
        assert numbers["musefs_read_errors_total"] == "0"
        assert "a bug in" not in mount.log()


def test_covers_and_lyrics_stand_beside_tracks_and_follow_edits(
    library: Path, index: Path, tmp_path: Path
) -> None:
    """A cover is a picture of the album's tracks; after a rename it is in the new folder."""
    execute(
        index,
        "INSERT INTO tags SELECT track_id, 'lyrics', 0, 'la la' || chr(10) || 'la' FROM tracks "
        "WHERE path LIKE '%.flac'",
    )
    flags = ("-t", "$artist/$album/$title", "--poll-interval", "50ms")
    with MountedIndex(index, tmp_path / "mnt", *flags) as mount:
        found = files_below(mount.mountpoint)
        covers = [path for path in found if path.stem == "cover"]
        lyrics = [path for path in found if path.suffix == ".lrc"]
        assert covers
        assert lyrics
        for path in covers:
            head = client("import sys; print(open(sys.argv[1], 'rb').read(4).hex())", path).strip()
            assert head == "89504e47" if path.suffix == ".png" else head.startswith("ffd8")
        text = client("import sys; print(ascii(open(sys.argv[1]).read()))", lyrics[0])
        assert text.strip() == ascii("la la\nla\n")
        execute(index, "UPDATE tags SET value = value || ' (2026)' WHERE key = 'album'")

        def moved() -> bool:
            now = [path for path in files_below(mount.mountpoint) if path.stem == "cover"]
            return len(now) == len(covers) and all("(2026)" in path.parts[-2] for path in now)

        wait_until(moved)
