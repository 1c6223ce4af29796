"""Run lists: where the clusters of an extent lie.

The running cluster number starts at 0 in every extent; carrying it over from the one before is a
classic mistake. Holes are not checked against the volume: one may be longer than the disk.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from musefs.pipeline.ntfs.attribute import Extent
from musefs.pipeline.ntfs.integers import Bytes

MAX_VCN = 1 << 41
"""Clusters that a file could have at most: past what NTFS allows, and 64 bits hold its bytes."""


class RunListError(ValueError):
    """A run list that cannot be true."""


@dataclass(frozen=True, slots=True)
class Run:
    """Successive clusters; `lcn` is None for a hole."""

    lcn: int | None
    clusters: int


def decode_runs(data: Bytes, volume_clusters: int) -> Iterator[Run]:
    """Yield the runs of one extent; raises RunListError where the list cannot be true."""
    at, lcn, total = 0, 0, 0
    while at < len(data) and data[at]:
        length_bytes, offset_bytes = data[at] & 15, data[at] >> 4
        end = at + 1 + length_bytes + offset_bytes
        if not 1 <= length_bytes <= 8 or offset_bytes > 8 or end > len(data):
            raise RunListError("a run does not fit into the list")
        clusters = int.from_bytes(data[at + 1 : at + 1 + length_bytes], "little", signed=True)
        total += clusters
        if clusters <= 0 or total > MAX_VCN:
            raise RunListError("a run of no or too many clusters")
        if offset_bytes:
            delta = int.from_bytes(data[end - offset_bytes : end], "little", signed=True)
            lcn += delta
            if lcn < 0 or lcn + clusters > volume_clusters:
                raise RunListError("a run outside the volume")
            yield Run(lcn, clusters)
        else:
            yield Run(None, clusters)
        at = end


def extent_runs(extent: Extent, volume_clusters: int) -> tuple[Run, ...]:
    """Return the runs of `extent`, which must add up to the clusters that it claims."""
    runs = tuple(decode_runs(extent.runs, volume_clusters))
    if sum(run.clusters for run in runs) != extent.highest_vcn - extent.lowest_vcn + 1:
        raise RunListError("runs do not add up to the extent")
    return runs


def join_extents(extents: list[Extent], volume_clusters: int) -> tuple[Run, ...]:
    """Return the runs of a whole attribute from its extents in any order, without gaps."""
    ordered = sorted(extents, key=lambda extent: extent.lowest_vcn)
    runs: list[Run] = []
    next_vcn = 0
    for extent in ordered:
        if extent.lowest_vcn != next_vcn:
            raise RunListError("extents leave a gap or overlap")
        runs += extent_runs(extent, volume_clusters)
        next_vcn = extent.highest_vcn + 1
    return tuple(runs)


def to_spans(runs: tuple[Run, ...], cluster_bytes: int, base: int = 0) -> list[tuple[int, int]]:
    """Return (byte offset, length) for each run; offset -1 is a hole."""
    return [
        (-1 if run.lcn is None else base + run.lcn * cluster_bytes, run.clusters * cluster_bytes)
        for run in runs
    ]
