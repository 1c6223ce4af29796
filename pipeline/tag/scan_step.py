"""The tag stage inside a scan: between the records of the volume and publication.

It takes candidates and the place of their bytes from the index that is being built, the former
tracks from the published one, and appends through the same writer.
"""

import logging
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from musefs.index.backing.raw_volume import Geometry
from musefs.index.schema.enums import VolumeKind
from musefs.pipeline.tag.candidates import audio_candidates
from musefs.pipeline.tag.sources import BytesSource, MountedSource, VolumeSource
from musefs.pipeline.tag.stage import Progress, TagOptions, TagReport, run_tag_stage
from musefs.pipeline.tag.tracks import read_library

if TYPE_CHECKING:
    import duckdb

    from musefs.index.write import IndexWriter

_log = logging.getLogger(__name__)

_SOURCE_SQL: Final = (
    "SELECT kind::VARCHAR, source, partition_offset, root_path, bytes_per_cluster, "
    "bytes_per_record, mft_runs FROM volumes"
)


def tag_scan(
    writer: "IndexWriter",
    options: TagOptions | None = None,
    *,
    exclude: Sequence[str] = (),
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> TagReport:
    """Make the tracks of the index that `writer` builds."""
    options = options or TagOptions()
    source = writer.execute(bytes_source)
    if source is None and options.read:
        _log.info("a saved $MFT holds no audio: give --root to read tags of the mounted volume")
    if source is None:
        source, options = MountedSource(Path()), TagOptions(read=False, prune=options.prune)
    candidates = _without(writer.execute(audio_candidates), exclude)
    return run_tag_stage(
        candidates,
        source,
        writer.append,
        old=read_library(writer.path),
        generation=(writer.previous.generation if writer.previous else 0) + 1,
        options=options,
        progress=progress,
        cancelled=cancelled,
    )


def bytes_source(con: "duckdb.DuckDBPyConnection") -> BytesSource | None:
    """Return where the files of the volume can be read; None for a $MFT without its volume."""
    row = con.execute(_SOURCE_SQL).fetchone()
    if row is None:
        return None
    kind, source, offset, root, cluster_bytes, record_bytes, runs = row
    if root is not None:
        return MountedSource(Path(root))
    if kind == VolumeKind.DIRECTORY.value:
        return MountedSource(Path(source))
    if kind != VolumeKind.NTFS.value or not runs:
        return None
    mft = tuple((int(run["offset"]), int(run["length"])) for run in runs)
    return VolumeSource(Path(source), Geometry(offset, cluster_bytes, record_bytes, mft))


def _without(candidates: pl.DataFrame, exclude: Sequence[str]) -> pl.DataFrame:
    """Leave out paths below the source that a glob names."""
    if not exclude:
        return candidates
    stays = [
        not any(fnmatch(path.lstrip("/"), glob) for glob in exclude)
        for path in candidates["path"].to_list()
    ]
    return candidates.filter(pl.Series(stays, dtype=pl.Boolean))
