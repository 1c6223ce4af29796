"""Build the columns of a tree from placements, in whole-column steps.

Split each path into folder and leaf; make the folders level by level; give every folder an index
that is ascending by depth; sort everything by (folder, name). Equal neighbours are then exactly
the contests for a name, and only those are settled one by one.
"""

from itertools import groupby, pairwise
from operator import itemgetter
from typing import Final

import numpy as np
import polars as pl

from musefs.mount.tree.columns import Int32s, Int64s, TreeColumns
from musefs.mount.tree.components import normalise_paths, split_column
from musefs.mount.tree.folding import fold_column
from musefs.mount.tree.inodes import (
    INODE_BITS,
    ROOT_INODE,
    Words,
    inode_column,
    inode_of,
    name_hashes,
    path_hashes,
    root_path_hash,
    settle_clashes,
)
from musefs.mount.tree.naming import LOOKS_SUFFIXED, Wish, assign_names
from musefs.mount.tree.placement import LeafKind, order_expression

_NO_DIRECTORY: Final = -1
_ROOT_ORDER: Final = 0


def _leaves(placements: pl.DataFrame, *, case_insensitive: bool) -> pl.DataFrame:
    """Return shown placements as (folder, folder_key, name, order, row, version)."""
    path = normalise_paths(placements["path"], case_insensitive=case_insensitive)
    ours = (placements["kind"] == int(LeafKind.METRICS)).arg_true()
    if len(ours):  # the only leaf with a right to the reserved name
        path = path.clone().scatter(ours, placements["path"].gather(ours))
    frame = placements.with_columns(path, order_expression())
    if path.null_count() or (path.str.len_bytes() == 0).any():
        frame = frame.filter(pl.col("path").str.len_bytes() > 0)
    if frame["order"].n_unique() < len(frame):  # a track in several places may want one twice
        frame = frame.unique(["order", "path"], keep="first", maintain_order=True)
    folder, leaf = split_column("path")
    frame = frame.select(folder.alias("folder"), leaf.alias("name"), "order", "row", "version")
    key = fold_column(frame["folder"]) if case_insensitive else frame["folder"]
    return frame.with_columns(key.alias("folder_key"))


def _merge(frame: pl.DataFrame, *, case_insensitive: bool) -> pl.DataFrame:
    """Make one row a folder; its order is the lowest in it, it is spelled as the lowest spells it.

    The spelling itself breaks the tie of one track that is placed twice.
    """
    if not case_insensitive:
        lowest = frame.group_by("folder_key").agg(pl.col("order").min())
        return lowest.select("folder_key", pl.col("folder_key").alias("folder"), "order")
    spelled = pl.col("folder").sort_by("order", "folder").first()
    return frame.group_by("folder_key").agg(spelled, pl.col("order").min())


def _folders(leaves: pl.DataFrame, *, case_insensitive: bool) -> list[pl.DataFrame]:
    """Return (folder_key, folder, order) by depth, ancestors included; the root is not."""
    own = leaves.lazy().filter(pl.col("folder") != "").select("folder_key", "folder", "order")
    direct = _merge(own.collect(), case_insensitive=case_insensitive).with_columns(
        pl.col("folder").str.count_matches("/", literal=True).alias("depth")
    )
    by_depth = {int(str(key[0])): part for key, part in direct.group_by("depth")}
    levels: list[pl.DataFrame] = []
    below: pl.DataFrame | None = None
    for depth in range(max(by_depth, default=-1), -1, -1):
        level = by_depth.get(depth, direct.clear()).drop("depth")
        if below is not None:
            parent = split_column("folder")[0].alias("folder")
            up = below.select("folder_key", parent, "order")
            key = fold_column(up["folder"]) if case_insensitive else up["folder"]
            up = up.with_columns(key.alias("folder_key")).select(level.columns)
            level = _merge(pl.concat([level, up]), case_insensitive=case_insensitive)
        levels.append(level)
        below = level
    return levels[::-1]


def _index_folders(levels: list[pl.DataFrame], *, case_insensitive: bool) -> pl.DataFrame:
    """Return folders as (folder_key, name, order, parent, index); the root has index 0."""
    known = pl.DataFrame(
        {"folder_key": [""], "index": [0]}, schema={"folder_key": pl.String, "index": pl.Int32}
    )
    indexed: list[pl.DataFrame] = []
    first = 1
    for level in levels:
        parent_folder, name = split_column("folder")
        frame = level.with_columns(parent_folder.alias("parent_key"), name.alias("name"))
        if case_insensitive:
            frame = frame.with_columns(fold_column(frame["parent_key"]))
        frame = frame.join(
            known.rename({"folder_key": "parent_key", "index": "parent"}), on="parent_key"
        ).sort("parent", "name")
        index = pl.int_range(first, first + len(frame), dtype=pl.Int32).alias("index")
        frame = frame.select("folder_key", "name", "order", "parent", index)
        first += len(frame)
        known = frame.select("folder_key", "index")
        indexed.append(frame)
    schema = {"folder_key": pl.String, "name": pl.String, "order": pl.Int64}
    empty = pl.DataFrame(schema=schema | {"parent": pl.Int32, "index": pl.Int32})
    return pl.concat([empty, *indexed])


