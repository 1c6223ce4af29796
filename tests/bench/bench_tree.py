"""Rendering and the tree: from loaded columns to ready, one edit, and what a node costs.

    python tests/bench/bench_tree.py [--json FILE] [--tracks N]

The baseline is a plain dictionary of the same paths, which can do nothing but hold them.
"""

import argparse
import json
import random
import sys
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parent))
from timing import time_call

from musefs.mount.naming import Naming, placements_of
from musefs.mount.plan import NamingPlan
from musefs.mount.tree.difference import difference
from musefs.mount.tree.placement import LeafKind, order_of
from musefs.mount.tree.tree import Tree

TEMPLATES = {
    "default": "$albumartist/$album/$title",
    "functions": "${albumartist:initial}/$albumartist/[$year - ]$album/"
    "[${if:multidisc}Disc $disc/][${track:02} - ]$title",
}


def make_library(count: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return tracks and tags: ten tracks an album, ten albums an artist, two in a hundred clash."""
    number = pl.col("track_id")
    tracks = pl.DataFrame({"track_id": pl.int_range(1, count + 1, eager=True)}).with_columns(
        path=pl.format("/Music/rips/folder {}/file {}.flac", number // 10, number),
        format=pl.lit("flac"),
        content_version=pl.lit(1, dtype=pl.Int64),
    )
    title = (
        pl.when(number % 50 == 0)
        .then(pl.lit("Intro"))
        .otherwise(pl.format("A Song of Medium Length {}", number))
    )
    values = {
        "album": pl.format("The Album Number {}", number // 10),
        "albumartist": pl.format("The Artist {}", number // 100),
        "title": pl.when(number % 50 == 1).then(pl.lit("Intro")).otherwise(title),
        "date": (1960 + number // 10 % 60).cast(pl.String),
        "tracknumber": (number % 10 + 1).cast(pl.String),
        "discnumber": pl.lit("1"),
    }
    tags = [
        tracks.select("track_id", key=pl.lit(key), ordinal=pl.lit(0, pl.Int32), value=value)
        for key, value in values.items()
    ]
    return tracks, pl.concat(tags).sort("track_id", "key")


def measure(count: int) -> dict[str, dict[str, float | int | None]]:
    """Measure and print."""
    tracks, tags = make_library(count)
    results: dict[str, dict[str, float | int | None]] = {}

    def row(name: str, timing: object, note: str = "") -> None:
        print(f"  {name:<34}{timing.text()}  {note}")  # type: ignore[attr-defined]
        results[name] = timing.as_dict()  # type: ignore[attr-defined]

    print(f"{count} tracks, {len(tags)} tags")
    for name, template in TEMPLATES.items():
        naming = Naming.from_plan(NamingPlan(template))
        row(f"render, {name}", time_call(lambda n=naming: n.render(tracks, tags), runs=3))
    naming = Naming.from_plan(NamingPlan(TEMPLATES["default"]))
    placements = placements_of(naming.render(tracks, tags), tracks)
    paths = placements["path"]
    row("dictionary of the paths", time_call(lambda: dict.fromkeys(paths.to_list()), runs=3))
    tree = Tree.build(placements)
    per_track = tree.nbytes / count
    row("build the tree", time_call(lambda: Tree.build(placements), runs=3),
        f"{per_track:.0f} bytes a track")  # fmt: skip
    results["bytes a track"] = {"median": per_track}
    whole = time_call(
        lambda: Tree.build(placements_of(naming.render(tracks, tags), tracks)), runs=3
    )
    row("from columns to ready", whole)
    middle = count // 2
    edited = placements[middle : middle + 1].with_columns(version=pl.lit(2, pl.Int64))
    order = order_of(LeafKind.TRACK, int(edited["identity"][0]))
    row("one edited track", time_call(lambda: tree.apply([order], edited), runs=5))
    changed = tree.apply([order], edited)
    row("difference after it", time_call(lambda: difference(tree, changed), runs=5))
    chosen = random.Random(7).sample(range(tree.node_count), 10_000)
    pairs = [(tree.parent(node), tree.name(node)) for node in chosen if node]
    row("10 000 lookups", time_call(lambda: [tree.lookup(p, n) for p, n in pairs], runs=3))
    inodes = [tree.inode(node) for node in chosen]
    row("10 000 nodes by inode", time_call(lambda: [tree.node_of(i) for i in inodes], runs=3))
    return results


def main() -> None:
    """Print the table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tracks", type=int, default=1_000_000)
    arguments = parser.parse_args()
    results = measure(arguments.tracks)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
