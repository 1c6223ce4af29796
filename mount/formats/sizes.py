"""Exact sizes of served files from columns, so that the first `stat` needs no header work.

Every format gives a rule, `LibraryColumns -> (track_id, served_size)`, beside its synthesiser;
for each track the rule and `synthesise(...).size` must agree, and a property test holds them to
it. Formats without a rule are served as they are: their size is the original's.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from musefs.index.media.facts import AudioFormat
from musefs.mount.formats import aiff, flac, mp3, mp4_sizes, ogg_sizes, wav
from musefs.mount.formats.columns import LibraryColumns, SizeRule

_Array = npt.NDArray[np.int64]

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
    if not sized:
        return tracks.get_column("size").alias("served_size")
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
    """Split all four tables by format; rows of a track are neighbours, so no row is hashed."""
    ruled = ruled.sort("track_id")
    formats = ruled.get_column("format").unique(maintain_order=True).to_list()
    places = {name: place for place, name in enumerate(formats)}
    place_of_track = ruled.get_column("format").replace_strict(places, return_dtype=pl.Int8)
    tracks = (ruled.get_column("track_id").to_numpy(), place_of_track.to_numpy())
    children = (columns.tags, _plain_text(columns.blocks), _plain_text(columns.art))
    parts = [_split(child, tracks, len(formats)) for child in children]
    return [
        (name, LibraryColumns(ruled.filter(pl.col("format") == name), *(p[place] for p in parts)))
        for name, place in places.items()
    ]


def _plain_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Turn dictionaries into text; keys of tags, of which there are most, stay what they are."""
    return frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))


def _split(frame: pl.DataFrame, tracks: tuple[_Array, _Array], count: int) -> list[pl.DataFrame]:
    """Return the rows of the tracks of each format; rows of other tracks are left out."""
    owners = frame.get_column("track_id").to_numpy()
    if len(owners) == 0:
        return [frame] * count
    starts = np.concatenate(([0], np.flatnonzero(owners[1:] != owners[:-1]) + 1))
    track_ids, place_of_track = tracks
    runs = owners[starts]
    at = np.minimum(np.searchsorted(track_ids, runs), len(track_ids) - 1)
    places = np.where(track_ids[at] == runs, place_of_track[at], -1).astype(np.int8)
    of_row = pl.Series(np.repeat(places, np.diff(np.append(starts, len(owners)))))
    return [frame.filter(of_row == place) for place in range(count)]
