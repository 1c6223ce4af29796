"""The preview of a mount (--dry-run): what would be shown where, and what would not, and why.

Prints counts, the first paths in the order of a walk, names that had to be varied, skipped tracks
with their reasons, and fields that no track has, which is mostly a slip of the pen. Exit code 0
also when there is nothing to show: then it says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import polars as pl

from musefs.index.command.output import Json, Output, path_fields
from musefs.index.errors import ExitCode
from musefs.mount.library import Library
from musefs.mount.naming import Naming, library_frames
from musefs.mount.selection import load_selected
from musefs.mount.template.fields import BUILTINS, tags_behind
from musefs.mount.tree.tree import ROOT, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from musefs.index.read.snapshot import LibrarySnapshot
    from musefs.mount.plan import MountPlan

EXAMPLES: Final = 10
"""Varied names and skipped tracks that are shown to people; JSON has all up to the limit."""


@dataclass(frozen=True, slots=True)
class Varied:
    """A name that was taken by an earlier track."""

    path: bytes
    asked: bytes


@dataclass(frozen=True, slots=True)
class Skipped:
    """A track that is shown nowhere."""

    track_id: int
    original: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a mount would show; lists are as long as the limit allows."""

    library: Library
    paths: tuple[bytes, ...]
    varied: tuple[Varied, ...]
    varied_count: int
    skipped: tuple[Skipped, ...]
    unknown_fields: tuple[str, ...]


def walk(tree: Tree) -> Iterator[int]:
    """Yield leaves depth first, folders and files in byte order of their names."""
    pending = [ROOT]
    while pending:
        node = pending.pop()
        if tree.is_directory(node):
            pending.extend(reversed(tree.children(node)))
        else:
            yield node


def preview(snapshot: LibrarySnapshot, naming: Naming, limit: int) -> Preview:
    """Name a library and look at the result; `limit` 0 means everything."""
    library = Library.build(snapshot, naming)
    tree, most = library.tree, limit or None
    renamed = sorted(tree.columns.rendered, key=tree.path)
    return Preview(
        library=library,
        paths=tuple(tree.path(node) for node in islice(walk(tree), most)),
        varied=tuple(_varied(tree, node) for node in renamed[:most]),
        varied_count=len(renamed),
        skipped=_skipped(snapshot, naming, library, most),
        unknown_fields=_unknown_fields(snapshot, naming),
    )


def _varied(tree: Tree, node: int) -> Varied:
    path = tree.path(node)
    folder = path[: len(path) - len(tree.name(node))]
    return Varied(path, folder + tree.rendered_name(node))


def _skipped(
    snapshot: LibrarySnapshot, naming: Naming, library: Library, most: int | None
) -> tuple[Skipped, ...]:
    ids = pl.Series(sorted(library.skipped)[:most], dtype=pl.Int64)
    if not len(ids):
        return ()
    tracks, tags = library_frames(snapshot)
    concerned = tracks.filter(pl.col("track_id").is_in(ids.implode()))
    own = tags.filter(pl.col("track_id").is_in(ids.implode()))
    reasons: dict[int, dict[str, None]] = {}
    for view in naming.views:
        prefix = f"{view.folder}: " if view.folder else ""
        for row, reason in view.template.reasons(concerned, own).iter_rows():
            reasons.setdefault(row, {})[prefix + reason] = None
    rows = concerned.select("track_id", "path").iter_rows()
    return tuple(
        Skipped(track_id, path, tuple(reasons.get(row, ())))
        for row, (track_id, path) in enumerate(rows)
    )


def _unknown_fields(snapshot: LibrarySnapshot, naming: Naming) -> tuple[str, ...]:
    _, tags = library_frames(snapshot)
    keys = set(tags["key"].unique().cast(pl.String).str.to_lowercase())
    names = {name for view in naming.views for name in view.template.names}
    return tuple(sorted(n for n in names if n not in BUILTINS and keys.isdisjoint(tags_behind(n))))


def run(plan: MountPlan) -> ExitCode:
    """Print the preview of a mount."""
    naming = Naming.from_plan(plan.naming)
    found = preview(load_selected(plan.index, plan.naming.where), naming, plan.limit)
    output = Output(plan.common)
    output.result(_fields(found))
    for line in _lines(found):
        output.line(line)
    return ExitCode.OK


def _fields(found: Preview) -> dict[str, Json]:
    counts = found.library.counts
    return {
        "files": counts.files,
        "directories": counts.directories,
        "tracks": counts.tracks,
        "skipped_tracks": counts.skipped,
        "varied_names": found.varied_count,
        "paths": [path_fields(path) for path in found.paths],
        "varied": [path_fields(v.path) | path_fields(v.asked, "asked") for v in found.varied],
        "skipped": [
            {"track_id": s.track_id, "path": s.original, "reasons": list(s.reasons)}
            for s in found.skipped
        ],
        "fields_of_no_track": list(found.unknown_fields),
    }


def _lines(found: Preview) -> Iterator[str]:
    counts = found.library.counts
    if not counts.files:
        yield _nothing(found)
    else:
        yield (
            f"{counts.files} files in {counts.directories} folders from {counts.tracks} tracks; "
            f"{counts.skipped} skipped, {found.varied_count} names varied"
        )
        yield from (_text(path) for path in found.paths)
        if counts.files > len(found.paths):
            yield f"... and {counts.files - len(found.paths)} more"
    if found.varied:
        yield "Names that were taken:"
        yield from (
            f"  {_text(v.path)}  asked for {_text(v.asked)}" for v in found.varied[:EXAMPLES]
        )
    if found.skipped:
        yield "Skipped tracks:"
        for track in found.skipped[:EXAMPLES]:
            yield f"  {track.original}: {', '.join(track.reasons)}"
    if found.unknown_fields:
        yield f"No track has: {', '.join(found.unknown_fields)}"


def _nothing(found: Preview) -> str:
    if found.library.tracks:
        return f"Nothing to show: all {found.library.tracks} tracks are skipped."
    return "Nothing to show: the index, or the selection, has no tracks."


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
