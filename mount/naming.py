"""The naming of one mount: its views, compiled, and how tracks become placements.

A mount has either one template, whose paths begin at the root, or several views, each a folder at
the root. Views share tracks: a track is placed once in each, as one inode a place.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from musefs.index.errors import ConfigError
from musefs.mount.template.render import CompiledTemplate, NamingRules
from musefs.mount.tree.placement import PLACEMENT_SCHEMA, LeafKind

if TYPE_CHECKING:
    from musefs.index.read.snapshot import LibrarySnapshot
    from musefs.mount.plan import NamingPlan

_UNUSABLE_FOLDERS = frozenset(("", ".", ".."))


@dataclass(frozen=True, slots=True)
class View:
    """One template and the folder it fills; '' is the root itself."""

    folder: str
    template: CompiledTemplate


_VERSIONS_PER_TRACK: Final = 1 << 32
"""Room for the versions of one track beside its id; nobody edits a track four billion times."""


def library_frames(snapshot: LibrarySnapshot) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the tracks and tags of a loaded library as rendering takes them."""
    tags = snapshot.tags.rows.select(["track_id", "key", "ordinal", "value"])
    return pl.DataFrame(snapshot.tracks), pl.DataFrame(tags)


@dataclass(frozen=True, slots=True)
class Naming:
    """How tracks are named."""

    views: tuple[View, ...]
    case_insensitive: bool = False

    @classmethod
    def from_plan(cls, plan: NamingPlan) -> Self:
        """Compile every template of a plan; raises TemplateError or ConfigError."""
        rules = NamingRules(
            fallbacks=dict(plan.fallbacks),
            default_fallback=plan.default_fallback,
            skip_on_missing=plan.skip_on_missing,
            safe_names=plan.safe_names,
        )
        views = plan.views or (("", plan.template),)
        for folder, _ in plan.views:
            if folder in _UNUSABLE_FOLDERS or "/" in folder or "\0" in folder:
                raise ConfigError(f"a view cannot be named {folder!r}", hint="Use a plain name.")
        compiled = tuple(View(folder, CompiledTemplate(text, rules)) for folder, text in views)
        return cls(compiled, plan.case_insensitive)

    @property
    def tag_keys(self) -> frozenset[str]:
        """Keys of all tags that any view looks at."""
        return frozenset(key for view in self.views for key in view.template.tag_keys)

    @property
    def is_album_wide(self) -> bool:
        """Say whether a track's path may depend on other tracks: a change then renders all."""
        return any(view.template.is_album_wide for view in self.views)

    def render(self, tracks: pl.DataFrame, tags: pl.DataFrame) -> pl.DataFrame:
        """Return (view, row, path, missing, excluded); path is null where nothing is shown."""
        parts: list[pl.DataFrame] = []
        for view in self.views:
            rendered = view.template.render(tracks, tags)
            if view.folder:
                path = (pl.lit(view.folder + "/") + pl.col("path")).alias("path")
                rendered = rendered.with_columns(path)
            parts.append(rendered.with_columns(pl.lit(view.folder).alias("view")))
        return pl.concat(parts)

    def place(
        self,
        tracks: pl.DataFrame,
        tags: pl.DataFrame,
        rows: pl.Series | None = None,
        index_id: str = "",
    ) -> pl.DataFrame:
        """Return the placements of tracks; `rows` are theirs in the mount's columns, if others."""
        return placements_of(self.render(tracks, tags), tracks, rows, index_id)


def placements_of(
    rendered: pl.DataFrame,
    tracks: pl.DataFrame,
    rows: pl.Series | None = None,
    index_id: str = "",
) -> pl.DataFrame:
    """Return rendered paths as placements; what is not shown is left out."""
    shown = rendered.filter(pl.col("path").is_not_null())
    at = shown["row"]
    return pl.DataFrame(
        {
            "path": shown["path"],
            "kind": pl.repeat(int(LeafKind.TRACK), len(shown), dtype=pl.UInt8, eager=True),
            "identity": tracks["track_id"].gather(at),
            "row": at if rows is None else rows.gather(at).cast(pl.Int32),
            "version": _bytes_version(tracks, index_id).gather(at),
        },
        schema=PLACEMENT_SCHEMA,
    )


def _bytes_version(tracks: pl.DataFrame, index_id: str) -> pl.Series:
    """Return a number that no other bytes under the same name ever have.

    The content version alone is not it: when a track leaves a name, another of the same version
    may take it, and an index made anew counts its versions and tracks from 1 again. The kernel
    would then keep the pages of one file for the other.
    """
    seed = int.from_bytes(blake2b(index_id.encode(), digest_size=8).digest(), "little") >> 2
    of_track = tracks["track_id"] * _VERSIONS_PER_TRACK + tracks["content_version"]
    return of_track ^ seed
