"""After mounting: larger read-ahead and more requests in the background, where that is allowed.

libfuse cannot ask for either. The mount's owner may write to fusectl, root to sysfs; where nobody
may, the kernel's defaults stay, counted.
"""

import gc
import os
import resource
import sys
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


def freeze_heap() -> None:
    """Take what was built out of garbage collection: it stays for the life of the mount."""
    gc.collect()
    gc.freeze()


def tune_kernel(mountpoint: Path, kernel: KernelPlan) -> None:
    """Ask the kernel for more than its defaults; best effort."""
    entry = mount_at(mountpoint)
    if entry is None:
        return
    major, minor = os.major(entry.device), os.minor(entry.device)
    connection = FUSECTL / str(entry.device if major else minor)
    background = kernel.max_background
    _write(connection / "max_background", background)
    _write(connection / "congestion_threshold", background * 3 // 4)
    read_ahead_kib = max(kernel.max_read_ahead_bytes, 4096) // 1024
    _write(BDI / f"{major}:{minor}" / "read_ahead_kb", read_ahead_kib)


def _write(path: Path, number: int) -> None:
    try:
        path.write_text(f"{number}\n")
    except OSError as error:
        degrade(Counter.KERNEL_TUNING_SKIPPED, "%s stays as it is: %s", path, error.strerror)
