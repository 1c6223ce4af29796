"""The library that is served: a loaded index, named and put into a tree.

`Library.build` for a mount, `Library.changed` for a refresh. Tracks keep their row for the life of
a mount: the position in the first snapshot, then new rows behind; so columns of the mount (sizes,
times) grow at the end and nothing is renumbered. Sizes, layouts and bytes are not known here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from musefs.index.counters import Counter, degrade
from musefs.mount.companions.settling import build_with_companions
from musefs.mount.naming import Naming, library_frames, placements_of
from musefs.mount.tree.placement import LeafKind, order_of
from musefs.mount.tree.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from musefs.index.read.snapshot import LibrarySnapshot
    from musefs.mount.companions.settling import Companions


@dataclass(frozen=True, slots=True)
class Counts:
    """What a mount says of itself, so that an empty or wrong index is not silent (M34)."""

    files: int
    directories: int
    tracks: int
    skipped: int
    """Tracks that are shown nowhere."""


def _shown_nowhere(rendered: pl.DataFrame, tracks: pl.DataFrame) -> frozenset[int]:
    """Return the ids of tracks without a path; those that lack a tag are a degradation."""
    by_track = rendered.group_by("row").agg(
        pl.col("path").is_null().all().alias("hidden"), pl.col("excluded").all()
    )
    hidden = by_track.filter("hidden")
    lacking = len(hidden) - int(hidden["excluded"].sum())
    if lacking:
        degrade(
            Counter.TRACKS_SKIPPED,
            "%d of %d tracks lack a tag that the template needs; --dry-run lists them",
            lacking,
            len(tracks),
            amount=lacking,
        )
    return frozenset(tracks["track_id"].gather(hidden["row"]).to_list())


@dataclass(frozen=True, slots=True)
class Library:
    """One state of the named library."""

    naming: Naming
    tree: Tree
    tracks: int
    """Tracks in the index, shown or not."""
    skipped: frozenset[int]
    """track_ids that are shown nowhere."""

    @classmethod
    def build(
        cls, snapshot: LibrarySnapshot, naming: Naming, companions: Companions | None = None
    ) -> Library:
        """Name a whole library; row i is the track at position i of the snapshot."""
        tracks, tags = library_frames(snapshot)
        rendered = naming.render(tracks, tags)
        placements = placements_of(rendered, tracks, index_id=snapshot.index_id)
        skipped = _shown_nowhere(rendered, tracks)
        if companions is not None:
            tree = build_with_companions(
                placements, companions, case_insensitive=naming.case_insensitive
            )
        else:
            tree = Tree.build(placements, case_insensitive=naming.case_insensitive)
        return cls(naming, tree, len(tracks), skipped)

    def changed(
        self, present: LibrarySnapshot, named: Collection[int], row_of: Callable[[int], int]
    ) -> Library:
        """Return the library after a change of the tracks in `named`.

        `present` holds those of them that still exist, and perhaps others; `row_of` gives each its
        row. Not for an album-wide naming: there a change may move other tracks too, so build the
        whole again. Covers, sidecars and playlists stay where they are until the next whole build.
        """
        tracks, tags = library_frames(present)
        if len(tracks) > len(named):
            tracks = tracks.filter(pl.col("track_id").is_in(list(named)))
        rows = pl.Series([row_of(track_id) for track_id in tracks["track_id"]], dtype=pl.Int32)
        placements = self.naming.place(tracks, tags, rows, present.index_id)
        existing = set(tracks["track_id"].to_list())
        hidden = existing.difference(placements["identity"].to_list())
        orders = [order_of(LeafKind.TRACK, track_id) for track_id in named]
        tree = self.tree.apply(orders, placements)
        skipped = self.skipped.difference(named) | hidden
        known = self._count_after(existing, set(named))
        return replace(self, tree=tree, tracks=known, skipped=frozenset(skipped))

    def _count_after(self, existing: set[int], named: set[int]) -> int:
        before = sum(track_id in self.skipped for track_id in named)
        before += self.tree.count_of(order_of(LeafKind.TRACK, track_id) for track_id in named)
        return self.tracks - before + len(existing)

    @property
    def counts(self) -> Counts:
        """Return what is shown."""
        return Counts(
            self.tree.file_count, self.tree.directory_count, self.tracks, len(self.skipped)
        )
