"""Mounting without being root: the setuid helper, the checks before it, and who may look."""

import shutil
from pathlib import Path

import pytest
from support.as_user import desk, is_possible
from support.mounted_index import index_folder

pytestmark = [
    pytest.mark.fuse,
    pytest.mark.skipif(not is_possible(), reason="needs root, unshare, setpriv and fusermount3"),
]

READ_ALL = """
import os, sys
count = 0
for folder, _, names in os.walk(sys.argv[1], onerror=lambda error: print(type(error).__name__)):
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            count += len(file.read()) == os.fstat(file.fileno()).st_size
print(count)
"""


@pytest.fixture(scope="module")
def index(audio_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of three songs."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "music").mkdir()
    for number, song in enumerate(sorted(audio_library.rglob("*.flac"))[:3]):
        shutil.copy(song, folder / "music" / f"{number}.flac")
    index_folder(folder / "music", folder / "index.duckdb")
    return folder / "index.duckdb"


def test_a_user_mounts_reads_and_unmounts_and_nobody_else_looks(index: Path) -> None:
    """By fusermount3; not even root sees into it; SIGTERM ends it with exit code 0."""
    with desk(index) as place:
        done = place.run(
            """
"${musefs_mount[@]}" -v 2>"$TOP/log" & mount=$!
until_mounted
grep " $MNT " /proc/mounts
"${searching[@]}" "$(dirname "$MUSEFS")/python" -c '"""
            + READ_ALL
            + """' "$MNT"
ls "$MNT" 2>/dev/null || echo "root is kept out"
as_other ls "$MNT" 2>/dev/null || echo "others are kept out"
kill -TERM $mount
wait $mount && echo "ended well"
is_mounted || echo "unmounted"
cat "$TOP/log" >&2
"""
        )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "fuse.musefs ro,nosuid,nodev" in lines[0]
    assert "user_id=65534" in lines[0]
    assert int(lines[1]) >= 3
    assert lines[2:] == ["root is kept out", "others are kept out", "ended well", "unmounted"]


def test_allow_other_needs_the_line_in_fuse_conf(index: Path) -> None:
    """Refused before anything is mounted, with the file and what to write into it."""
    with desk(index, fuse_conf="#user_allow_other\n") as place:
        done = place.run("""
"${musefs_mount[@]}" --allow-other || echo "exit code $?"
is_mounted || echo "not mounted"
""")
    assert done.stdout.splitlines() == ["exit code 8", "not mounted"]
    assert "/etc/fuse.conf" in done.stderr
    assert "user_allow_other" in done.stderr


def test_allow_other_lets_others_in(index: Path) -> None:
    """With the line another user lists the mount, and cannot write."""
    with desk(index, fuse_conf="user_allow_other\n") as place:
        done = place.run("""
"${musefs_mount[@]}" --allow-other 2>"$TOP/log" & mount=$!
until_mounted
as_other ls "$MNT" | wc -l
as_other touch "$MNT/new" 2>&1 | grep -o "Read-only file system"
as_user fusermount3 -u "$MNT"
wait $mount && echo "ended well"
""")
    assert done.returncode == 0, done.stderr
    count, *rest = done.stdout.splitlines()
    assert int(count) > 0
    assert rest == ["Read-only file system", "ended well"]


def test_a_device_that_may_not_be_used_is_said(index: Path) -> None:
    """No permission on /dev/fuse: what to ask for."""
    with desk(index, fuse_mode=0o600) as place:
        done = place.run('"${musefs_mount[@]}" || echo "exit code $?"')
    assert done.stdout.splitlines() == ["exit code 8"]
    assert "this user may not use FUSE" in done.stderr
    assert "0666" in done.stderr


def test_a_mountpoint_of_somebody_else_is_refused_in_words(index: Path) -> None:
    """What fusermount3 says reaches the user, with the path."""
    with desk(index) as place:
        done = place.run("""
chown root "$MNT"
"${musefs_mount[@]}" || echo "exit code $?"
is_mounted || echo "not mounted"
""")
    assert done.stdout.splitlines() == ["exit code 8", "not mounted"]
    assert str(place.mountpoint) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_users_dead_mount_is_cleaned_and_a_daemon_serves(index: Path) -> None:
    """Kill -9, refusal, --clean-stale with --daemon; the command returns when it is mounted."""
    with desk(index) as place:
        done = place.run("""
"${musefs_mount[@]}" 2>"$TOP/log" & mount=$!
until_mounted
kill -KILL $mount; wait $mount || true
as_user ls "$MNT" 2>&1 | grep -o "not connected"
"${musefs_mount[@]}" || echo "exit code $?"
"${musefs_mount[@]}" --clean-stale --daemon && echo "in the background"
as_user ls "$MNT" | wc -l
as_user fusermount3 -u "$MNT"
until_gone && echo "unmounted"
""")
    lines = done.stdout.splitlines()
    assert lines[:3] == ["not connected", "exit code 8", "in the background"], done.stderr
    assert int(lines[3]) > 0
    assert lines[4] == "unmounted"
    assert "dead mount" in done.stderr
    assert "--clean-stale" in done.stderr
