"""A cover for each album folder, from the pictures of its tracks."""

from typing import Final

import polars as pl

from musefs.mount.tree.components import split_column
from musefs.mount.tree.placement import PLACEMENT_SCHEMA, LeafKind

_FRONT_COVER: Final = 3
_EXTENSIONS: Final = {
    "image/jpeg": "jpg",
    "image/jpg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/gif": "gif",
}

COVER_STEMS: Final = ("cover", "folder", "front")
"""Names under which programs look for a folder's picture."""


def best_pictures(art: pl.DataFrame) -> pl.DataFrame:
    """Return (track_id, ordinal, length, extension): its front cover, else the first."""
    mime = pl.col("mime").cast(pl.String).str.to_lowercase()
    usable = art.select(
        "track_id", "ordinal", "picture_type", "length",
        mime.replace_strict(_EXTENSIONS, default=None, return_dtype=pl.String).alias("extension"),
    ).filter((pl.col("length") > 0) & pl.col("extension").is_not_null())  # fmt: skip
    ordered = usable.sort("track_id", pl.col("picture_type") != _FRONT_COVER, "ordinal")
    best = ordered.unique("track_id", keep="first", maintain_order=True)
    return best.drop("picture_type")


def plan_covers(
    placements: pl.DataFrame, art: pl.DataFrame, tags: pl.DataFrame, taken: pl.Series
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the placements of covers, and (track_id, ordinal, length) by their rows.

    A folder has a cover if all of its tracks are of one album; the picture is that of the track
    with the lowest id. `taken` are folders that have a picture of their own already.
    """
    album = tags.filter(
        (pl.col("key").cast(pl.String) == "album") & (pl.col("ordinal") == 0)
    ).select(pl.col("track_id").alias("identity"), pl.col("value").alias("album"))
    folder = split_column("path")[0].alias("folder")
    tracks = placements.filter(pl.col("kind") == int(LeafKind.TRACK)).select(
        folder, "identity", "version"
    )
    single = (
        tracks.join(album, on="identity", how="left")
        .group_by("folder")
        .agg(pl.col("album").n_unique().alias("albums"), pl.col("album").null_count().alias("none"))
        .filter((pl.col("albums") == 1) & (pl.col("none") == 0) & (pl.col("folder") != ""))
    )
    pictures = best_pictures(art).rename({"track_id": "identity"})
    chosen = (
        tracks.join(single.select("folder"), on="folder", how="semi")
        .filter(~pl.col("folder").is_in(taken.implode()))
        .join(pictures, on="identity")
        .sort("folder", "identity")
        .unique("folder", keep="first", maintain_order=True)
        .with_row_index("row")
    )
    leaves = chosen.select(
        (pl.col("folder") + "/cover." + pl.col("extension")).alias("path"),
        pl.lit(int(LeafKind.COVER)).cast(pl.UInt8).alias("kind"),
        "identity",
        pl.col("row").cast(pl.Int32),
        "version",
    )
    plan = chosen.select(pl.col("identity").alias("track_id"), "ordinal", "length")
    return leaves.select(PLACEMENT_SCHEMA.names()), plan
