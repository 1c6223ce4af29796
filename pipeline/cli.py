"""musefs-scan and musefs-io-probe: from flags to a plan, and to the room that runs it."""

from musefs.index.command.common import CommonPlan
from musefs.index.command.room import run_in
from musefs.index.command.run import Program, leave
from musefs.index.command.run import main as run_program
from musefs.index.command.settings import Settings
from musefs.index.errors import ExitCode, UsageError
from musefs.pipeline import flags
from musefs.pipeline.plan import CheckPlan, ProbePlan, ScanPlan


def plan_scan(settings: Settings, common: CommonPlan) -> ScanPlan | CheckPlan:
    """Return what musefs-scan was asked to do."""
    source, index = settings[flags.SOURCE], settings[flags.CHECK]
    if index is not None:
        if source is not None:
            raise UsageError("--check takes no SOURCE", hint="Check first, scan afterwards.")
        return CheckPlan(index=index, common=common)
    if source is None:
        raise UsageError(
            f"SOURCE is missing; expected {flags.SOURCE.kind.allowed}",
            hint="For example: musefs-scan C: --out index.duckdb",
        )
    return ScanPlan(
        source=source,
        out=settings[flags.OUT],
        common=common,
        partition=settings[flags.PARTITION],
        root=settings[flags.ROOT],
        workers=settings[flags.WORKERS],
        deleted=settings[flags.DELETED],
        tags=settings[flags.TAGS],
        fingerprint=settings[flags.FINGERPRINT],
        force=settings[flags.FORCE],
        prune=settings[flags.PRUNE],
        other_volume=settings[flags.OTHER_VOLUME],
        follow_symlinks=settings[flags.FOLLOW_SYMLINKS],
        exclude=settings[flags.EXCLUDE],
    )


def plan_probe(settings: Settings, common: CommonPlan) -> ProbePlan:
    """Return what musefs-io-probe was asked to do."""
    return ProbePlan(
        source=settings[flags.PROBE_SOURCE],
        common=common,
        partition=settings[flags.PARTITION],
        mode=settings[flags.MODE],
        runs=settings[flags.RUNS],
        chunk_bytes=settings[flags.CHUNK_SIZE],
        queue_depth=settings[flags.QUEUE_DEPTH],
    )


def _run_scan(plan: ScanPlan | CheckPlan) -> ExitCode:
    if isinstance(plan, CheckPlan):
        return run_in("musefs.pipeline.check", plan)
    return run_in("musefs.pipeline.scan", plan)


def _run_probe(plan: ProbePlan) -> ExitCode:
    return run_in("musefs.pipeline.read.probe", plan)


def main() -> int:
    """Run musefs-scan."""
    return run_program(Program(flags.SCAN, plan_scan, _run_scan))


def command() -> None:
    """Be musefs-scan."""
    leave(main())


def io_probe() -> int:
    """Run musefs-io-probe."""
    return run_program(Program(flags.IO_PROBE, plan_probe, _run_probe))
