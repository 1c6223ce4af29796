"""All companions of a library, planned in the order in which they give way to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from musefs.mount.companions.covers import COVER_STEMS, plan_covers
from musefs.mount.companions.files import IMAGES
from musefs.mount.companions.lyrics import plan_lyrics
from musefs.mount.companions.names import WISH_SCHEMA, without_clashes
from musefs.mount.companions.sidecars import plan_sidecars
from musefs.mount.tree.components import split_column
from musefs.mount.tree.placement import PLACEMENT_SCHEMA, order_expression

if TYPE_CHECKING:
    from musefs.mount.plan import ExtrasPlan


@dataclass(frozen=True, slots=True)
class CompanionPlan:
    """Leaves beside tracks, and by kind what the row of each stands for."""

    placements: pl.DataFrame
    covers: pl.DataFrame
    """(track_id, ordinal, length): a row of the art table."""
    lyrics: pl.DataFrame
    """(track_id, text)."""
    files: pl.DataFrame
    """FILE_SCHEMA; rows of sidecars."""
    followers: frozenset[int]
    """Orders of the leaves that must have the name of their track or none."""
    dropped: int
    """Companions that have no place because another one has their name."""


def plan_companions(
    placements: pl.DataFrame,
    tracks: pl.DataFrame,
    tags: pl.DataFrame,
    art: pl.DataFrame,
    files: pl.DataFrame,
    extras: ExtrasPlan,
    *,
    views: bool = False,
    case_insensitive: bool = False,
) -> CompanionPlan:
    """Plan everything that is switched on; a file on the volume comes before what is made up."""
    sidecars = lyrics = pl.DataFrame(schema=WISH_SCHEMA)
    covers = pl.DataFrame(schema=PLACEMENT_SCHEMA)
    texts = pl.DataFrame(schema={"track_id": pl.Int64, "text": pl.String})
    pictures = pl.DataFrame(schema={"track_id": pl.Int64, "ordinal": pl.Int32, "length": pl.Int64})
    if extras.sidecars:
        sidecars = plan_sidecars(placements, tracks, files, views=views)
        lyrics, texts = plan_lyrics(placements, tags, sidecars.select("path", "owner"))
    own, others, dropped = without_clashes(
        pl.concat([lyrics, sidecars]), case_insensitive=case_insensitive
    )
    if extras.covers:
        covers, pictures = plan_covers(placements, art, tags, _with_picture(sidecars))
    beside = pl.concat([own, others]).select(PLACEMENT_SCHEMA.names())
    followers = frozenset(own.select(order_expression()).to_series().to_list())
    leaves = pl.concat([covers, beside])
    return CompanionPlan(leaves, pictures, texts, files, followers, dropped)


def _with_picture(sidecars: pl.DataFrame) -> pl.Series:
    """Return the folders that a file on the volume gives a cover."""
    folder, name = split_column("path")
    stem = name.str.to_lowercase().str.extract(r"^(.*)\.([^.]*)$", 1)
    extension = name.str.to_lowercase().str.extract(r"\.([^.]*)$")
    pictures = sidecars.filter(stem.is_in(COVER_STEMS) & extension.is_in(IMAGES))
    return pictures.select(folder.alias("folder")).to_series()
