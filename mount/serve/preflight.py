"""What can be known before mounting: each problem with its own error and what to do about it."""

import logging
import os
import pwd
from pathlib import Path

from musefs.index.errors import (
    FuseConfError,
    FuseMissingError,
    IndexMissingError,
    MountpointError,
    MountRefusedError,
    StaleMountError,
)
from musefs.mount.plan import MountPlan, OwnershipPlan
from musefs.mount.serve.mountinfo import mount_at
from musefs.mount.transport.unmounting import fusermount, unmount

FUSE_DEVICE = Path("/dev/fuse")
FUSE_CONF = Path("/etc/fuse.conf")
OUR_KIND = "fuse.musefs"
"""The kernel's name for mounts with our sub-type."""

_log = logging.getLogger(__name__)


def check_before_mounting(plan: MountPlan, mountpoint: Path) -> None:
    """Raise what stands in the way of this mount; a full mountpoint only warns."""
    if not plan.index.exists():
        raise IndexMissingError("no index there", path=plan.index)
    check_fuse()
    clear_stale(mountpoint, allowed=plan.clean_stale)
    check_mountpoint(mountpoint)
    if shows_to_others(plan.ownership):
        check_fuse_conf()


def shows_to_others(ownership: OwnershipPlan) -> bool:
    """Say whether other users may look: files of somebody else are of no use to the mounter."""
    return ownership.allow_other or ownership.uid is not None or ownership.gid is not None


def check_fuse(device: Path = FUSE_DEVICE) -> None:
    """Raise unless FUSE is there and may be used."""
    if not device.exists():
        raise FuseMissingError("this kernel has no FUSE", path=device)
    if os.geteuid() == 0:
        return
    if fusermount() is None:
        raise FuseMissingError(
            "fusermount3 was not found; only root can mount without it",
            hint="Install the fuse3 package.",
        )
    if not os.access(device, os.R_OK | os.W_OK):
        raise MountRefusedError(
            "this user may not use FUSE",
            path=device,
            hint="Ask for read and write permission on /dev/fuse, usually mode 0666, or run as "
            "root. In a container give --device /dev/fuse and --cap-add SYS_ADMIN.",
        )


def clear_stale(mountpoint: Path, *, allowed: bool) -> None:
    """Find a mount whose process died; detach it if that was asked for and it is ours."""
    found = mount_at(mountpoint)
    if found is None:
        return
    if not found.kind.startswith("fuse"):
        return
    try:
        os.listdir(mountpoint)  # noqa: PTH208 - only whether it answers
    except OSError as error:
        dead = error
    else:
        raise MountpointError(
            f"{found.source} is already mounted here", path=mountpoint, hint="Unmount it first."
        )
    if not allowed:
        raise StaleMountError(f"a dead mount is here ({dead.strerror})", path=mountpoint)
    if found.kind != OUR_KIND:
        raise StaleMountError(
            f"the dead mount is not ours but {found.kind}", path=mountpoint,
            hint=f"Detach it yourself: umount -l {mountpoint}",
        )  # fmt: skip
    if not unmount(mountpoint, lazy=True):
        raise StaleMountError("the dead mount could not be detached", path=mountpoint)
    _log.warning("detached a dead mount from %s", mountpoint)


def check_mountpoint(mountpoint: Path) -> None:
    """Raise unless this is a directory that can be mounted on."""
    if not mountpoint.exists():
        raise MountpointError(
            "the mountpoint does not exist", path=mountpoint, hint=f"mkdir -p {mountpoint}"
        )
    if not mountpoint.is_dir():
        raise MountpointError("the mountpoint is not a directory", path=mountpoint)
    try:
        is_empty = next(mountpoint.iterdir(), None) is None
    except PermissionError as error:
        raise MountpointError(
            "the mountpoint cannot be read by this user",
            path=mountpoint,
            hint="Choose a directory of your own.",
        ) from error
    if not is_empty:
        _log.warning("%s is not empty; its contents are hidden while mounted", mountpoint)


def check_fuse_conf(conf: Path = FUSE_CONF, *, euid: int | None = None) -> None:
    """Raise unless this user may show a mount to others."""
    if (os.geteuid() if euid is None else euid) == 0:
        return
    try:
        lines = conf.read_text(errors="replace").splitlines()
    except OSError:
        lines = []  # unreadable counts as not allowed: fusermount3 would say the same later
    if not any(line.partition("#")[0].strip() == "user_allow_other" for line in lines):
        raise FuseConfError("other users may not be let in by a user's mount", path=conf)


def explain_refusal(error: Exception, mountpoint: Path) -> MountRefusedError:
    """Return our own error for a mount that the system refused."""
    if isinstance(error, MountRefusedError):
        return error
    text = str(error)
    if isinstance(error, PermissionError) or "not permitted" in text.lower():
        return MountRefusedError(
            f"not permitted: {text}",
            path=mountpoint,
            hint="Mount below your home or /mnt: AppArmor allows only some places (Ubuntu 24.04 "
            "and later). In a container give --cap-add SYS_ADMIN and --device /dev/fuse.",
        )
    return MountRefusedError(
        f"mounting as {_user_name(os.geteuid())} failed: {text}", path=mountpoint
    )


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # as in a container that was given a number
        return f"user {uid}"
