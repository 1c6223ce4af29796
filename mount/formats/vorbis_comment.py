"""The Vorbis comment that FLAC and the Ogg formats carry their tags in.

Which field a key of the index becomes is the vocabulary's business.
The vendor says who wrote the comment, which is musefs, not the encoder of the audio.
"""

import re
from functools import lru_cache

import polars as pl

from musefs.index.counters import Counter, degrade
from musefs.index.edit.vocabulary import vorbis_field
from musefs.mount.formats.columns import LibraryColumns, per_track
from musefs.mount.formats.source import TrackSource

VENDOR = b"musefs"
EMPTY_COMMENT_BYTES = 4 + len(VENDOR) + 4

_is_field_name = re.compile(r"[\x20-\x3C\x3E-\x7D]+\Z").match
"""Printable ASCII without `=` and `~`, which is all that the format allows."""


def comment_body(source: TrackSource, extra_entries: int = 0) -> bytes:
    """Return the comment of a track, its count already including `extra_entries` to follow."""
    entries: list[bytes] = []
    for key, values in source.tags:
        start = _entry_start(key)
        if start is None:
            _drop(source, key, len(values))
            continue
        for value in values:
            entry = start + value.encode()
            entries.append(len(entry).to_bytes(4, "little") + entry)
    return b"".join(
        (
            len(VENDOR).to_bytes(4, "little"),
            VENDOR,
            (len(entries) + extra_entries).to_bytes(4, "little"),
            *entries,
        )
    )


@lru_cache(4096)  # a library has some dozens of keys
def _entry_start(key: str) -> bytes | None:
    """Return what stands before each value of a key; None for what cannot be a field's name."""
    return f"{vorbis_field(key)}=".encode() if _is_field_name(key) else None


def comment_lengths(columns: LibraryColumns) -> pl.LazyFrame:
    """Return track_id and comment_bytes for the tracks with tags: what `comment_body` makes.

    A track without a row has EMPTY_COMMENT_BYTES. Each key is looked at once, not each row.
    """
    keys = columns.tags.get_column("key")
    if keys.dtype == pl.String:
        keys = keys.cast(pl.Categorical)
    used = keys.unique()
    codes: list[int] = used.to_physical().to_list()
    overhead: list[int | None] = [None] * (max(codes, default=0) + 1)
    for code, key in zip(codes, used.cast(pl.String).to_list(), strict=True):
        if _is_field_name(key):
            overhead[code] = 4 + len(vorbis_field(key)) + 1
    of_key = pl.Series(overhead, dtype=pl.Int64).gather(keys.to_physical())
    rows = columns.tags.lazy().select("track_id", "value", of_key.alias("overhead"))
    entry = pl.col("value").str.len_bytes().cast(pl.Int64) + pl.col("overhead")
    return per_track(rows, entry, "entry_bytes").select(
        "track_id", (pl.col("entry_bytes") + EMPTY_COMMENT_BYTES).alias("comment_bytes")
    )


def _drop(source: TrackSource, key: str, count: int) -> None:
    degrade(
        Counter.TAG_VALUES_DROPPED,
        "%s: %r cannot be the name of a Vorbis comment field",
        source.path,
        key,
        amount=count,
    )
