"""Sizes of Ogg files as served, from columns: the rule beside `musefs.mount.formats.ogg`."""

import polars as pl

from musefs.index.media.facts import AudioFormat, BlockKind
from musefs.mount.formats.columns import LibraryColumns, per_track
from musefs.mount.formats.flac import LARGEST_BLOCK_BYTES, fitting_pictures_rows
from musefs.mount.formats.ogg import COMMENT_FRAME, LARGEST_COMMENT_BYTES, PICTURE_FIELD
from musefs.mount.formats.vorbis_comment import EMPTY_COMMENT_BYTES, comment_lengths

_PAGE_HEADER_BYTES = 27
_PAGE_LACING = 255
_FLAC_HEADER_BYTES = 4


def served_sizes(columns: LibraryColumns) -> pl.DataFrame:
    """Return the sizes of what `synthesise` makes; null where it makes nothing."""
    (name,) = columns.tracks.get_column("format").unique().to_list()
    start, end = COMMENT_FRAME[AudioFormat(name)]
    setup = (
        _packets(columns, pl.col("key") == "setup")
        .group_by("track_id")
        .agg(
            pl.col("length").sum().alias("setup_bytes"),
            (pl.col("length") // 255 + 1).sum().alias("setup_lacing"),
        )
    )
    body = pl.col("comment_bytes").fill_null(EMPTY_COMMENT_BYTES) + _known("picture_bytes")
    packet = len(start) + body + len(end) + _known("suffix_bytes")
    payload = packet + _known("setup_bytes")
    lacing = packet // 255 + 1 + _known("setup_lacing")
    total = _identification() + _paged(payload, lacing) + pl.col("audio_length")
    return (
        columns.tracks.lazy()
        .join(comment_lengths(columns), on="track_id", how="left")
        .join(_picture_entries(columns), on="track_id", how="left")
        .join(setup, on="track_id", how="left")
        .join(_sum(columns, "id", "id_bytes"), on="track_id", how="left")
        .join(_sum(columns, "suffix", "suffix_bytes"), on="track_id", how="left")
        .select(
            "track_id",
            pl.when(len(start) + body <= LARGEST_COMMENT_BYTES).then(total).alias("served_size"),
        )
        .collect()
    )


def served_flac_sizes(columns: LibraryColumns) -> pl.DataFrame:
    """Return the sizes of what `synthesise_flac` makes; null where it makes nothing."""
    packet = pl.col("length") + _FLAC_HEADER_BYTES
    carried = per_track(
        _packets(columns, pl.col("key").str.contains(r"^\d+$")),
        _paged(packet, packet // 255 + 1),
        "carried_bytes",
    )
    body = pl.col("comment_bytes").fill_null(EMPTY_COMMENT_BYTES) + _known("picture_bytes")
    comment = body + _FLAC_HEADER_BYTES
    total = (
        _identification() + _paged(comment, comment // 255 + 1)
        + _known("carried_bytes") + pl.col("audio_length")
    )  # fmt: skip
    return (
        columns.tracks.lazy()
        .join(comment_lengths(columns), on="track_id", how="left")
        .join(carried, on="track_id", how="left")
        .join(_picture_entries(columns), on="track_id", how="left")
        .join(_sum(columns, "id", "id_bytes"), on="track_id", how="left")
        .select("track_id", pl.when(body <= LARGEST_BLOCK_BYTES).then(total).alias("served_size"))
        .collect()
    )


def _picture_entries(columns: LibraryColumns) -> pl.LazyFrame:
    """Return the length of the comment entries that a track's pictures are."""
    text = (pl.col("block_bytes") + 2) // 3 * 4
    entry = 4 + len(PICTURE_FIELD) + text
    return per_track(fitting_pictures_rows(columns), entry, "picture_bytes")


def _paged(payload: pl.Expr, lacing: pl.Expr) -> pl.Expr:
    """Return the length of packets in pages of their own."""
    pages = (lacing + _PAGE_LACING - 1) // _PAGE_LACING
    return payload + lacing + pages * _PAGE_HEADER_BYTES


def _identification() -> pl.Expr:
    packet = pl.col("id_bytes")
    return _paged(packet, packet // 255 + 1)


def _known(name: str) -> pl.Expr:
    return pl.col(name).fill_null(0)


def _packets(columns: LibraryColumns, which: pl.Expr) -> pl.LazyFrame:
    return columns.blocks.lazy().filter((pl.col("kind") == BlockKind.OGG_PACKET.value) & which)


def _sum(columns: LibraryColumns, key: str, name: str) -> pl.LazyFrame:
    return per_track(_packets(columns, pl.col("key") == key), pl.col("length"), name)
