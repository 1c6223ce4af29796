"""Lyrics files beside tracks, from the tag `lyrics`."""

import polars as pl

from musefs.mount.tree.placement import PLACEMENT_SCHEMA, LeafKind


def plan_lyrics(
    placements: pl.DataFrame, tags: pl.DataFrame, taken: pl.Series
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the placements of `.lrc` files, and (track_id, text) by their rows.

    They are called as their track. A track whose name an earlier one has already asked for has
    none: its lyrics would stand beside the other one. `taken` are paths of files on the volume.
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
    first = tracks.sort("identity").unique("path", keep="first", maintain_order=True)
    planned = (
        first.join(texts, on="identity")
        .with_columns(pl.col("path").str.replace(r"\.[^./]*$", ".lrc"))
        .filter(~pl.col("path").is_in(taken.implode()))
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
    )
    plan = planned.select(pl.col("identity").alias("track_id"), "text")
    return leaves.select(PLACEMENT_SCHEMA.names()), plan


def lyrics_body(text: str) -> bytes:
    """Return the bytes of a lyrics file: lines end with a line feed, the last one too."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return (plain if plain.endswith("\n") else plain + "\n").encode("utf-8", "replace")
