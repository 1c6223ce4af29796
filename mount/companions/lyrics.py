"""Lyrics files beside tracks, from the tag `lyrics`."""

import polars as pl

from musefs.mount.companions.names import WISH_SCHEMA, called_as_tracks
from musefs.mount.tree.placement import LeafKind


def plan_lyrics(
    placements: pl.DataFrame, tags: pl.DataFrame, taken: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the wishes of `.lrc` files, and (track_id, text) by their rows.

    They are called as their track. `taken` are (path, owner) of files on the volume that follow
    a track: these come before what its tag says.
    """
    key = pl.col("key").cast(pl.String)
    texts = (
        tags.filter(((key == "lyrics") | key.str.starts_with("lyrics:")) & (pl.col("value") != ""))
        .select(pl.col("track_id").alias("identity"), key, "ordinal", pl.col("value").alias("text"))
        .sort("identity", "key", "ordinal")
        .unique("identity", keep="first", maintain_order=True)
        .select("identity", "text")
    )
    tracks = placements.filter(pl.col("kind") == int(LeafKind.TRACK))
    planned = (
        called_as_tracks(tracks.join(texts, on="identity"), pl.lit("lrc"))
        .join(taken, left_on=("path", "identity"), right_on=("path", "owner"), how="anti")
        .sort("identity", "path")
        .drop("row")
        .with_row_index("row")
    )
    leaves = planned.select(
        "path",
        pl.lit(int(LeafKind.LYRICS)).cast(pl.UInt8).alias("kind"),
        "identity",
        pl.col("row").cast(pl.Int32),
        "version",
        pl.col("identity").alias("owner"),
    )
    plan = planned.select(pl.col("identity").alias("track_id"), "text")
    return leaves.select(WISH_SCHEMA.names()), plan


def lyrics_body(text: str) -> bytes:
    """Return the bytes of a lyrics file: lines end with a line feed, the last one too."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return (plain if plain.endswith("\n") else plain + "\n").encode("utf-8", "replace")
