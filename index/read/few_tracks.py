"""Read a few tracks of an attached index into memory: what a refresh after an edit needs.

`load` copies whole libraries into mapped files, in pieces and with temporary tables. For one track
that costs ten times what the reading costs, so here each table is one query by literal numbers,
which DuckDB answers from the row groups concerned, and the rows stay in memory.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from musefs.index.read.mapped import order_of_rows
from musefs.index.read.served_tracks import SERVED_TRACKS
from musefs.index.read.snapshot import (
    Changes,
    IndexIdentity,
    LibrarySnapshot,
    TrackRows,
    VolumeFacts,
)
from musefs.index.schema.ddl import quote_text

if TYPE_CHECKING:
    import duckdb
    import numpy.typing as npt

FEW_TRACKS = 1000
"""Above, copying through mapped files is cheaper than carrying numbers in the text of a query."""

_TABLES = (
    ("tags", "track_id, lower(key) AS key, ordinal, value"),
    ("art", "*"),
    ("blocks", "*"),
)


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of an attached index before its tracks are read."""

    identity: IndexIdentity
    index_id: str
    changes: Changes
    volume: VolumeFacts | None


def load_few(
    con: "duckdb.DuckDBPyConnection",
    look: Look,
    track_ids: Collection[int],
    states: Sequence[str],
    *,
    with_contents: bool,
) -> LibrarySnapshot:
    """Return some tracks of the index that `con` has attached."""
    listed = ", ".join(map(str, sorted(track_ids))) or "NULL"
    served = ", ".join(map(quote_text, states))
    tracks = _fetch(
        con,
        f"{SERVED_TRACKS} WHERE track_id IN ({listed}) AND state IN ({served}) ORDER BY track_id",
    )
    ids: npt.NDArray[np.int64] = tracks.column("track_id").to_numpy()
    present = ", ".join(map(str, ids.tolist())) or "NULL"
    tags, art, blocks = (
        _cut(
            _fetch(
                con,
                f"SELECT {columns} FROM {table} WHERE track_id IN ({present}) "
                f"ORDER BY {order_of_rows(table)}",
            ),
            ids,
        )
        for table, columns in _TABLES
    )
    return LibrarySnapshot(
        identity=look.identity,
        index_id=look.index_id,
        generation=look.changes.generation,
        change_sequence=look.changes.sequence,
        volume=look.volume,
        tracks=tracks,
        tags=TrackRows(_with_words(tags.rows), tags.offsets),
        art=art,
        blocks=blocks,
        contents=_contents(con, present) if with_contents else None,
    )


def _fetch(con: "duckdb.DuckDBPyConnection", sql: str) -> pa.Table:
    table: pa.Table = con.sql(sql).to_arrow_table()
    return table


def _contents(con: "duckdb.DuckDBPyConnection", present: str) -> pa.Table:
    return _fetch(
        con,
        "SELECT t.track_id, c.* EXCLUDE (entry_id) FROM tracks t LEFT JOIN contents c "
        f"USING (entry_id) WHERE t.track_id IN ({present}) ORDER BY t.track_id",
    )


def _cut(rows: pa.Table, ids: "npt.NDArray[np.int64]") -> TrackRows:
    owners: npt.NDArray[np.int64] = rows.column("track_id").to_numpy()
    offsets = np.append(owners.searchsorted(ids, side="left"), len(owners)).astype(np.int64)
    return TrackRows(rows, offsets)


def _with_words(tags: pa.Table) -> pa.Table:
    """Make the keys a dictionary, as in a whole library."""
    place = tags.schema.get_field_index("key")
    keys: Any = tags.column(place)
    return tags.set_column(place, "key", keys.dictionary_encode())
