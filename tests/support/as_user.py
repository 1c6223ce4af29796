"""Mount as a normal user: commands in a mount namespace with another /dev/fuse and fuse.conf.

The machine itself stays as it is. The users are two that every system has; the one who mounts may
search all folders, because the interpreter and the tests' files often lie in root's home.
"""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER, OTHER = 65534, 1
"""nobody and daemon."""

_SETUP = """
set -eu
mount --bind "$TOP/fuse" /dev/fuse
mount --bind "$TOP/fuse.conf" /etc/fuse.conf
as_user() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
as_other() { setpriv --reuid=1 --regid=1 --clear-groups "$@"; }
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
searching=(setpriv --reuid=65534 --regid=65534 --clear-groups
  --inh-caps=+dac_read_search --ambient-caps=+dac_read_search)
musefs_mount=("${searching[@]}" "$MUSEFS" "$INDEX" "$MNT")
is_mounted() { grep -q " $MNT " /proc/mounts; }  # a stat would be refused, even to root
until_mounted() {
  for _ in $(seq 600); do is_mounted && return; sleep 0.05; done
  echo "not mounted" >&2; return 1
}
until_gone() { for _ in $(seq 200); do is_mounted || return 0; sleep 0.05; done; }
"""


def is_possible() -> bool:
    """Say whether such a namespace can be made here."""
    tools = all(shutil.which(tool) for tool in ("unshare", "setpriv", "fusermount3"))
    return tools and os.geteuid() == 0 and Path("/dev/fuse").exists()


@dataclass(frozen=True, slots=True)
class Desk:
    """What a normal user has: a mountpoint of their own."""

    top: Path
    index: Path

    @property
    def mountpoint(self) -> Path:
        """The folder to mount on."""
        return self.top / "mnt"

    def run(self, script: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run lines of shell with ${musefs_mount[@]}, `as_user`, `as_other`, $MNT."""
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "bash", "-c", _SETUP + script],
            capture_output=True, text=True, timeout=timeout, check=False,
            env={
                **os.environ, "TOP": str(self.top), "MNT": str(self.mountpoint),
                "INDEX": str(self.index), "HOME": "/nonexistent",
                "MUSEFS": str(Path(sys.executable).with_name("musefs-mount")),
            },
        )  # fmt: skip


@contextmanager
def desk(index: Path, *, fuse_mode: int = 0o666, fuse_conf: str = "") -> Iterator[Desk]:
    """Prepare what one run needs, and remove it."""
    top = Path(tempfile.mkdtemp(prefix="musefs-user-", dir="/tmp"))
    try:
        top.chmod(0o755)
        os.mknod(top / "fuse", stat.S_IFCHR | fuse_mode, os.makedev(10, 229))
        (top / "fuse").chmod(fuse_mode)
        (top / "fuse.conf").write_text(fuse_conf)
        (top / "mnt").mkdir()
        os.chown(top / "mnt", USER, USER)
        yield Desk(top, index)
    finally:
        shutil.rmtree(top)
