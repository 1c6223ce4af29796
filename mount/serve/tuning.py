"""After mounting: larger read-ahead and more requests in the background, where that is allowed.

libfuse cannot ask for either. The mount's owner may write to fusectl, root to sysfs; where nobody
may, the kernel's defaults stay, counted.
"""

import ctypes
import gc
import logging
import os
import platform
import resource
import struct
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

GC_THRESHOLDS = (5_000, 20, 100)
"""Python's are (700, 10, 10). What is opened for the first time makes a few dozen objects that stay
in a cache; looking through all of those again and again took 8 µs an open, and each whole look is a
pause. Cycles are rare here and still found.
"""

DESCRIPTORS = 65_536
"""Open files wanted; each open file of the mount holds one descriptor."""


SLICE_NS = 100_000
"""Processor time that each of our threads asks for at a time, the kernel's least; usual are 3 ms.

A thread that was woken goes before one whose slice is over, so requests wait less for threads that
copy. On two busy processors `stat` beside eight readers took 3.8 ms at p99 with it, 4.7 without.
"""

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
_SCHED_ATTR = struct.Struct("=IIQiIQQQ")
"""size, policy, flags, nice, priority, runtime (the slice), deadline, period"""


_log = logging.getLogger(__name__)


def tune_process() -> int:
    """Prepare this process for serving; return how many descriptors it may have."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(*GC_THRESHOLDS)
    _ask_for_short_slices()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def _ask_for_short_slices() -> None:
    """Ask for this thread and those it starts; kernels before 6.12 take no notice."""
    number = _SCHED_SETATTR.get(platform.machine())
    if number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return  # somebody chose a policy for this process
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    wanted = _SCHED_ATTR.pack(_SCHED_ATTR.size, os.SCHED_OTHER, 0, nice, 0, SLICE_NS, 0, 0)
    if ctypes.CDLL(None, use_errno=True).syscall(number, 0, wanted, 0) != 0:
        _log.debug("no short slices: %s", os.strerror(ctypes.get_errno()))


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
