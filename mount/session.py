"""One mount from plan to exit code: check, load, mount, serve, follow the index, end.

Everything long-lived is a context manager, so whatever fails on the way is undone in order.
"""

import logging
import os
import sys
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musefs.index.counters import fresh_tally
from musefs.index.errors import ExitCode, MountpointError
from musefs.mount.plan import Mode, MountPlan
from musefs.mount.plan import Transport as Wanted
from musefs.mount.serve.core import Core, Limits
from musefs.mount.serve.daemon import Background, go_to_background
from musefs.mount.serve.devices import Devices
from musefs.mount.serve.giving_way import GivingWay
from musefs.mount.serve.handles import HANDLE_CAPACITY
from musefs.mount.serve.index_watch import IndexWatch
from musefs.mount.serve.library_source import LibrarySource
from musefs.mount.serve.ownership import Ownership
from musefs.mount.serve.pool import POOL_THREADS, Pool
from musefs.mount.serve.prefetch import Prefetcher
from musefs.mount.serve.preflight import (
    check_before_mounting,
    explain_refusal,
    shows_to_others,
)
from musefs.mount.serve.refresh import Refresher
from musefs.mount.serve.service import notify_service
from musefs.mount.serve.stopping import Stopper
from musefs.mount.serve.telemetry import Telemetry
from musefs.mount.serve.tuning import frozen_heap, tune_kernel, tune_process

if TYPE_CHECKING:
    from musefs.mount.transport.transport import Transport

OWN_DESCRIPTORS = 128
"""Descriptors kept for everything besides open files."""

_log = logging.getLogger(__name__)


def run(plan: MountPlan) -> ExitCode:
    """Mount and serve until the mount ends."""
    if plan.mountpoint is None:
        raise MountpointError("no mountpoint was given")
    plan = _with_absolute_paths(plan)
    mountpoint = Path(os.path.abspath(plan.mountpoint or ""))  # noqa: PTH100 - never resolve()
    check_before_mounting(plan, mountpoint)
    background = go_to_background() if plan.daemon else None
    if isinstance(background, ExitCode):
        return background
    try:
        with fresh_tally():
            return _serve(plan, mountpoint, background)
    except BaseException as error:
        if background is not None:
            background.failed(error)
        raise


def _with_absolute_paths(plan: MountPlan) -> MountPlan:
    """Make paths independent of the working directory, which a daemon leaves."""
    backing = replace(
        plan.backing,
        root=None if plan.backing.root is None else plan.backing.root.absolute(),
        volume=None if plan.backing.volume is None else plan.backing.volume.absolute(),
    )
    return replace(plan, index=plan.index.absolute(), backing=backing)


def _serve(plan: MountPlan, mountpoint: Path, background: Background | None) -> ExitCode:
    descriptors = tune_process()
    with ExitStack() as stack:
        library = stack.enter_context(closing(LibrarySource(plan)))
        pool = stack.enter_context(Pool(plan.reading.workers or POOL_THREADS))
        core = _core(plan, library, pool, descriptors)
        stack.callback(core.close)
        if plan.reading.prefetch and plan.reading.read_ahead_budget_bytes:
            core.prefetcher = stack.enter_context(Prefetcher())
        telemetry = Telemetry(core)
        if plan.extras.metrics:
            core.metrics_text = telemetry.text
        transport = _transport(plan, core)
        stack.callback(transport.close)
        try:
            transport.mount(mountpoint, mount_options(plan))
        except (OSError, RuntimeError) as error:
            raise explain_refusal(error, mountpoint) from error
        telemetry.transport = transport.statistics
        notifier = stack.enter_context(transport.notifier())
        refresher = Refresher(
            library, library.first, library.first_stamp, core, notifier,
            poll_interval_s=plan.poll_interval_s, waits=IndexWatch(plan.index),
            resting=GivingWay(transport.between_requests).resting,
        )  # fmt: skip
        telemetry.refresh = lambda: _refresh_numbers(refresher)
        stack.enter_context(Stopper(mountpoint, transport.stop, refresher.look_now))
        stack.enter_context(refresher)
        tune_kernel(mountpoint, plan.kernel)
        stack.enter_context(frozen_heap())
        _say_ready(library, mountpoint, plan, background)
        transport.run()
    return ExitCode.OK


def _core(plan: MountPlan, library: LibrarySource, pool: Pool, descriptors: int) -> Core:
    devices = Devices()
    core = Core(
        library.first,
        library.opener(devices),
        Ownership.of_plan(plan.ownership),
        pool,
        devices=devices,
        art=library.art,
        limits=Limits(
            handles=min(HANDLE_CAPACITY, max(1, descriptors - OWN_DESCRIPTORS)),
            read_ahead_budget_bytes=plan.reading.read_ahead_budget_bytes,
        ),
    )
    core.free_bytes = library.free_bytes()
    core.passthrough = plan.mode is Mode.STRUCTURE_ONLY
    return core


def _transport(plan: MountPlan, core: Core) -> "Transport":
    if chooses_raw(plan, euid=os.geteuid()):
        from musefs.mount.transport.raw import RawTransport

        return RawTransport(core, plan.kernel)
    from musefs.mount.transport.pyfuse3_transport import Pyfuse3Transport

    return Pyfuse3Transport(core, plan.kernel)


def chooses_raw(plan: MountPlan, *, euid: int, release: str | None = None) -> bool:
    """Say whether the raw transport serves this mount: where the kernel can read by itself."""
    wanted = plan.kernel.transport
    if wanted is not Wanted.AUTO:
        return wanted is Wanted.RAW
    if plan.mode is not Mode.STRUCTURE_ONLY or euid != 0 or plan.backing.volume is not None:
        return False
    numbers = (os.uname().release if release is None else release).split("-")[0].split(".")
    return tuple(int(number) for number in numbers[:2] if number.isdigit()) >= (6, 9)


def mount_options(plan: MountPlan) -> tuple[str, ...]:
    """Return the kernel's options of this mount."""
    options = ["ro", "default_permissions", "fsname=musefs", "subtype=musefs", "nosuid", "nodev"]
    if shows_to_others(plan.ownership):
        options.append("allow_other")
    return tuple(options)


def _refresh_numbers(refresher: "Refresher[Any]") -> dict[str, float]:
    return {
        "refreshes": refresher.refreshes,
        "refresh_full_rebuilds": refresher.full_rebuilds,
        "refresh_needs_rebuild": int(refresher.needs_rebuild),
        "refresh_busy": int(refresher.busy),
        "refresh_last_seconds": refresher.last_seconds,
    }


def _say_ready(
    library: LibrarySource, mountpoint: Path, plan: MountPlan, background: Background | None
) -> None:
    """Say how much is served: an empty or wrong index must not pass in silence (row M34)."""
    first = library.first
    counts = f"{first.files} files in {first.directories} folders"
    if not plan.common.quiet:
        sys.stderr.write(f"mounted {plan.index} on {mountpoint}: {counts} ({plan.mode.value})\n")
    if first.files == 0:
        _log.warning("%s has no track that would be served", plan.index)
    notify_service(f"READY=1\nSTATUS=serving {counts}")
    if background is not None:
        background.ready()