def _nodes(leaves: pl.DataFrame, folders: pl.DataFrame) -> pl.DataFrame:
    """Return all nodes but the root, sorted by (parent folder, name, order)."""
    root = pl.DataFrame(
        {"folder_key": [""], "parent": [0]}, schema={"folder_key": pl.String, "parent": pl.Int32}
    )
    places = pl.concat([root, folders.select("folder_key", pl.col("index").alias("parent"))])
    files = leaves.join(places, on="folder_key", how="left").select(
        "parent", "name", "order", "row", "version"
    )
    directories = folders.select(
        "parent",
        "name",
        "order",
        (-1 - pl.col("index")).alias("row"),
        pl.lit(0, dtype=pl.Int64).alias("version"),
    )
    return pl.concat([files, directories]).sort("parent", "name", "order", "row")


def _settle_names(
    nodes: pl.DataFrame, *, case_insensitive: bool
) -> tuple[pl.DataFrame, dict[int, bytes]]:
    """Give contested names away; return the nodes in final order and what varied ones asked for."""
    key = fold_column(nodes["name"]) if case_insensitive else nodes["name"]
    keyed = nodes.with_columns(key.alias("key"))
    if case_insensitive:
        contested = keyed.select("parent", "key").is_duplicated()
    else:
        same = (pl.col("parent") == pl.col("parent").shift(-1)) & (
            pl.col("key") == pl.col("key").shift(-1)
        )
        contested = keyed.select((same | same.shift(1)).fill_null(value=False)).to_series()
    if not contested.any():
        return nodes, {}
    parents = keyed.filter(contested)["parent"].unique()
    dirty = keyed["parent"].is_in(parents.implode())
    concerned = (contested | (dirty & keyed["name"].str.contains(LOOKS_SUFFIXED))).arg_true()
    varied = _vary(keyed, concerned, case_insensitive=case_insensitive)
    if not varied:
        return nodes, {}
    return _reorder(nodes, dirty.arg_true(), varied)


def _vary(keyed: pl.DataFrame, concerned: pl.Series, *, case_insensitive: bool) -> dict[int, str]:
    """Return new names by position."""
    rows = keyed[concerned].select("parent", "order", "row", "name").with_columns(at=concerned)
    varied: dict[int, str] = {}
    # rows are in order of folders already
    for _, group in groupby(rows.iter_rows(), key=itemgetter(0)):
        wishes = [Wish(order, row >= 0, name.encode(), at) for _, order, row, name, at in group]
        names = assign_names(wishes, case_insensitive=case_insensitive)
        varied.update((at, name.decode()) for at, name in names.items())
    return varied


def _reorder(
    nodes: pl.DataFrame, dirty: pl.Series, varied: dict[int, str]
) -> tuple[pl.DataFrame, dict[int, bytes]]:
    """Put the new names in and sort again, but only the folders that were concerned."""
    positions = pl.Series(list(varied), dtype=pl.UInt32)
    asked = nodes["name"].alias("asked")
    name = nodes["name"].clone().scatter(positions, pl.Series(list(varied.values())))
    renamed = nodes.with_columns(name, asked)
    part = renamed[dirty].sort("parent", "name")
    source = np.arange(len(renamed), dtype=np.int64)
    places = dirty.to_numpy()
    order = renamed[dirty].select("parent", "name").with_row_index("at").sort("parent", "name")
    source[places] = places[order["at"].to_numpy()]
    settled = renamed[pl.Series(source)]
    other = part.with_columns(at=dirty).filter(pl.col("name") != pl.col("asked"))
    texts: dict[str, bytes] = {}
    rendered = {
        at + 1: texts.setdefault(text, text.encode())
        for at, text in other.select("at", "asked").iter_rows()
    }
    return settled.drop("asked"), rendered


def _blob(names: pl.Series) -> tuple[bytes, Int64s]:
    """Return names as one piece of bytes and where each node's ends, the root's empty one first."""
    lengths = names.str.len_bytes().cast(pl.Int64).to_numpy()
    ends = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
    joined: str = names.str.join("").item()
    return joined.encode(), ends


