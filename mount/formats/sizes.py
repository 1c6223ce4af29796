"""Exact sizes of served files from columns, so that the first `stat` needs no header work.

Every format gives a rule, `LibraryColumns -> (track_id, served_size)`, beside its synthesiser;
for each track the rule and `synthesise(...).size` must agree, and a property test holds them to
it. Formats without a rule are served as they are: their size is the original's.
"""

from collections.abc import Mapping

import polars as pl

from musefs.index.media.facts import AudioFormat
from musefs.mount.formats import aiff, flac, mp3, mp4_sizes, ogg_sizes, wav
from musefs.mount.formats.columns import LibraryColumns, SizeRule

SIZE_RULES: Mapping[AudioFormat, SizeRule] = {
    AudioFormat.FLAC: flac.served_sizes,
    AudioFormat.OGG_VORBIS: ogg_sizes.served_sizes,
    AudioFormat.OGG_OPUS: ogg_sizes.served_sizes,
    AudioFormat.OGG_FLAC: ogg_sizes.served_flac_sizes,
    AudioFormat.OGG_SPEEX: ogg_sizes.served_sizes,
    AudioFormat.MP3: mp3.served_sizes,
    AudioFormat.MP4: mp4_sizes.served_sizes,
    AudioFormat.WAV: wav.served_sizes,
    AudioFormat.AIFF: aiff.served_sizes,
}


def served_sizes(columns: LibraryColumns) -> pl.Series:
    """Return the served size of every track, in the order of `columns.tracks`."""
    tracks = columns.tracks
    ruled = _ruled(tracks)
    sized = [SIZE_RULES[AudioFormat(name)](part) for name, part in _by_format(columns, ruled)]
    own_size = tracks.get_column("size").alias("served_size")
    if not sized:
        return own_size
    known = pl.concat([frame.select("track_id", pl.col("served_size")) for frame in sized])
    return (
        tracks.select("track_id", "size")
        .join(known, on="track_id", how="left", maintain_order="left")
        .select(pl.coalesce("served_size", "size").alias("served_size"))
        .to_series()
    )


def _ruled(tracks: pl.DataFrame) -> pl.DataFrame:
    names = [kind.value for kind in SIZE_RULES]
    return tracks.filter(
        pl.col("synthesised") & pl.col("format").cast(pl.String).is_in(names)
    ).with_columns(pl.col("format").cast(pl.String))


def _by_format(columns: LibraryColumns, ruled: pl.DataFrame) -> list[tuple[str, LibraryColumns]]:
    """Split all four tables by format with one join each, whatever the number of formats."""
    wanted = ruled.select("track_id", pl.col("format").cast(pl.Categorical).alias("__format"))
    tags, blocks, art = (
        _split(_plain_text(frame), wanted) for frame in (columns.tags, columns.blocks, columns.art)
    )
    return [
        (
            name,
            LibraryColumns(
                part,
                tags.get(name, _plain_text(columns.tags.clear())),
                blocks.get(name, _plain_text(columns.blocks.clear())),
                art.get(name, _plain_text(columns.art.clear())),
            ),
        )
        for (name,), part in ruled.partition_by("format", as_dict=True).items()
    ]


def _plain_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Turn dictionaries into text: rules ask for lengths in bytes."""
    return frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))


def _split(frame: pl.DataFrame, wanted: pl.DataFrame) -> dict[str, pl.DataFrame]:
    joined = frame.join(wanted, on="track_id", how="inner", maintain_order="left")
    parts = joined.partition_by("__format", as_dict=True, include_key=False)
    return {str(name): part for (name,), part in parts.items()}
