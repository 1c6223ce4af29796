"""List a whole tree as columns: every leaf with the path that it asked for."""

from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from musefs.mount.tree.columns import TreeColumns
from musefs.mount.tree.overlay import Overlay
from musefs.mount.tree.placement import IDENTITY_MASK, PLACEMENT_SCHEMA

_KIND_SIZE: Final = IDENTITY_MASK + 1
_NODE_SCHEMA: Final = pl.Schema(
    {
        "node": pl.Int64,
        "parent": pl.Int64,
        "name": pl.String,
        "row": pl.Int32,
        "order": pl.Int64,
        "version": pl.Int64,
    }
)


def _column_nodes(columns: TreeColumns) -> pl.DataFrame:
    offsets = pa.py_buffer(columns.name_ends.astype(np.int64).tobytes())
    count = columns.node_count
    names = pl.Series(
        pa.Array.from_buffers(
            pa.large_string(), count, [None, offsets, pa.py_buffer(columns.names)]
        ),
        dtype=pl.String,
    )
    if columns.rendered:
        nodes = pl.Series(list(columns.rendered), dtype=pl.UInt32)
        asked = pl.Series([name.decode() for name in columns.rendered.values()])
        names = names.scatter(nodes, asked)
    return pl.DataFrame(
        {
            "node": pl.int_range(count, eager=True),
            "parent": columns.parents,
            "name": names,
            "row": columns.rows,
            "order": columns.orders,
            "version": columns.versions,
        },
        schema_overrides=_NODE_SCHEMA,
    )


def _live_nodes(columns: TreeColumns, overlay: Overlay) -> pl.DataFrame:
    nodes = _column_nodes(columns)
    changed = pl.Series(sorted({*overlay.gone, *overlay.nodes}), dtype=pl.Int64)
    if not len(changed):
        return nodes
    rows = [
        (node, r.parent, r.rendered.decode(), r.row, r.order, r.version)
        for node, r in overlay.nodes.items()
    ]
    own = pl.DataFrame(rows, schema=_NODE_SCHEMA, orient="row")
    return pl.concat([nodes.filter(~pl.col("node").is_in(changed.implode())), own])


def all_leaves(columns: TreeColumns, overlay: Overlay) -> pl.DataFrame:
    """Return the leaves as placements, level by level."""
    nodes = _live_nodes(columns, overlay).filter(pl.col("node") != 0)
    level = pl.DataFrame({"parent": [0], "prefix": [""]}, schema_overrides={"parent": pl.Int64})
    leaves = [pl.DataFrame(schema=PLACEMENT_SCHEMA)]
    while len(level):
        below = nodes.join(level, on="parent").with_columns(
            (pl.col("prefix") + pl.col("name")).alias("path")
        )
        leaves.append(
            below.filter(pl.col("row") >= 0).select(
                "path",
                (pl.col("order") // _KIND_SIZE).cast(pl.UInt8).alias("kind"),
                (pl.col("order") % _KIND_SIZE).alias("identity"),
                "row",
                "version",
            )
        )
        level = below.filter(pl.col("row") < 0).select(
            pl.col("node").alias("parent"), (pl.col("path") + "/").alias("prefix")
        )
    return pl.concat(leaves)
