"""A real kernel mount for a test: starts the daemon process, talks to it, always unmounts."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.waiting import wait_until

TESTS = Path(__file__).parents[1]

FileSpec = list[Any]
"""[path in the mount, name of the original below the root or None, version, header bytes]."""


class KernelMount:
    """A mounted MemoryGeneration."""

    def __init__(
        self, directory: Path, files: list[FileSpec], transport: str = "mini", **spec: Any
    ) -> None:
        self.root = directory / "originals"
        self.mountpoint = directory / "mnt"
        self.mountpoint.mkdir(exist_ok=True)
        self._list = directory / "files.json"
        self._list.write_text(json.dumps(files))
        options = spec.pop("options", ["ro", "default_permissions", "fsname=musefs-test"])
        self._spec = {
            "root": str(self.root), "mountpoint": str(self.mountpoint), "transport": transport,
            "files": str(self._list), "options": options, **spec,
        }  # fmt: skip
        self._log = directory / "daemon.log"
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        environment = {**os.environ, "PYTHONPATH": str(TESTS)}
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "support.mount_daemon", json.dumps(self._spec)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env=environment, cwd=TESTS.parent,
            )  # fmt: skip
        try:
            assert self._answer()["ready"]
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def set_files(self, files: list[FileSpec]) -> None:
        """Refresh to another list of files."""
        self._list.write_text(json.dumps(files))
        self._say(f"set {self._list}")

    def stats(self) -> dict[str, Any]:
        """Return what the daemon counts."""
        return self._say("stats")

    def settled(self) -> dict[str, Any]:
        """Return the counts once nothing is open: the kernel releases after close() returned."""
        wait_until(lambda: self._nothing_open(self.stats()))
        return self.stats()

    @staticmethod
    def _nothing_open(stats: dict[str, Any]) -> bool:
        return not stats["handles"] and not stats["transport"].get("passthrough_active")

    def crash(self) -> None:
        """Make one operation of the core raise something unexpected."""
        self._say("crash")

    def log(self) -> str:
        """Return what the daemon logged."""
        return self._log.read_text()

    def kill(self) -> None:
        """End the daemon as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int | None:
        """Unmount in any case and return the daemon's exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                detach(self.mountpoint)
                self.process.kill()
                self.process.wait(10)
        detach(self.mountpoint)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        code = self.process.returncode
        self.process = None
        return code

    def _say(self, line: str) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise AssertionError(f"the daemon does not answer:\n{self.log()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def detach(mountpoint: Path) -> None:
    """Unmount lazily, whatever is there; twice, for a mount on top of a dead one."""
    for _ in range(2):
        subprocess.run(["umount", "-l", str(mountpoint)], capture_output=True, check=False)


def client(script: str, *args: object, timeout: float = 60) -> str:
    """Run Python in a process of its own and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, args)],
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
