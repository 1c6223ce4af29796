"""Names of companions that are called as their track, and what happens when one is taken.

A player finds lyrics by the track's name, so such a companion is never given a number: it has
exactly the name of its track with another ending, or it is not shown.
"""

from typing import Final

import polars as pl

from musefs.mount.tree.components import (
    MAX_COMPONENT_BYTES,
    normalise_paths,
    split_column,
)
from musefs.mount.tree.folding import fold_column
from musefs.mount.tree.placement import PLACEMENT_SCHEMA

WISH_SCHEMA: Final = pl.Schema([*PLACEMENT_SCHEMA.items(), ("owner", pl.Int64())])
"""Placements with the track_id whose name it must have; null for what may be numbered."""


def called_as_tracks(tracks: pl.DataFrame, extension: pl.Expr) -> pl.DataFrame:
    """Return the frame with the paths of tracks turned into those of files beside them."""
    # the tree cuts a long name before its own ending, which may be longer or shorter than this one
    shown = tracks.with_columns(normalise_paths(tracks["path"])).drop_nulls("path")
    return shown.with_columns(pl.col("path").str.replace(r"\.[^./]*$", "") + "." + extension)


def without_clashes(
    wishes: pl.DataFrame, *, case_insensitive: bool
) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Return those that follow a track, the others, and how many were left out.

    The track with the lower id goes before, then a file of the volume before what is made up.
    """
    once = ["kind", "identity", "path"]  # one file may follow two tracks of one name
    wishes = wishes.sort("owner", *once).unique(once, keep="first", maintain_order=True)
    key = fold_column(wishes["path"]) if case_insensitive else wishes["path"]
    keyed = wishes.with_columns(key.alias("key"))
    fits = split_column("path")[1].str.len_bytes() <= MAX_COMPONENT_BYTES
    own = (
        keyed.filter(pl.col("owner").is_not_null() & fits)
        .sort("owner", "kind", "identity", descending=[False, True, False])
        .unique("key", keep="first", maintain_order=True)
    )
    others = keyed.filter(pl.col("owner").is_null()).join(own, on="key", how="anti")
    dropped = len(keyed) - len(own) - len(others)
    return own.select(WISH_SCHEMA.names()), others.select(WISH_SCHEMA.names()), dropped
