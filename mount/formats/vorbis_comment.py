"""The Vorbis comment that FLAC and the Ogg formats carry their tags in.

Which field a key of the index becomes is the vocabulary's business.
The vendor says who wrote the comment, which is musefs, not the encoder of the audio.
"""

import re

import polars as pl

from musefs.index.counters import Counter, degrade
from musefs.index.edit.vocabulary import WORDS, vorbis_field
from musefs.mount.formats.columns import LibraryColumns, per_track
from musefs.mount.formats.source import TrackSource

VENDOR = b"musefs"
EMPTY_COMMENT_BYTES = 4 + len(VENDOR) + 4

_FIELD_NAME = r"^[\x20-\x3C\x3E-\x7D]+$"
"""What the format allows: printable ASCII without `=` and `~`."""
_OTHER_LENGTHS = {word.key: len(word.vorbis) for word in WORDS if len(word.vorbis) != len(word.key)}
"""Fields that are longer or shorter than their keys; all others differ in case alone."""
_is_field_name = re.compile(_FIELD_NAME[:-1] + r"\Z").match


def comment_body(source: TrackSource, extra_entries: int = 0) -> bytes:
    """Return the comment of a track, its count already including `extra_entries` to follow."""
    entries: list[bytes] = []
    for key, values in source.tags:
        if not _is_field_name(key):
            _drop(source, key, len(values))
            continue
        name = vorbis_field(key)
        for value in values:
            entry = f"{name}={value}".encode()
            entries.append(len(entry).to_bytes(4, "little") + entry)
    return b"".join(
        (
            len(VENDOR).to_bytes(4, "little"),
            VENDOR,
            (len(entries) + extra_entries).to_bytes(4, "little"),
            *entries,
        )
    )


def comment_lengths(columns: LibraryColumns) -> pl.LazyFrame:
    """Return track_id and comment_bytes for the tracks with tags: what `comment_body` makes.

    A track without a row has EMPTY_COMMENT_BYTES.
    """
    kept = columns.tags.lazy().filter(pl.col("key").str.contains(_FIELD_NAME))
    name = pl.col("key").str.len_bytes().cast(pl.Int64)
    if _OTHER_LENGTHS:
        name = pl.col("key").replace_strict(_OTHER_LENGTHS, default=name, return_dtype=pl.Int64)
    entry = 4 + name + 1 + pl.col("value").str.len_bytes()
    return per_track(kept, entry, "entry_bytes").select(
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
