"""Joins the tag stage to a scan: which files, from where their bytes come, what is left out."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from musefs.index.backing.raw_volume import Geometry
from musefs.index.write import IndexWriter
from musefs.pipeline.plan import Fingerprint, ScanPlan
from musefs.pipeline.read.layout import MftLayout
from musefs.pipeline.tag.candidates import audio_candidates
from musefs.pipeline.tag.sources import BytesSource, MountedSource, VolumeSource
from musefs.pipeline.tag.stage import (
    Emit,
    Progress,
    TagOptions,
    TagReport,
    run_tag_stage,
)
from musefs.pipeline.tag.tracks import empty_library, read_library
from musefs.pipeline.volume.seam import Volume

_log = logging.getLogger(__name__)
_DRIVE = re.compile(r"\\\\[.?]\\([A-Za-z]:)\\?")


@dataclass(frozen=True, slots=True)
class TagWork:
    """What the tag stage needs of a scan."""

    plan: ScanPlan
    writer: IndexWriter
    source: BytesSource | None
    emit: Emit
    progress: Progress
    cancelled: Callable[[], bool]
    same_volume: bool = True
    """Record numbers of the former index mean the same files now."""


def volume_bytes(volume: Volume, layout: MftLayout, root: Path | None) -> BytesSource | None:
    """Return where the files of an NTFS volume are read: a mount, a drive, or the volume itself.

    None for a saved $MFT without a mounted root: there is nothing to read.
    """
    drive = _DRIVE.fullmatch(volume.source)
    if root is not None:
        return MountedSource(root)
    if drive is not None:
        return MountedSource(Path(drive[1] + "\\"))
    if layout.boot is None:
        return None
    spans = tuple((span.physical, span.length) for span in layout.run_map.spans)
    geometry = Geometry(
        volume.partition_offset, layout.boot.cluster_bytes, layout.record_bytes, spans
    )
    return VolumeSource(Path(volume.source), geometry)


def tag_files(work: TagWork) -> TagReport:
    """Run the tag stage over the audio files in the index that is being built."""
    plan, previous = work.plan, work.writer.previous
    if work.source is None and plan.tags:
        _log.info(
            "%s: tags are not read, for that --root must say where it is mounted", plan.source
        )
    if previous is None and (work.source is None or not plan.tags):
        return TagReport()
    old = read_library(plan.out) if previous else empty_library()
    if old.tracks.is_empty() and (work.source is None or not plan.tags):
        return TagReport()  # of three million music files it would take ten seconds to say so
    candidates = leave_out(work.writer.execute(audio_candidates), plan.exclude)
    return run_tag_stage(
        candidates,
        work.source or MountedSource(Path()),
        work.emit,
        old=old,
        generation=previous.generation + 1 if previous else 1,
        options=TagOptions(
            force=plan.force,
            full_hash=plan.fingerprint is Fingerprint.FULL,
            read=plan.tags and work.source is not None,
            prune=plan.prune,
            same_volume=work.same_volume,
        ),
        progress=work.progress,
        cancelled=work.cancelled,
    )


def leave_out(candidates: pl.DataFrame, globs: tuple[str, ...]) -> pl.DataFrame:
    """Return the candidates whose path matches none of `globs`."""
    if not globs:
        return candidates
    patterns = [glob_pattern(glob) for glob in globs]
    kept = [not any(pattern.fullmatch(path) for pattern in patterns) for path in candidates["path"]]
    return candidates.filter(pl.Series(kept, dtype=pl.Boolean))


def glob_pattern(glob: str) -> re.Pattern[str]:
    """Return the regular expression of a glob: ** is any number of folders, * stays in one.

    A glob without a slash matches a name at any depth; one that matches a folder matches all in
    it.
    """
    anywhere = "/" not in glob
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob.strip("/"))
    body = "".join(words.get(part, re.escape(part)) for part in parts)
    return re.compile(f"/{'(?:.*/)?' if anywhere else ''}{body}(?:/.*)?", re.DOTALL)
