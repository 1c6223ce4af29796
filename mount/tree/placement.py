"""What a tree is built from: one row a leaf, saying where it wants to be and what it stands for.

Rendering makes placements of tracks, the companion modules make those of covers, sidecars and
playlists. The tree knows a leaf by its kind and identity and never looks behind them.
"""

from enum import IntEnum
from typing import Final

import polars as pl


class LeafKind(IntEnum):
    """What a leaf stands for; in a contest for a name the lower kind wins."""

    TRACK = 0
    """identity is the track_id, row the position in the mount's track columns."""
    COVER = 1
    """identity is the track_id whose picture is shown, row its row in the cover plan."""
    LYRICS = 2
    """identity is the track_id, row its row in the lyrics plan."""
    SIDECAR = 3
    """identity is the entry_id of the file on the volume, row its row in the sidecar plan."""
    PLAYLIST = 4
    """identity is the entry_id of the playlist, row its row in the playlist plan."""
    METRICS = 5
    """identity and row are 0."""


PLACEMENT_SCHEMA: Final = pl.Schema(
    {
        "path": pl.String,
        "kind": pl.UInt8,
        "identity": pl.Int64,
        "row": pl.Int32,
        "version": pl.Int64,
    }
)
"""path: rendered, relative, '/' between components; null or empty: not shown.
version: another number for all other bytes that the path ever stands for; part of the inode."""

_KIND_SHIFT: Final = 56
"""Bits of an order that hold the identity; kinds lie above, so tracks come before all else."""

IDENTITY_MASK: Final = (1 << _KIND_SHIFT) - 1

DIRECTORY_ROW: Final = -1
"""The row of a node that is a directory."""


def order_of(kind: LeafKind, identity: int) -> int:
    """Return the rank of a leaf in a contest for a name: ascending track id, then extras."""
    return (int(kind) << _KIND_SHIFT) | identity


def order_expression() -> pl.Expr:
    """Return `order_of` over the columns of PLACEMENT_SCHEMA."""
    return (pl.col("kind").cast(pl.Int64) * (1 << _KIND_SHIFT) + pl.col("identity")).alias("order")


def kind_of(order: int) -> LeafKind:
    """Return the kind that an order was made from."""
    return LeafKind(order >> _KIND_SHIFT)
