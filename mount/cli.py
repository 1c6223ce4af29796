"""musefs-mount: from flags to a plan, and to the session that mounts."""

from musefs.index.command.common import CommonPlan
from musefs.index.command.room import run_in
from musefs.index.command.run import Program
from musefs.index.command.run import main as run_program
from musefs.index.command.settings import Settings
from musefs.index.errors import ExitCode, UsageError
from musefs.mount import flags
from musefs.mount.plan import (
    BackingPlan,
    ExtrasPlan,
    KernelPlan,
    MountPlan,
    NamingPlan,
    OwnershipPlan,
    ReadingPlan,
)


def plan_mount(settings: Settings, common: CommonPlan) -> MountPlan:
    """Return what musefs-mount was asked to do."""
    dry_run, mountpoint = settings[flags.DRY_RUN], settings[flags.MOUNTPOINT]
    if mountpoint is None and not dry_run:
        raise UsageError(
            "MOUNTPOINT is missing; expected an existing directory",
            hint="Name the directory to mount on, or use --dry-run to see what would be there.",
        )
    return MountPlan(
        index=settings[flags.INDEX],
        mountpoint=mountpoint,
        common=common,
        mode=settings[flags.MODE],
        poll_interval_s=settings[flags.POLL_INTERVAL],
        naming=_naming(settings),
        extras=_extras(settings),
        ownership=_ownership(settings),
        backing=_backing(settings),
        kernel=_kernel(settings),
        reading=_reading(settings),
        dry_run=dry_run,
        limit=settings[flags.LIMIT],
        daemon=settings[flags.DAEMON],
        clean_stale=settings[flags.CLEAN_STALE],
    )


def _naming(settings: Settings) -> NamingPlan:
    return NamingPlan(
        template=settings[flags.TEMPLATE],
        views=_views(settings),
        fallbacks=tuple((field.lower(), text) for field, text in settings[flags.FALLBACK]),
        default_fallback=settings[flags.DEFAULT_FALLBACK],
        skip_on_missing=settings[flags.SKIP_ON_MISSING],
        case_insensitive=settings[flags.CASE_INSENSITIVE],
        safe_names=settings[flags.SAFE_NAMES],
        where=settings[flags.WHERE],
    )


def _views(settings: Settings) -> tuple[tuple[str, str], ...]:
    views = settings[flags.VIEW]
    names = [name for name, _ in views]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"--view {twice} is given twice; each view is a folder of its own",
            hint="Give the second another name, or put both into one template.",
        )
    return views


def _extras(settings: Settings) -> ExtrasPlan:
    return ExtrasPlan(
        covers=settings[flags.COVERS],
        sidecars=settings[flags.SIDECARS],
        playlists=settings[flags.PLAYLISTS],
        metrics=settings[flags.EXPOSE_METRICS],
    )


def _ownership(settings: Settings) -> OwnershipPlan:
    uid, gid = settings[flags.OWNER], settings[flags.GROUP]
    return OwnershipPlan(
        uid=uid,
        gid=gid,
        file_mode=settings[flags.FILE_MODE],
        dir_mode=settings[flags.DIR_MODE],
        allow_other=settings[flags.ALLOW_OTHER] or uid is not None or gid is not None,
    )


def _backing(settings: Settings) -> BackingPlan:
    root, volume = settings[flags.ROOT], settings[flags.VOLUME]
    if root is not None and volume is not None:
        raise UsageError(
            "--root and --volume exclude each other",
            hint="Give --root for a mounted volume, or --volume for a device or image.",
        )
    return BackingPlan(root=root, volume=volume)


def _kernel(settings: Settings) -> KernelPlan:
    return KernelPlan(
        entry_timeout_s=settings[flags.ENTRY_TIMEOUT],
        attr_timeout_s=settings[flags.ATTR_TIMEOUT],
        negative_timeout_s=settings[flags.NEGATIVE_TIMEOUT],
        keep_cache=settings[flags.KEEP_CACHE],
        max_read_ahead_bytes=settings[flags.MAX_READ_AHEAD],
        max_background=settings[flags.MAX_BACKGROUND],
        loop=settings[flags.LOOP],
        transport=settings[flags.TRANSPORT],
    )


def _reading(settings: Settings) -> ReadingPlan:
    return ReadingPlan(
        workers=settings[flags.WORKERS],
        read_ahead_budget_bytes=settings[flags.READ_AHEAD_BUDGET],
        prefetch=settings[flags.PREFETCH],
    )


def _run(plan: MountPlan) -> ExitCode:
    return run_in("musefs.mount.preview" if plan.dry_run else "musefs.mount.session", plan)


def main() -> int:
    """Run musefs-mount."""
    return run_program(Program(flags.MOUNT, plan_mount, _run))
