"""Full paths of all folders, built level by level in columns: each is its parent's and its name.

A folder without a believable parent gets a path below `/$Orphans/`, in a folder named after the
reference that it holds, so that two lost folders of one name stay two.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from musefs.index.counters import Counter, degrade
from musefs.index.schema.enums import PathState
from musefs.index.schema.volume_tables import DIRECTORIES
from musefs.pipeline.ntfs.reference_number import ROOT_RECORD
from musefs.pipeline.parse.batches import AnyArray, enum_texts, numbers
from musefs.pipeline.parse.columns import Numbers
from musefs.pipeline.parse.folders import FolderRows, ParentCounts
from musefs.pipeline.resolve.tree import FolderTree, plant

_arrow: Any = pa
_compute: Any = pyarrow.compute
"""pyarrow where its stubs leave functions partly unknown."""

ORPHANS = "/$Orphans"
ORPHAN_DEPTH = 3
"""Depth of a lost folder: below $Orphans and the folder named after its reference."""


def join_folders(parts: list[FolderRows]) -> FolderRows:
    """Return the folders of all chunks as one."""

    def joined(column: str) -> Numbers:
        arrays = [getattr(part, column) for part in parts]
        return np.concatenate([np.zeros(0, np.int64), *arrays])

    names = pa.chunked_array([part.names for part in parts], pa.string()).combine_chunks()
    exact = pa.chunked_array([part.exact for part in parts], pa.binary()).combine_chunks()
    return FolderRows(
        entry_ids=joined("entry_ids"),
        record_numbers=joined("record_numbers"),
        sequences=joined("sequences"),
        in_use=joined("in_use"),
        attributes=joined("attributes"),
        parent_records=joined("parent_records"),
        parent_sequences=joined("parent_sequences"),
        names=names,
        exact=exact,
    )


def resolve_paths(
    parts: list[FolderRows], parents: list[ParentCounts], records: int
) -> pa.RecordBatch:
    """Return the batch for `directories`; counts names whose folder is lost.

    Both lists are emptied: at two million records what was joined need not stay twice.
    """
    folders = join_folders(parts)
    parts.clear()
    tree = plant(folders, parents, records)
    parents.clear()
    if tree.unresolved:
        words = "%d names are in a folder that is gone"
        degrade(Counter.UNRESOLVED_PARENTS, words, tree.unresolved, amount=tree.unresolved)
    paths = _build(folders, tree, folders.names)
    batch: pa.RecordBatch = _arrow.RecordBatch.from_arrays(
        [
            pa.array(folders.entry_ids),
            pa.array(folders.record_numbers),
            pa.array(tree.child_sequences.astype(np.int32)),
            _parent_ids(folders, tree),
            paths,
            _exact_paths(folders, tree, paths),
            _depths(folders, tree),
            pa.array(tree.hidden != 0),
            enum_texts(tree.states.astype(np.uint8), PathState),
        ],
        schema=DIRECTORIES.arrow_schema,
    )
    return batch


def _parent_ids(folders: FolderRows, tree: FolderTree) -> AnyArray:
    if not len(tree.parents):
        return pa.array([], pa.int64())
    lost = tree.parents < 0
    return pa.array(folders.entry_ids[np.where(lost, 0, tree.parents)], mask=lost)


def _depths(folders: FolderRows, tree: FolderTree) -> AnyArray:
    depths = np.zeros(len(tree.parents), np.int32)
    top = tree.parents < 0
    depths[top & (folders.record_numbers != ROOT_RECORD)] = ORPHAN_DEPTH
    for level in tree.levels[1:]:
        depths[level] = depths[tree.parents[level]] + 1
    return pa.array(depths)


def _places(values: Numbers) -> AnyArray:
    return numbers(pa.int64(), values)


def _top_paths(folders: FolderRows, top: Numbers, names: AnyArray) -> AnyArray:
    """Return the paths of folders without a parent: the root, and lost ones."""
    texts = [
        "/"
        if folders.record_numbers[place] == ROOT_RECORD
        else f"{ORPHANS}/{folders.parent_records[place]}-{folders.parent_sequences[place]}/"
        for place in top
    ]
    prefixes = pa.array(texts, pa.string()).cast(names.type)
    is_root: AnyArray = _arrow.array(folders.record_numbers[top] == ROOT_RECORD)
    below = _joined(prefixes, names.take(_places(top)))
    paths: AnyArray = _compute.if_else(is_root, prefixes, below)
    return paths


def _joined(prefixes: AnyArray, names: AnyArray) -> AnyArray:
    kind = names.type
    slash = pa.scalar("/", pa.string()).cast(kind)
    nothing = pa.scalar("", pa.string()).cast(kind)
    paths: AnyArray = _compute.binary_join_element_wise(prefixes, names, slash, nothing)
    return paths


def _build(folders: FolderRows, tree: FolderTree, names: AnyArray) -> AnyArray:
    """Return all paths in the order of the folders."""
    if not tree.levels:
        nothing: AnyArray = _arrow.array([], names.type)
        return nothing
    levels = [_top_paths(folders, tree.levels[0], names)]
    at = np.zeros(len(tree.parents), np.int64)
    at[tree.levels[0]] = np.arange(len(tree.levels[0]))
    for level in tree.levels[1:]:
        above = levels[-1].take(_places(at[tree.parents[level]]))
        levels.append(_joined(above, names.take(_places(level))))
        at[level] = np.arange(len(level))
    order = np.argsort(np.concatenate(tree.levels))
    paths: AnyArray = _arrow.concat_arrays(levels).take(_places(order))
    return paths


def _exact_paths(folders: FolderRows, tree: FolderTree, paths: AnyArray) -> AnyArray:
    """Return the paths' exact bytes where a name on the way is no Unicode."""
    if folders.exact.null_count == len(folders.exact):
        return pa.nulls(len(paths), pa.binary())
    names: AnyArray = _compute.coalesce(folders.exact, folders.names.cast(pa.binary()))
    exact = _build(folders, tree, names)
    same: AnyArray = _compute.equal(exact, paths.cast(pa.binary()))
    different: AnyArray = _compute.if_else(same, pa.scalar(None, pa.binary()), exact)
    return different
