"""What is checked before mounting, the choice of transport, and telling old kernels of names."""

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from musefs.index.counters import Counter, current_tally
from musefs.index.errors import (
    FuseConfError,
    FuseMissingError,
    MountpointError,
    MountRefusedError,
    StaleMountError,
)
from musefs.mount.plan import (
    BackingPlan,
    KernelPlan,
    Mode,
    MountPlan,
    OwnershipPlan,
    Transport,
)
from musefs.mount.serve.mountinfo import mount_at, mounts
from musefs.mount.serve.preflight import (
    check_fuse,
    check_fuse_conf,
    check_mountpoint,
    clear_stale,
    explain_refusal,
    shows_to_others,
)
from musefs.mount.session import chooses_raw, mount_options
from musefs.mount.transport.notify import Notifier

PLAN = MountPlan(index=Path("index.duckdb"), mountpoint=Path("mnt"))


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("user_allow_other\n", True),
        ("  user_allow_other  # yes\nmount_max = 10\n", True),
        ("#user_allow_other\n", False),
        ("# user_allow_other as a comment\nuser_allow_other_not\n", False),
        ("", False),
    ],
)
def test_fuse_conf_is_read_as_fusermount_reads_it(tmp_path: Path, text: str, allowed: bool) -> None:
    """Comments count for nothing; root needs no line; an unreadable file is a no."""
    conf = tmp_path / "fuse.conf"
    conf.write_text(text)
    check_fuse_conf(conf, euid=0)
    if allowed:
        check_fuse_conf(conf, euid=1000)
    else:
        with pytest.raises(FuseConfError) as caught:
            check_fuse_conf(conf, euid=1000)
        assert "user_allow_other" in caught.value.hint
    with pytest.raises(FuseConfError):
        check_fuse_conf(tmp_path / "missing", euid=1000)


def test_each_mountpoint_problem_has_its_own_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Missing, not a directory; a full directory only warns."""
    with pytest.raises(MountpointError, match="does not exist") as caught:
        check_mountpoint(tmp_path / "nowhere")
    assert "mkdir" in caught.value.hint
    (tmp_path / "file").touch()
    with pytest.raises(MountpointError, match="not a directory"):
        check_mountpoint(tmp_path / "file")
    check_mountpoint(tmp_path)
    assert "not empty" in caplog.text
    with pytest.raises(FuseMissingError):
        check_fuse(tmp_path / "no-fuse")


def test_a_foreign_mount_is_never_detached(tmp_path: Path) -> None:
    """--clean-stale touches dead mounts of ours only; a mount that lives is refused by name."""
    clear_stale(tmp_path, allowed=True)  # nothing is mounted
    subprocess.run(["mount", "-t", "tmpfs", "other", str(tmp_path)], check=True)
    try:
        found = mount_at(tmp_path)
        assert found is not None
        assert (found.kind, found.source) == ("tmpfs", "other")
        clear_stale(tmp_path, allowed=True)  # no FUSE file system: left alone
        assert os.path.ismount(tmp_path)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert any(entry.mountpoint == "/" for entry in mounts())
    assert issubclass(StaleMountError, MountpointError)


def test_refusals_are_explained(tmp_path: Path) -> None:
    """Permission gets the hint about AppArmor and containers; our own errors stay as they are."""
    refused = explain_refusal(PermissionError(1, "Operation not permitted"), tmp_path)
    assert isinstance(refused, MountRefusedError)
    assert "AppArmor" in refused.hint
    own = FuseMissingError("x")
    assert explain_refusal(own, tmp_path) is own
    assert "failed" in explain_refusal(RuntimeError("fuse_session_mount failed"), tmp_path).message


def test_m27_raw_is_chosen_where_passthrough_applies() -> None:
    """M27: structure-only, root, Linux 6.9, originals on a path; or when asked for."""
    plain = replace(PLAN, mode=Mode.STRUCTURE_ONLY)
    assert chooses_raw(plain, euid=0, release="6.9.1-amd64")
    assert chooses_raw(plain, euid=0, release="7.0")
    assert not chooses_raw(plain, euid=0, release="6.8.12")
    assert not chooses_raw(plain, euid=1000, release="6.18.1")
    assert not chooses_raw(PLAN, euid=0, release="6.18.1")
    volume = replace(plain, backing=BackingPlan(volume=Path("disk.img")))
    assert not chooses_raw(volume, euid=0, release="6.18.1")
    asked = replace(PLAN, kernel=KernelPlan(transport=Transport.RAW))
    assert chooses_raw(asked, euid=1000, release="5.4")
    refused = replace(plain, kernel=KernelPlan(transport=Transport.PYFUSE3))
    assert not chooses_raw(refused, euid=0, release="6.18.1")


def test_owner_and_group_show_the_mount_to_others() -> None:
    """allow_other is in the options when asked for or needed."""
    assert "allow_other" not in mount_options(PLAN)
    for ownership in (OwnershipPlan(allow_other=True), OwnershipPlan(uid=5), OwnershipPlan(gid=5)):
        assert shows_to_others(ownership)
        assert "allow_other" in mount_options(replace(PLAN, ownership=ownership))
    assert {"ro", "default_permissions", "fsname=musefs", "subtype=musefs"} <= set(
        mount_options(PLAN)
    )


@pytest.mark.expected_degradations(Counter.NOTIFY_FALLBACKS)
def test_m32_without_epochs_names_are_expired_one_by_one_in_a_thread() -> None:
    """M32: a kernel that refuses the epoch is told each name, never on the caller's thread."""
    asked: list[int] = []

    def names() -> object:
        asked.append(1)
        yield 1, b"name"

    descriptor = os.open("/dev/full", os.O_WRONLY)  # every write is refused, as by an old kernel
    try:
        with Notifier(descriptor) as notifier:
            notifier.expire(names())  # type: ignore[arg-type]
            deadline = time.monotonic() + 5
            while current_tally()[Counter.NOTIFY_FALLBACKS] < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert notifier.epochs_sent == 0
        assert current_tally()[Counter.NOTIFY_FALLBACKS] == 2
        assert asked == [1]
    finally:
        os.close(descriptor)
    with Notifier(os.open("/dev/null", os.O_WRONLY)) as notifier:
        notifier.expire(names())  # type: ignore[arg-type]
        assert notifier.epochs_sent == 1
    assert asked == [1]  # with an epoch nobody computes names


def test_a_user_without_a_name_is_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run as any number."""
    monkeypatch.setattr(os, "geteuid", lambda: 3_999_999)
    assert "user 3999999" in explain_refusal(RuntimeError("no"), Path("/mnt")).message
