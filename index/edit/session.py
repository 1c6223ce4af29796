"""One editing session: a transaction on the index whose changes are one change set.

The index is held for the length of one command. A mount that loads at this moment, or a scan that
publishes, holds it for a moment too: that is waited for. What changed is read back from what the
triggers logged, so a dry run shows exactly what the real one does, and then rolls back.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from musefs.index.edit.picture_history import undo_pictures
from musefs.index.errors import IndexBusyError
from musefs.index.read.attach import attached, explaining_damage
from musefs.index.schema.ddl import quote_text
from musefs.index.schema.triggers import PICTURES_KEY

if TYPE_CHECKING:
    import duckdb

BUSY_SECONDS = 5.0
"""How long another program may hold the index before an edit gives up."""

BUSY_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class TagChange:
    """One tag of one track before and after."""

    track_id: int
    path: str
    key: str
    before: Sequence[str]
    after: Sequence[str]


@contextmanager
def holding(
    path: Path,
    *,
    read_only: bool,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> "Generator[duckdb.DuckDBPyConnection]":
    """Hold the index, waiting a little for whoever holds it now."""
    give_up_at = clock() + BUSY_SECONDS
    while True:
        holder = attached(path, read_only=read_only)
        try:
            con = holder.__enter__()
        except IndexBusyError:
            if clock() >= give_up_at:
                raise
            pause(BUSY_PAUSE_SECONDS)
        else:
            break
    try:
        with explaining_damage(path):
            yield con
    finally:
        holder.__exit__(None, None, None)


class EditSession:
    """Changes of one command; see `editing`."""

    def __init__(self, con: "duckdb.DuckDBPyConnection") -> None:
        self.con = con
        ((last,),) = con.execute("SELECT coalesce(max(change_set), 0) FROM edits").fetchall()
        self._last_set = int(last)
        self.pictures_undone = 0
        """Tracks whose pictures `undo` took back."""
        # other clients may have written ARTIST; keys are lower case for everybody who reads them
        con.execute("UPDATE tags SET key = lower(key) WHERE key <> lower(key)")

    @property
    def change_set(self) -> int:
        """The number of this session's change set."""
        return self._last_set + 1

    def serve(self, scope: str, wanted: str) -> list[TagChange]:
        """Serve the tags of the query `wanted` for the pairs of the query `scope`, and no others.

        `scope` gives track_id and key, `wanted` track_id, key, ordinal and value. Only pairs that
        differ are touched, so a track that is right already gets no new version.
        """
        con = self.con
        con.execute(
            f"CREATE TEMP TABLE wanted AS SELECT track_id, key, ordinal, value FROM {wanted}"
        )
        con.execute(
            f"CREATE TEMP TABLE was AS SELECT t.* FROM tags t SEMI JOIN {scope} s "
            "ON s.track_id = t.track_id AND s.key = t.key"
        )
        con.execute(
            "CREATE TEMP TABLE differing AS SELECT track_id, key FROM ("
            "SELECT track_id, key, list(value ORDER BY ordinal) AS served FROM was GROUP BY ALL) "
            "FULL JOIN (SELECT track_id, key, list(value ORDER BY ordinal) AS wished "
            "FROM wanted GROUP BY ALL) USING (track_id, key) WHERE served IS DISTINCT FROM wished"
        )
        con.execute(
            "DELETE FROM tags WHERE (track_id, key) IN (SELECT (track_id, key) FROM differing)"
        )
        con.execute(
            "INSERT INTO tags SELECT w.* FROM wanted w SEMI JOIN differing USING (track_id, key)"
        )
        changes = self._changes()
        con.execute("DROP TABLE wanted; DROP TABLE was; DROP TABLE differing")
        self.join_change_sets()
        return changes

    def _changes(self) -> list[TagChange]:
        rows = self.con.execute(
            "SELECT d.track_id, coalesce(t.path, ''), d.key, "
            "coalesce(b.served, []::VARCHAR[]), coalesce(a.served, []::VARCHAR[]) "
            "FROM differing d LEFT JOIN tracks t USING (track_id) "
            "LEFT JOIN (SELECT track_id, key, list(value ORDER BY ordinal) AS served FROM was "
            "GROUP BY ALL) b USING (track_id, key) "
            "LEFT JOIN (SELECT track_id, key, list(value ORDER BY ordinal) AS served FROM wanted "
            "GROUP BY ALL) a USING (track_id, key) ORDER BY t.path, d.track_id, d.key"
        ).fetchall()
        return [TagChange(*row) for row in rows]

    def join_change_sets(self) -> None:
        """Make one change set of the statements, with one line for each value that changed."""
        own = f"change_set > {self._last_set}"
        self.con.execute(
            "CREATE TEMP TABLE joined AS SELECT track_id, key, ordinal, "
            "first(before ORDER BY change_set) AS before, "
            "last(after ORDER BY change_set) AS after, "
            f"max(edited_at) AS edited_at FROM edits WHERE {own} GROUP BY ALL"
        )
        self.con.execute(f"DELETE FROM edits WHERE {own}")
        self.con.execute(
            "INSERT INTO edits (change_set, track_id, key, ordinal, before, after, edited_at) "
            f"SELECT {self.change_set}, * FROM joined WHERE before IS DISTINCT FROM after "
            "ORDER BY track_id, key, ordinal"
        )
        self.con.execute("DROP TABLE joined")

    def undo(self) -> list[TagChange]:
        """Take the last change set back; a second undo takes back the one before it."""
        last = self._last_set
        if last == 0:
            return []
        self.pictures_undone = undo_pictures(self.con, last)
        slots = (
            f"(SELECT * FROM edits WHERE change_set = {last} AND key <> {quote_text(PICTURES_KEY)})"
        )
        scope = f"(SELECT DISTINCT track_id, key FROM {slots})"
        wanted = (
            "(SELECT track_id, key, row_number() OVER (PARTITION BY track_id, key "
            "ORDER BY ordinal) - 1 AS ordinal, value FROM ("
            f"SELECT t.* FROM tags t SEMI JOIN {scope} USING (track_id, key) "
            f"ANTI JOIN {slots} USING (track_id, key, ordinal) UNION ALL "
            f"SELECT track_id, key, ordinal, before FROM {slots} WHERE before IS NOT NULL))"
        )
        changes = self.serve(scope, wanted)
        self.con.execute(f"DELETE FROM edits WHERE change_set >= {last}")
        return changes


@contextmanager
def editing(path: Path, *, dry_run: bool) -> Generator[EditSession]:
    """Hold the index for writing; what the block did is committed, or rolled back on a dry run."""
    with holding(path, read_only=False) as con:
        con.execute("BEGIN")
        try:
            yield EditSession(con)
        except BaseException:
            con.execute("ROLLBACK")
            raise
        con.execute("ROLLBACK" if dry_run else "COMMIT")
        if not dry_run:
            con.execute("CHECKPOINT")
