"""Sidecars: files that lie beside tracks on the volume and shall lie beside them in the tree.

A file with a track's own name follows that track and takes its new name. Any other follows the
folder: to where the folder's tracks are shown, or, if they are spread over subfolders (discs), to
the folder above these. Where tracks of one folder go to unrelated places, nobody could say which
of them a booklet belongs to, and it is not shown.
"""

from typing import Final

import polars as pl

from musefs.mount.companions.files import SIDECARS
from musefs.mount.companions.names import WISH_SCHEMA, called_as_tracks
from musefs.mount.tree.components import split_column
from musefs.mount.tree.folding import fold_column
from musefs.mount.tree.placement import LeafKind

_VERSION_RANGE: Final = 1 << 62
"""Versions are a function of size and time of the file; this keeps them positive."""


def _stem(column: str) -> pl.Expr:
    return _folded(pl.col(column).str.replace(r"\.[^./]*$", ""))


def _folded(texts: pl.Expr) -> pl.Expr:
    return texts.map_batches(fold_column, return_dtype=pl.String)


def plan_sidecars(
    placements: pl.DataFrame, tracks: pl.DataFrame, files: pl.DataFrame, *, views: bool = False
) -> pl.DataFrame:
    """Return the wishes of sidecars (WISH_SCHEMA); their row is that of `files` (FILE_SCHEMA).

    `tracks` has track_id and path. With `views` the first folder of each path is a view's.
    """
    files = files.with_row_index("row").filter(pl.col("extension").is_in(SIDECARS))
    homes = tracks.select(
        pl.col("track_id").alias("identity"),
        (split_column("path")[0] + "/").alias("folder"),
        _stem("path").alias("stem"),
    )
    shown = placements.filter(pl.col("kind") == int(LeafKind.TRACK)).select("identity", "path")
    shown = shown.join(homes, on="identity")
    keyed = files.with_columns((_folded(pl.col("folder")) + _stem("name")).alias("stem"))
    followed = shown.select("stem", "path", pl.col("identity").alias("owner"))
    own = called_as_tracks(keyed.join(followed, on="stem"), pl.col("extension"))
    rest = keyed.join(own.select("row"), on="row", how="anti")
    common = rest.join(_targets(shown, views=views), on="folder").with_columns(
        (pl.col("target") + "/" + pl.col("name")).alias("path"),
        pl.lit(None, dtype=pl.Int64).alias("owner"),
    )
    version = (pl.col("modified_raw") ^ pl.col("size").cast(pl.UInt64)) % _VERSION_RANGE
    leaves = pl.concat([own.select(sorted(own.columns)), common.select(sorted(own.columns))])
    return leaves.select(
        "path",
        pl.lit(int(LeafKind.SIDECAR)).cast(pl.UInt8).alias("kind"),
        pl.col("entry_id").alias("identity"),
        pl.col("row").cast(pl.Int32),
        version.cast(pl.Int64).alias("version"),
        "owner",
    ).select(WISH_SCHEMA.names())


def _targets(shown: pl.DataFrame, *, views: bool) -> pl.DataFrame:
    """Return (folder, target): where the files of a folder of the volume belong, per view."""
    at = shown.select("folder", split_column("path")[0].alias("target")).unique()
    view = pl.col("target").str.extract(r"^([^/]*)") if views else pl.lit("")
    at = at.with_columns(view.alias("view"), split_column("target")[0].alias("above"))
    grouped = at.group_by("folder", "view").agg(
        pl.col("target").first(),
        pl.col("above").first(),
        pl.len().alias("targets"),
        pl.col("above").n_unique().alias("aboves"),
    )
    target = (
        pl.when(pl.col("targets") == 1)
        .then(pl.col("target"))
        .when(pl.col("aboves") == 1)
        .then(pl.col("above"))
    )
    found = grouped.select("folder", "view", target.alias("target"))
    # not beside everything else at the root, nor at the root of a view
    return found.filter((pl.col("target") != "") & (pl.col("target") != pl.col("view"))).drop(
        "view"
    )
