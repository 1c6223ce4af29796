"""Compare the files of this scan with the tracks of the last: who is who, and who must be read.

All of it in columns: a rescan of a library where nothing changed reads no file and touches no row
in Python.

A file is the track it was by the first of these that holds: the same record and sequence; the
same path (a program saved it anew); the same audio elsewhere while its old place is gone (a move
to another folder through a copy), which is known only after reading. Where records have no
sequence (inodes are reused at once) the record alone proves nothing: path or stamp must agree.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

_STAMPS: Final = ("size", "mtime_ns", "ctime_ns", "lsn")
_UNIT_NS: Final = 100


@dataclass(frozen=True, slots=True)
class Comparison:
    """The files of this scan, each with the track that it is, and the tracks that have no file."""

    files: pl.DataFrame
    """The candidates, with `track_id`, `known` (it was a track) and `unchanged`."""
    gone: pl.DataFrame
    """Rows of the old tracks whose file was not found."""
    next_track_id: int


def compare(
    files: pl.DataFrame,
    old: pl.DataFrame,
    high_water: int,
    *,
    force: bool = False,
    need_hash: bool = False,
    same_volume: bool = True,
) -> Comparison:
    """Match `files` with the `old` tracks; new ones get ids above `high_water`, in their order.

    With `force` nothing counts as unchanged, with `need_hash` only what has its full hash. On
    another volume than before record numbers mean nothing.
    """
    files = files.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    by_record = _by_record(files, old if same_volume else old.clear())
    by_path = _by_path(files, old, by_record)
    matches = pl.concat([by_record, by_path])
    joined = files.join(matches, on="row", how="left", maintain_order="left")
    was = old.select(
        "track_id",
        "state",
        "audio_hash",
        *(pl.col(name).alias(f"old_{name}") for name in _STAMPS),
    )
    joined = joined.join(was, on="track_id", how="left", maintain_order="left")
    known = pl.col("track_id").is_not_null()
    new_id = high_water + (~known).cum_sum().cast(pl.Int64)
    unchanged = pl.lit(value=False) if force else known & _same_stamp()
    if need_hash:
        unchanged = unchanged & pl.col("audio_hash").is_not_null()
    result = joined.with_columns(
        known=known,
        unchanged=unchanged.fill_null(value=False),
        track_id=pl.coalesce("track_id", new_id),
    ).drop("state", "audio_hash", *(f"old_{name}" for name in _STAMPS))
    gone = old.join(matches, on="track_id", how="anti", maintain_order="left")
    return Comparison(result, gone, high_water + result.height - int(result["known"].sum()) + 1)


def as_they_were(comparison: Comparison) -> Comparison:
    """Keep every track that has a file, changed or not, and leave new files for another scan."""
    files = comparison.files.filter("known").with_columns(unchanged=pl.lit(value=True))
    return Comparison(files, comparison.gone, comparison.next_track_id)


def _same_stamp() -> pl.Expr:
    """Say whether a file is as it was: times as exact as a record's, and only where both know."""

    def same_time(name: str) -> pl.Expr:
        return pl.col(name) // _UNIT_NS == pl.col(f"old_{name}") // _UNIT_NS

    def unknown(name: str) -> pl.Expr:
        return (pl.col(name) == 0) | (pl.col(f"old_{name}") == 0)

    return (
        (pl.col("size") == pl.col("old_size"))
        & same_time("mtime_ns")
        & (same_time("ctime_ns") | unknown("ctime_ns"))
        & ((pl.col("lsn") == pl.col("old_lsn")) | unknown("lsn"))
        & (pl.col("state") == "present")  # what failed may have been the cable: it is tried again
    )


def _by_record(files: pl.DataFrame, old: pl.DataFrame) -> pl.DataFrame:
    pairs = files.join(
        old.select(
            "track_id", "record_number", "sequence",
            pl.col("path").alias("old_path"), pl.col("size").alias("old_size"),
            pl.col("mtime_ns").alias("old_mtime_ns"),
        ),
        on=["record_number", "sequence"],
        how="inner",
        maintain_order="left",
    )  # fmt: skip
    same_stamp = (pl.col("size") == pl.col("old_size")) & (
        pl.col("mtime_ns") // _UNIT_NS == pl.col("old_mtime_ns") // _UNIT_NS
    )
    sure = (pl.col("sequence") != 0) | (pl.col("path") == pl.col("old_path")) | same_stamp
    return _once(pairs.filter(sure))


def _by_path(files: pl.DataFrame, old: pl.DataFrame, taken: pl.DataFrame) -> pl.DataFrame:
    rest = files.join(taken, on="row", how="anti", maintain_order="left")
    free = old.join(taken, on="track_id", how="anti", maintain_order="left")
    pairs = rest.join(
        free.select("track_id", "path"), on="path", how="inner", maintain_order="left"
    )
    return _once(pairs)


def _once(pairs: pl.DataFrame) -> pl.DataFrame:
    """Keep one track a file and one file a track, the first of each."""
    unique = pairs.select("row", "track_id").unique("row", keep="first", maintain_order=True)
    return unique.unique("track_id", keep="first", maintain_order=True)


class Moves:
    """Tracks whose file is gone, by the fingerprint of their audio; each is given away once."""

    def __init__(self, gone: pl.DataFrame) -> None:
        self._by_print: dict[str, list[tuple[int, str]]] = {}
        known = gone.filter(pl.col("fingerprint").is_not_null())
        for print_, track_id, path in known.select("fingerprint", "track_id", "path").iter_rows():
            self._by_print.setdefault(print_, []).append((track_id, path))

    def claim(self, fingerprint: str | None, path: str) -> int | None:
        """Return the track that a new file is; of several the one with its name, else none."""
        tracks = self._by_print.get(fingerprint) if fingerprint else None
        if not tracks:
            return None
        name = path.rpartition("/")[2]
        alike = [pair for pair in tracks if pair[1].rpartition("/")[2] == name]
        if len(tracks) > 1 and not alike:
            return None  # copies of one recording went; none is more likely than the other
        chosen = (alike or tracks)[0]
        tracks.remove(chosen)
        return chosen[0]
