"""musefs-scan --check: what an index says about itself, and what to do where it is wrong."""

from dataclasses import asdict

from musefs.index.check import CheckReport, Finding, check_index
from musefs.index.command.output import Output, path_fields
from musefs.index.errors import ExitCode
from musefs.pipeline.plan import CheckPlan


def run(plan: CheckPlan) -> ExitCode:
    """Check and report; a problem gives the exit code of an unusable index."""
    report = check_index(plan.index)
    output = Output(plan.common)
    if output.machine:
        output.result(
            {
                **path_fields(report.path),
                "generation": report.generation,
                "checks": report.checks,
                "problems": [asdict(finding) for finding in report.problems],
                "notes": [asdict(finding) for finding in report.notes],
            }
        )
    else:
        _write(report, output)
    return ExitCode.INDEX if report.problems else ExitCode.OK


def _write(report: CheckReport, output: Output) -> None:
    for finding in report.problems:
        _write_finding("problem", finding, output)
    for finding in report.notes:
        _write_finding("note", finding, output)
    verdict = f"{len(report.problems)} problems" if report.problems else "sound"
    output.line(f"{report.path}: generation {report.generation}, {report.checks} checks, {verdict}")


def _write_finding(kind: str, finding: Finding, output: Output) -> None:
    output.line(f"{kind}: {finding.check}: {finding.message}")
    output.line(f"  {finding.hint}")
