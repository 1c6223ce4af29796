"""Mounting with pyfuse3, on our own event loop or on trio.

pyfuse3 keeps one session in module globals, so a process has at most one of these. Which loop it
runs on is decided by the name `trio` in its module, which it looks up whenever it needs it.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pyfuse3
import trio

from musefs.mount.plan import KernelPlan, Loop
from musefs.mount.serve.core import Core
from musefs.mount.transport.loop import EventLoop
from musefs.mount.transport.notify import Notifier
from musefs.mount.transport.pyfuse3_operations import LibraryOperations
from musefs.mount.transport.trio_loop import TrioLoop

WORKER_TASKS = 128
"""Requests in progress at once; above what the kernel sends (64 in the background, and a few)."""


class Pyfuse3Transport:
    """One pyfuse3 session."""

    def __init__(self, core: Core, kernel: KernelPlan) -> None:
        self._mini = EventLoop() if kernel.loop is Loop.MINI else None
        self._loop: EventLoop | TrioLoop = self._mini or TrioLoop()
        self._operations = LibraryOperations(core, self._loop, kernel)
        self._descriptor = -1
        self._mounted = False

    def mount(self, mountpoint: Path, options: tuple[str, ...]) -> None:
        """Mount; raises RuntimeError when libfuse refuses."""
        module = cast("Any", pyfuse3)  # its `trio` is not in its stub
        module.trio = self._mini or trio
        before = _fuse_descriptors()
        pyfuse3.init(self._operations, str(mountpoint), set(options))
        self._mounted = True
        new = _fuse_descriptors() - before
        self._descriptor = max(new) if new else -1

    def notifier(self) -> Notifier:
        """Return what expires names of this mount."""
        return Notifier(self._descriptor)

    def run(self) -> None:
        """Serve requests."""
        self._loop.run(self._main)

    def stop(self) -> None:
        """Have `run` return soon."""
        self._loop.call_soon(pyfuse3.terminate)

    def between_requests(self, call: Callable[[], None]) -> None:
        """Have the loop call `call`."""
        self._loop.call_soon(call)

    def close(self) -> None:
        """Unmount and release."""
        if self._mounted:
            self._mounted = False
            pyfuse3.close(unmount=True)
            self._operations.detach()
        self._loop.close()

    def statistics(self) -> dict[str, int]:
        """Return how often the loop slept."""
        return {} if self._mini is None else {"loop_sleeps": self._mini.sleeps}

    async def _main(self) -> None:
        await pyfuse3.main(min_tasks=2, max_tasks=WORKER_TASKS)


def _fuse_descriptors() -> set[int]:
    """Return this process's descriptors of /dev/fuse; libfuse does not tell which it opened."""
    found: set[int] = set()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are numbers, not paths
        try:
            if os.readlink(f"/proc/self/fd/{name}") == "/dev/fuse":  # noqa: PTH115 - as above
                found.add(int(name))
        except OSError:
            continue  # the descriptor of the listing itself, closed by now
    return found
