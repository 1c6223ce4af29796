"""Where the bytes of a file's unnamed $DATA lie on the volume, or why they cannot be had."""

from dataclasses import dataclass

from musefs.index.backing.content import ContentKind
from musefs.pipeline.ntfs.attribute import COMPRESSED, ENCRYPTED, Attribute, Extent
from musefs.pipeline.ntfs.reparse import TAG_DEDUP, TAG_WOF, is_cloud
from musefs.pipeline.ntfs.runs import RunListError, join_extents, to_spans


@dataclass(frozen=True, slots=True)
class Geometry:
    """What turns clusters into bytes; `cluster_bytes` 0 means unknown (a saved $MFT)."""

    cluster_bytes: int
    volume_clusters: int


@dataclass(frozen=True, slots=True)
class ContentFacts:
    """One row of the contents table but for its entry id."""

    kind: ContentKind
    size: int
    valid_size: int
    unit_clusters: int = 0
    resident: bytes | None = None
    spans: tuple[tuple[int, int], ...] | None = None

    @property
    def first_byte(self) -> int | None:
        """First real byte on the volume: the place of this file in a sweep over the disk."""
        return next((offset for offset, _ in self.spans or () if offset >= 0), None)


def locate_content(
    first: Attribute, extents: list[Extent], reparse_tag: int | None, geometry: Geometry
) -> ContentFacts:
    """Return where the content of `first` (VCN 0, or resident) and its further `extents` lies."""
    size = len(first.value) if first.value is not None else extents[0].real
    valid = size if first.value is not None else min(extents[0].initialised, size)
    refusal = _refusal(first.flags, reparse_tag)
    if refusal is not None:
        return ContentFacts(refusal, size, valid)
    if first.value is not None:
        return ContentFacts(ContentKind.RESIDENT, size, valid, resident=first.value)
    try:
        runs = join_extents(extents, geometry.volume_clusters)
    except RunListError:
        return ContentFacts(ContentKind.DAMAGED, size, valid)
    if sum(run.clusters for run in runs) * geometry.cluster_bytes < size:
        return ContentFacts(ContentKind.DAMAGED, size, valid)
    compressed = first.flags & COMPRESSED and extents[0].unit_exponent
    return ContentFacts(
        ContentKind.COMPRESSED if compressed else ContentKind.RUNS,
        size,
        valid,
        unit_clusters=1 << extents[0].unit_exponent if compressed else 0,
        spans=tuple(to_spans(runs, geometry.cluster_bytes)),
    )


def _refusal(flags: int, reparse_tag: int | None) -> ContentKind | None:
    if reparse_tag == TAG_DEDUP:
        return ContentKind.DEDUPLICATED
    if reparse_tag is not None and is_cloud(reparse_tag):
        return ContentKind.CLOUD
    if reparse_tag == TAG_WOF:
        return ContentKind.WOF
    return ContentKind.ENCRYPTED if flags & ENCRYPTED else None
