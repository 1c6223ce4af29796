"""Load a library for a mount: attach, copy out as Arrow, detach (D6).

The index is held for the length of one load only. While somebody writes to it, loading raises
IndexBusyError and the mount goes on with what it has. `identity` tells without opening whether
anything may have changed; `load_update` then replays the change log, and when the log has a gap
`compare` finds the same set from two whole states.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pa_types

from musefs.index.errors import IndexMissingError
from musefs.index.read.attach import attached, connect_memory
from musefs.index.read.mapped import MappedTables
from musefs.index.read.snapshot import (
    ChangedTracks,
    Changes,
    FileIdentity,
    Gap,
    IndexIdentity,
    LibrarySnapshot,
    LibraryUpdate,
    VolumeFacts,
)
from musefs.index.schema.ddl import quote_name, quote_text

if TYPE_CHECKING:
    import duckdb

LOAD_THREADS = 2
"""DuckDB's threads while loading; more only compete with the mount's readers."""

SERVED_STATES = ("present",)

_UNSERVED = ["entry_id", "updated_at", "missing_since"]
"""Columns of tracks that change from scan to scan without a difference for a mount."""


def _file_identity(path: Path) -> FileIdentity | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return FileIdentity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def identity(path: Path) -> IndexIdentity:
    """Return what tells this state of the index from others; opens nothing."""
    database = _file_identity(path)
    if database is None:
        raise IndexMissingError("no index there", path=path)
    return IndexIdentity(database, _file_identity(path.with_name(path.name + ".wal")))


def load_library(
    path: Path,
    *,
    states: Sequence[str] = SERVED_STATES,
    with_contents: bool = False,
    spill_directory: Path | None = None,
) -> LibrarySnapshot:
    """Return the whole library.

    `states` are the track states to load. `with_contents` adds where the bytes lie on the raw
    volume. The mapped file is made in `spill_directory`, by default where temporary files go.
    """
    # before opening: a change between the two is then seen as one more change, never missed
    now = identity(path)
    with attached(path, threads=LOAD_THREADS) as con:
        _choose(con, f"state::VARCHAR IN ({', '.join(quote_text(s) for s in states)})")
        return _load(con, now, with_contents=with_contents, spill=spill_directory)


def load_tracks(
    path: Path,
    track_ids: Iterable[int],
    *,
    states: Sequence[str] = SERVED_STATES,
    with_contents: bool = False,
    spill_directory: Path | None = None,
) -> LibrarySnapshot:
    """Return some tracks only; ids that are not in the index or not in `states` are left out."""
    now = identity(path)
    with attached(path, threads=LOAD_THREADS) as con:
        _choose_ids(con, track_ids, states)
        return _load(con, now, with_contents=with_contents, spill=spill_directory)


def load_update(
    path: Path,
    since: LibrarySnapshot | LibraryUpdate,
    *,
    also: frozenset[int] = frozenset(),
    states: Sequence[str] = SERVED_STATES,
    with_contents: bool = False,
    spill_directory: Path | None = None,
) -> LibraryUpdate | Gap:
    """Replay the change log since a state and load the tracks it names, in one look at the file.

    `also` are tracks to load besides. For a few tracks again and again see `follow`.
    """
    now = identity(path)
    with attached(path, threads=LOAD_THREADS) as con:
        changes = changes_in(con, since.index_id, since.change_sequence)
        if isinstance(changes, Gap):
            return changes
        _choose_ids(con, changes.named | also, states)
        present = _load(con, now, with_contents=with_contents, spill=spill_directory)
    return LibraryUpdate.of(present, changes.named, also)


def changes_since(path: Path, index_id: str, sequence: int) -> frozenset[int] | Gap:
    """Return the tracks that the change log names after `sequence`."""
    with attached(path, threads=1) as con:
        changes = changes_in(con, index_id, sequence)
        return changes if isinstance(changes, Gap) else changes.named


def compare(old: LibrarySnapshot, new: LibrarySnapshot) -> ChangedTracks:
    """Compare two states in full: what the change log would have named, whatever became of it."""
    before, after = frozenset(old.track_ids.tolist()), frozenset(new.track_ids.tolist())
    differing: set[int] = set()
    with connect_memory(LOAD_THREADS) as con:
        for was, now in (
            (old.tracks.drop_columns(_UNSERVED), new.tracks.drop_columns(_UNSERVED)),
            (old.tags.rows, new.tags.rows),
            (old.art.rows, new.art.rows),
            (old.blocks.rows, new.blocks.rows),
        ):
            differing |= _differing(con, was, now)
    return ChangedTracks(
        added=after - before,
        removed=before - after,
        changed=frozenset(differing) & before & after,
    )


def _differing(con: "duckdb.DuckDBPyConnection", was: "pa.Table", now: "pa.Table") -> set[int]:
    """Return the tracks whose rows differ, by a 64-bit hash of each row, summed over a track."""
    # as text: dictionaries of two loads number the same words differently
    columns = ", ".join(
        f"{quote_name(name)}::VARCHAR" if pa_types.is_dictionary(kind) else quote_name(name)
        for name, kind in zip(was.schema.names, was.schema.types, strict=True)
    )
    con.register("was", was)
    con.register("now", now)
    digest = f"SELECT track_id, sum(hash({columns})::HUGEINT) AS digest FROM {{}} GROUP BY track_id"
    rows = con.execute(
        f"SELECT track_id FROM ({digest.format('was')}) w FULL JOIN ({digest.format('now')}) n "
        "USING (track_id) WHERE w.digest IS DISTINCT FROM n.digest"
    ).fetchall()
    return {row[0] for row in rows}


def changes_in(con: "duckdb.DuckDBPyConnection", index_id: str, sequence: int) -> Changes | Gap:
    """Return what the log of an attached index says after `sequence`."""
    ((present_id, generation, first, last, named),) = con.execute(
        "SELECT (SELECT index_id FROM meta), (SELECT generation FROM meta), "
        "coalesce(min(sequence), 0), coalesce(max(sequence), 0), "
        "list(DISTINCT track_id) FILTER (sequence > ?) FROM changes",
        [sequence],
    ).fetchall()
    if present_id != index_id:
        return Gap("the index at this path is another one")
    if sequence > last:
        return Gap(f"the change log ends at {last}, before {sequence}")
    if sequence < first - 1:
        return Gap(f"the change log begins at {first}, after {sequence}")
    return Changes(generation, last, frozenset(named or ()))


def _choose(con: "duckdb.DuckDBPyConnection", condition: str) -> None:
    con.execute(
        f"CREATE TEMP TABLE chosen AS SELECT track_id, entry_id FROM tracks WHERE {condition}"
    )


def _choose_ids(
    con: "duckdb.DuckDBPyConnection", track_ids: Iterable[int], states: Sequence[str]
) -> None:
    ids = pa.array(sorted(track_ids), pa.int64())
    con.register("wanted", pa.Table.from_arrays([ids], names=["track_id"]))
    listed = ", ".join(quote_text(state) for state in states)
    _choose(con, f"track_id IN (FROM wanted) AND state::VARCHAR IN ({listed})")
    con.unregister("wanted")


def _load(
    con: "duckdb.DuckDBPyConnection",
    now: IndexIdentity,
    *,
    with_contents: bool,
    spill: Path | None,
) -> LibrarySnapshot:
    # fetchall, here and below: fetchone leaves a result open, and its connection then refuses more
    (meta,) = con.execute(
        "SELECT index_id, generation, (SELECT coalesce(max(sequence), 0) FROM changes), "
        "(SELECT count(*) FROM chosen) = (SELECT count(*) FROM tracks) FROM meta"
    ).fetchall()
    tables = MappedTables(con, spill, whole=meta[3])
    tracks = tables.tracks()
    snapshot = LibrarySnapshot(
        identity=now,
        index_id=meta[0],
        generation=meta[1],
        change_sequence=meta[2],
        volume=volume_of(con),
        tracks=tracks,
        tags=tables.tags(),
        art=tables.rows_of("art"),
        blocks=tables.rows_of("blocks"),
        contents=tables.contents() if with_contents else None,
        maps=tables.maps,
    )
    snapshot.let_go_of_pages()  # copying touched all of them
    return snapshot


def volume_of(con: "duckdb.DuckDBPyConnection") -> VolumeFacts | None:
    """Return the volume of an attached index."""
    names = [field.name for field in fields(VolumeFacts)]
    row = con.sql(f"SELECT {', '.join(names)} FROM volumes").to_arrow_table().to_pylist()
    if not row:
        return None
    facts: dict[str, Any] = row[0]  # the columns of the table volumes, by name
    runs = facts.pop("mft_runs") or ()
    return VolumeFacts(**facts, mft_runs=tuple((run["offset"], run["length"]) for run in runs))
