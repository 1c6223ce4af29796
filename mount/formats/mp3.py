"""MP3: a fresh ID3v2.4 tag before frames that are served untouched."""

from collections.abc import Iterable

import polars as pl

from musefs.mount.formats.columns import LibraryColumns
from musefs.mount.formats.id3 import LARGEST_TAG_BYTES, tag_segments
from musefs.mount.formats.id3_sizes import TAG_HEADER_BYTES, tag_lengths
from musefs.mount.formats.segments import OriginalRange, Segment
from musefs.mount.formats.source import TrackSource


def synthesise(source: TrackSource) -> Iterable[Segment] | None:
    """Return the segments of an MP3 file with the tags of the index."""
    tag = tag_segments(source)
    if tag is None:
        return None
    return [*tag, OriginalRange(source.audio.offset, source.audio.length)]


def served_sizes(columns: LibraryColumns) -> pl.DataFrame:
    """Return the sizes of what `synthesise` makes; null where it makes nothing."""
    fits = pl.col("tag_bytes") <= LARGEST_TAG_BYTES + TAG_HEADER_BYTES
    total = pl.col("tag_bytes") + pl.col("audio_length")
    return (
        columns.tracks.lazy()
        .join(tag_lengths(columns), on="track_id")
        .select("track_id", pl.when(fits).then(total).alias("served_size"))
        .collect()
    )