def _path_hashes(
    names: Words, parent_index: Int32s, rows: Int32s, depth_starts: list[int]
) -> Words:
    """Return each node's path hash; folders first, level by level, then everything."""
    directory_nodes = np.flatnonzero(rows < 0)
    index_of = -1 - rows[directory_nodes]
    node_of_index = np.empty(len(directory_nodes), dtype=np.int64)
    node_of_index[index_of] = directory_nodes
    hashes = np.full(len(directory_nodes), root_path_hash(), dtype=np.uint64)
    for start, end in pairwise(depth_starts):
        nodes = node_of_index[start:end]
        hashes[start:end] = path_hashes(hashes[parent_index[nodes]], names[nodes])
    everything = path_hashes(hashes[parent_index], names)
    everything[0] = root_path_hash()
    return everything


def build_columns(
    placements: pl.DataFrame, *, case_insensitive: bool = False, inode_bits: int = INODE_BITS
) -> TreeColumns:
    """Build a tree; the result depends on the set of placements only, not on their order."""
    leaves = _leaves(placements, case_insensitive=case_insensitive)
    levels = _folders(leaves, case_insensitive=case_insensitive)
    folders = _index_folders(levels, case_insensitive=case_insensitive)
    depth_starts = [1]
    for level in levels:
        depth_starts.append(depth_starts[-1] + len(level))
    nodes = _nodes(leaves, folders)
    del leaves
    nodes, rendered = _settle_names(nodes, case_insensitive=case_insensitive)
    return _Assembly(nodes, depth_starts, inode_bits).columns(
        rendered, case_insensitive=case_insensitive
    )


class _Assembly:
    """The last step: sorted nodes become arrays."""

    def __init__(self, nodes: pl.DataFrame, depth_starts: list[int], inode_bits: int) -> None:
        self._nodes = nodes
        self._bits = inode_bits
        self._blob, self._ends = _blob(nodes["name"])
        self._rows = self._with_root("row", _NO_DIRECTORY).astype(np.int32)
        self._parent_index = self._with_root("parent", 0).astype(np.int32)
        self._versions = self._with_root("version", 0)
        self._parents = self._parent_nodes()
        hashed = name_hashes(self._blob, self._ends)
        self._hashes = _path_hashes(hashed, self._parent_index, self._rows, depth_starts)

    def _with_root(self, column: str, root: int) -> Int64s:
        values = self._nodes[column].to_numpy()
        return np.concatenate((np.array([root], dtype=np.int64), values.astype(np.int64)))

    def _parent_nodes(self) -> Int32s:
        directories = np.flatnonzero(self._rows < 0).astype(np.int32)
        node_of_index = np.empty(len(directories), dtype=np.int32)
        node_of_index[-1 - self._rows[directories]] = directories
        return node_of_index[self._parent_index]

    def columns(self, rendered: dict[int, bytes], *, case_insensitive: bool) -> TreeColumns:
        """Assemble the arrays."""
        inodes = inode_column(self._hashes, self._versions, self._rows >= 0, self._bits)
        inodes[0] = ROOT_INODE
        clashes, by_inode = settle_clashes(inodes, self._path, self._inode)
        directories = int(np.count_nonzero(self._rows < 0))
        counts = np.bincount(self._parent_index[1:], minlength=directories)
        first_child = np.concatenate((np.array([1]), 1 + np.cumsum(counts))).astype(np.int32)
        ends = np.concatenate((np.zeros(1, np.int64), self._ends))
        return TreeColumns(
            names=self._blob,
            name_ends=ends.astype(np.uint32),
            parents=self._parents,
            rows=self._rows,
            orders=self._with_root("order", _ROOT_ORDER),
            inodes=inodes,
            versions=self._versions,
            by_inode=by_inode,
            first_child=first_child,
            by_key=self._by_key() if case_insensitive else None,
            rendered=rendered,
            clashes=clashes,
        )

    def _by_key(self) -> Int32s:
        key = fold_column(self._nodes["name"]).alias("key")
        keyed = self._nodes.select("parent", key).with_row_index("node", offset=1)
        order = keyed.sort("parent", pl.col("key").cast(pl.Binary))["node"].to_numpy()
        return np.concatenate((np.zeros(1, np.int32), order.astype(np.int32)))

    def _path(self, node: int) -> bytes:
        parts: list[bytes] = []
        while node:
            parts.append(self._blob[self._ends[node - 1] : self._ends[node]])
            node = int(self._parents[node])
        return b"/".join(reversed(parts))

    def _inode(self, node: int, attempt: int) -> int:
        version = int(self._versions[node]) if self._rows[node] >= 0 else None
        return inode_of(int(self._hashes[node]), version, attempt, self._bits)
