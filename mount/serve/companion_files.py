"""Serving what stands beside tracks: covers, lyrics, sidecars and playlists.

`musefs.mount.companions` plans which there are and where; here each gets its size, its time and
its layout. One of these belongs to one whole build of the library and to the snapshot of it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from musefs.index.backing.content import ContentKind, ContentRef, Stamp
from musefs.index.errors import ContentError, MediaFormatError
from musefs.index.read.snapshot import LibrarySnapshot
from musefs.mount.companions.files import FILE_SCHEMA, PLAYLISTS
from musefs.mount.companions.lyrics import lyrics_body
from musefs.mount.companions.planning import CompanionPlan, plan_companions
from musefs.mount.companions.playlists import (
    MAX_PLAYLIST_BYTES,
    PlaylistLine,
    parse_playlist,
    plan_playlist,
    served_paths,
    write_playlist,
)
from musefs.mount.formats.from_index import track_source
from musefs.mount.formats.layout import make_layout, plain_layout
from musefs.mount.formats.segments import Generated
from musefs.mount.library import Library
from musefs.mount.naming import library_frames
from musefs.mount.plan import ExtrasPlan, NamingPlan
from musefs.mount.serve.generation import Served
from musefs.mount.serve.originals import original_of
from musefs.mount.tree.placement import PLACEMENT_SCHEMA, LeafKind

_FILETIME_OF_1970 = 116_444_736_000_000_000
_ART_COLUMNS = ("track_id", "ordinal", "picture_type", "mime", "length")

ReadWhole = Callable[[ContentRef], bytes]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class CompanionFiles:
    """The companions of one whole build."""

    snapshot: LibrarySnapshot
    compares_inodes: bool
    plan: CompanionPlan | None = None
    _lyrics: list[bytes] = field(default_factory=list[bytes])
    _playlists: list[bytes] = field(default_factory=list[bytes])
    _files: list[dict[str, object]] = field(default_factory=list[dict[str, object]])

    def place(
        self, placements: pl.DataFrame, files: pl.DataFrame, extras: ExtrasPlan, naming: NamingPlan
    ) -> CompanionPlan:
        """Plan companions for placed tracks; the plan made last is the one that is served."""
        tracks, tags = library_frames(self.snapshot)
        art = pl.DataFrame(self.snapshot.art.rows.select(_ART_COLUMNS))
        plan = plan_companions(
            placements, tracks, tags, art, files, extras,
            views=bool(naming.views), case_insensitive=naming.case_insensitive,
        )  # fmt: skip
        self.plan = plan
        self._lyrics = [lyrics_body(text) for text in plan.lyrics["text"]]
        self._files = plan.files.to_dicts()
        return plan

    def add_playlists(self, library: Library, read: ReadWhole) -> Library:
        """Return the library with the volume's playlists, rewritten to its paths."""
        found: list[tuple[dict[str, object], list[PlaylistLine]]] = []
        for file in self._files:
            if file["extension"] in PLAYLISTS and int(str(file["size"])) <= MAX_PLAYLIST_BYTES:
                try:
                    data = read(_reference(file))
                except ContentError as error:
                    _log.info("a playlist is left out: %s", error)
                    continue
                found.append((file, parse_playlist(data, str(file["folder"]))))
        targets = {line.target for _, lines in found for line in lines if line.target}
        if not targets:
            return library
        tracks, _ = library_frames(self.snapshot)
        served = served_paths(library.tree, tracks, targets)
        rows: list[tuple[str, int, int, int, int]] = []
        for file, lines in found:
            body, dropped = write_playlist(lines, served)
            if dropped:
                _log.info("%d entries of %s lead to no served track", dropped, file["name"])
            row = len(self._playlists)
            rows.append(plan_playlist(str(file["name"]), int(str(file["entry_id"])), row, body))
            self._playlists.append(body)
        placements = pl.DataFrame(rows, schema=PLACEMENT_SCHEMA, orient="row")
        return replace(library, tree=library.tree.apply([], placements))

    # what the generation asks

    def size(self, kind: LeafKind, row: int) -> int:
        """Return the size of a leaf."""
        if kind is LeafKind.COVER:
            return int(self._cover(row)[2])
        if kind is LeafKind.LYRICS:
            return len(self._lyrics[row])
        if kind is LeafKind.PLAYLIST:
            return len(self._playlists[row])
        return int(str(self._files[row]["size"]))

    def mtime_ns(self, kind: LeafKind, row: int) -> int:
        """Return the time of a leaf; 0 shows the start of the mount."""
        if kind is LeafKind.SIDECAR:
            return _modified_ns(self._files[row])
        return 0

    def served(self, kind: LeafKind, row: int) -> Served:
        """Return what a leaf consists of."""
        if kind is LeafKind.COVER:
            return self._served_cover(row)
        if kind is LeafKind.LYRICS:
            return _generated(self._lyrics[row])
        if kind is LeafKind.PLAYLIST:
            return _generated(self._playlists[row])
        reference = _reference(self._files[row])
        return Served(plain_layout(reference.stamp.size), reference)

    def _cover(self, row: int) -> tuple[int, int, int]:
        if self.plan is None:
            raise MediaFormatError("no cover is planned")
        track_id, ordinal, length = self.plan.covers.row(row)
        return track_id, ordinal, length

    def _served_cover(self, row: int) -> Served:
        track_id, ordinal, _ = self._cover(row)
        position = self.snapshot.position(track_id)
        if position is None:
            raise MediaFormatError(f"the track {track_id} of a cover is gone")
        (ordinals,) = self.snapshot.art.values(position, ("ordinal",))
        source = track_source(self.snapshot, position)
        picture = source.pictures[ordinals.index(ordinal)]
        original = original_of(self.snapshot, position, compares_inodes=self.compares_inodes)
        return Served(make_layout(picture.segments(), source.size), original)


def without_files() -> pl.DataFrame:
    """Return the table of a volume without sidecars and playlists."""
    return pl.DataFrame(schema=FILE_SCHEMA)


def _generated(body: bytes) -> Served:
    return Served(make_layout((Generated(body),), 0), None)


def _modified_ns(file: dict[str, object]) -> int:
    return (int(str(file["modified_raw"])) - _FILETIME_OF_1970) * 100


def _reference(file: dict[str, object]) -> ContentRef:
    path = file["path_bytes"]
    exact = path if isinstance(path, bytes) else b""
    return ContentRef(
        path=exact if exact.startswith(b"/") else b"/" + exact,
        record_number=int(str(file["record_number"])),
        sequence=int(str(file["sequence"])),
        stamp=Stamp(int(str(file["size"])), _modified_ns(file), lsn=int(str(file["lsn"]))),
        **_where(file),
    )


def _where(file: dict[str, Any]) -> dict[str, Any]:
    """Return what only reading the volume itself needs."""
    if file["kind"] is None:
        return {}
    return {
        "kind": ContentKind(file["kind"]),
        "valid_size": file["valid_size"],
        "unit_clusters": file["unit_clusters"],
        "resident": file["resident"],
        "runs": tuple((run["offset"], run["length"]) for run in file["runs"] or ()),
    }
