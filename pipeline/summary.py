"""What a finished scan tells: two short tables for people, one object for programs."""

from dataclasses import asdict, dataclass
from pathlib import Path

from musefs.index.command.output import Json, Output, path_fields
from musefs.index.command.progress import format_bytes, format_seconds
from musefs.index.counters import Counter
from musefs.pipeline.census import Census
from musefs.pipeline.ntfs.extensions import READABLE_EXTENSIONS, FileClass
from musefs.pipeline.phases import PhaseTimes


@dataclass(frozen=True, slots=True)
class ScanReport:
    """Everything a scan can say about itself."""

    scan_id: str
    source: str
    kind: str
    index: Path
    generation: int
    records: int
    bytes_read: int
    seconds: float
    peak_rss_bytes: int | None
    census: Census
    counts: dict[Counter, int]
    phases: list[PhaseTimes]
    tracks: dict[str, int]
    """What the tag stage did: read, unchanged, moved, gone, failed."""

    @property
    def why_nothing(self) -> str | None:
        """Why no file was found; None if there are some."""
        return self.census.why_nothing(self.records, self.counts)

    def audio(self) -> list[tuple[str, int, int]]:
        """Return (extension, files, bytes) of audio files, most files first."""
        rows = [
            (text, files, size)
            for text, (files, size) in self.census.formats.items()
            if READABLE_EXTENSIONS.get(text) is FileClass.AUDIO
        ]
        return sorted(rows, key=lambda row: (-row[1], row[0]))


def report_fields(report: ScanReport) -> dict[str, Json]:
    """Return the report as JSON: the result object, and the body of --stats."""
    census = report.census
    return {
        "command": "musefs-scan",
        "scan_id": report.scan_id,
        **path_fields(report.source, "source"),
        "kind": report.kind,
        **path_fields(report.index, "index"),
        "generation": report.generation,
        "seconds": round(report.seconds, 4),
        "records": report.records,
        "bytes_read": report.bytes_read,
        "peak_rss_bytes": report.peak_rss_bytes,
        "files": census.files,
        "folders": census.folders,
        "bytes": census.bytes,
        "allocated_bytes": census.allocated,
        "rows": dict(census.rows),
        "hard_links": census.hard_links,
        "streams": census.streams,
        "audio": {text: {"files": n, "bytes": size} for text, n, size in report.audio()},
        "tracks": dict(report.tracks),
        "counters": {counter.value: count for counter, count in report.counts.items()},
        "phases": {row.phase.value: _phase_fields(row) for row in report.phases},
        "why_nothing": report.why_nothing,
    }


def _phase_fields(row: PhaseTimes) -> dict[str, Json]:
    fields = asdict(row)
    del fields["phase"]
    return {name: round(value, 6) for name, value in fields.items()}


def write_report(report: ScanReport, output: Output) -> None:
    """Write what was found and how the time was spent."""
    output.result(report_fields(report))
    if output.machine:
        return
    output.table([{"found": what, "count": count, "size": size} for what, count, size in
                  _found(report)])  # fmt: skip
    if report.counts:
        output.line()
        output.table([{"counter": c.value, "count": n} for c, n in report.counts.items()])
    output.line()
    output.table([_phase_line(row, report.seconds) for row in report.phases])
    output.line()
    if report.why_nothing:
        output.line(report.why_nothing)
    output.line(
        f"{report.index}: generation {report.generation}, "
        f"{report.records:,} records in {format_seconds(report.seconds)}"
    )


def _found(report: ScanReport) -> list[tuple[str, str, str]]:
    census = report.census
    rows = [
        ("files", census.files, format_bytes(census.bytes)),
        ("folders", census.folders, ""),
        ("hard links", census.hard_links, ""),
        ("streams", census.streams, ""),
        *((f"audio .{text}", n, format_bytes(size)) for text, n, size in report.audio()),
        *((f"tracks {what}", count, "") for what, count in report.tracks.items() if count),
    ]
    return [(what, f"{count:,}", size) for what, count, size in rows]


def _phase_line(row: PhaseTimes, total_seconds: float) -> dict[str, Json]:
    return {
        "phase": row.phase.value,
        "busy": format_seconds(row.busy_seconds),
        "items": f"{row.items:,}",
        "size": format_bytes(row.bytes) if row.bytes else "",
        "when": _bar(row, total_seconds),
    }


def _bar(row: PhaseTimes, total_seconds: float, width: int = 40) -> str:
    """Draw when the phase ran within the scan, so that overlap can be seen."""
    scale = width / max(total_seconds, 1e-9)
    start = min(width - 1, int(row.started_seconds * scale))
    end = min(width, max(start + 1, round(row.ended_seconds * scale)))
    return "." * start + "#" * (end - start) + "." * (width - end)
