"""After mounting: larger read-ahead and more requests in the background, where that is allowed.

libfuse cannot ask for either. The mount's owner may write to fusectl, root to sysfs; where nobody
may, the kernel's defaults stay, counted.
"""

import gc
import logging
import os
import resource
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from musefs.index.counters import Counter, degrade
from musefs.mount.plan import KernelPlan
from musefs.mount.serve.mountinfo import mount_at

FUSECTL = Path("/sys/fs/fuse/connections")
BDI = Path("/sys/class/bdi")

SWITCH_INTERVAL_S = 0.0005
"""A tenth of Python's own: how long a thread that computes may keep a request waiting."""

DESCRIPTORS = 65_536
"""Open files wanted; each open file of the mount holds one descriptor."""


def tune_process() -> int:
    """Prepare this process for serving; return how many descriptors it may have."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


@contextmanager
def frozen_heap() -> Generator[None]:
    """Take what was built out of garbage collection: it stays for the life of the mount."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def tune_kernel(mountpoint: Path, kernel: KernelPlan) -> None:
    """Ask the kernel for more than its defaults; best effort."""
    entry = mount_at(mountpoint)
    if entry is None:
        return
    major, minor = os.major(entry.device), os.minor(entry.device)
    connection = FUSECTL / str(entry.device if major else minor)
    background = kernel.max_background
    wanted = {
        connection / "max_background": background,
        connection / "congestion_threshold": background * 3 // 4,
        BDI / f"{major}:{minor}" / "read_ahead_kb": max(kernel.max_read_ahead_bytes, 4096) // 1024,
    }
    refused = [path.name for path, number in wanted.items() if not _write(path, number)]
    if refused:
        degrade(
            Counter.KERNEL_TUNING_SKIPPED,
            "the kernel's defaults stay for %s: no permission, or fusectl is not mounted",
            ", ".join(refused),
            amount=len(refused),
            level=logging.INFO,  # all is served all the same, and right
        )


def _write(path: Path, number: int) -> bool:
    try:
        path.write_text(f"{number}\n")
    except OSError:
        return False
    return True
