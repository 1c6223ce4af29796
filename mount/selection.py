"""Load what a mount shall show: the whole index, or the tracks that --where selects."""

from pathlib import Path

from musefs.index.edit.plan import Selection
from musefs.index.edit.selection import select
from musefs.index.read.attach import attached
from musefs.index.read.load import LOAD_THREADS, load_library, load_tracks
from musefs.index.read.snapshot import LibrarySnapshot


def load_selected(
    index: Path, where: str | None, *, with_contents: bool = False
) -> LibrarySnapshot:
    """Return the present tracks that match a condition over tracks_v; raises SelectionError."""
    if where is None:
        return load_library(index, with_contents=with_contents)
    return load_tracks(index, selected_ids(index, where), with_contents=with_contents)


def selected_ids(index: Path, where: str) -> frozenset[int]:
    """Return the track_ids that match a condition over tracks_v."""
    with attached(index, threads=LOAD_THREADS) as con:
        select(con, Selection(where=where))
        return frozenset(row[0] for row in con.execute("FROM selected").fetchall())
