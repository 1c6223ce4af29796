"""Build the tree of tracks and companions, so that what follows a track has its name in the end.

Only the tree knows who gets a name that several tracks ask for. So companions are planned for the
names asked for, which nearly always are those given; where a track got another one, they are
planned once more for the names that are shown.
"""

from collections.abc import Callable

import polars as pl

from musefs.index.counters import Counter, degrade
from musefs.mount.companions.planning import CompanionPlan
from musefs.mount.tree.components import normalise_paths, split_column
from musefs.mount.tree.folding import fold_column
from musefs.mount.tree.placement import LeafKind
from musefs.mount.tree.tree import ROOT, Tree

Companions = Callable[[pl.DataFrame], CompanionPlan]
"""Given the placements of all tracks, what stands beside them; the last answer counts."""


def build_with_companions(
    placements: pl.DataFrame, companions: Companions, *, case_insensitive: bool
) -> Tree:
    """Return the tree of tracks (`placements`) and of their companions."""
    plan = companions(placements)
    tree = _built(placements, plan, case_insensitive=case_insensitive)
    if not plan.followers:
        return tree
    varied = _varied_tracks(tree)
    if len(varied):
        again = companions(_as_shown(placements, varied, case_insensitive=case_insensitive))
        if not again.placements.equals(plan.placements):
            tree = _built(placements, again, case_insensitive=case_insensitive)
        plan = again
    strays = _strays(tree, plan)
    if dropped := plan.dropped + len(strays):
        degrade(
            Counter.COMPANIONS_DROPPED,
            "%d lyrics or sidecars are not shown: the name of their track with their ending is "
            "taken",
            dropped,
            amount=dropped,
        )
    return tree.apply(strays, placements.clear()) if strays else tree


def _built(placements: pl.DataFrame, plan: CompanionPlan, *, case_insensitive: bool) -> Tree:
    return Tree.build(pl.concat([placements, plan.placements]), case_insensitive=case_insensitive)


def _varied_tracks(tree: Tree) -> pl.DataFrame:
    """Return (identity, path, shown): tracks whose name is not the one in the path asked for."""
    rows = [
        (tree.identity(node), _asked_path(tree, node), tree.name(node).decode())
        for node in tree.columns.rendered
        if tree.kind(node) is LeafKind.TRACK
    ]
    schema = {"identity": pl.Int64, "path": pl.String, "shown": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _asked_path(tree: Tree, node: int) -> str:
    parts: list[bytes] = []
    while node != ROOT:
        parts.append(tree.rendered_name(node))
        node = tree.parent(node)
    return b"/".join(reversed(parts)).decode()


def _as_shown(
    placements: pl.DataFrame, varied: pl.DataFrame, *, case_insensitive: bool
) -> pl.DataFrame:
    """Return the placements with the names that are shown, in the folders that were asked for.

    Folders keep what was asked for: the tree keeps together what asks for one folder.
    """
    concerned = pl.col("identity").is_in(varied["identity"].implode())
    others, part = placements.filter(~concerned), placements.filter(concerned)
    part = part.with_columns(
        normalise_paths(part["path"], case_insensitive=case_insensitive)
    ).drop_nulls("path")
    key = fold_column(part["path"]) if case_insensitive else part["path"]
    asked = varied.select(
        "identity",
        fold_column(varied["path"]).alias("key")
        if case_insensitive
        else pl.col("path").alias("key"),
        "shown",
    )
    folder, leaf = split_column("path")
    joined = part.with_columns(key.alias("key")).join(asked, on=["identity", "key"], how="left")
    prefix = pl.when(folder == "").then(pl.lit("")).otherwise(folder + "/")
    named = joined.with_columns((prefix + pl.coalesce("shown", leaf)).alias("path"))
    return pl.concat([others, named.select(others.columns)])


def _strays(tree: Tree, plan: CompanionPlan) -> set[int]:
    """Return the orders of followers that got a number: a folder or a common file has the name."""
    orders = {tree.order(node) for node in tree.columns.rendered if not tree.is_directory(node)}
    return orders & plan.followers
