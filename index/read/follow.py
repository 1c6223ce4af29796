"""Follow an index through its edits: one look after the other, each as short as can be.

The in-memory database that an index is attached to takes longer to make than an edit takes to
read, so it stays; the index itself is attached for the length of one look (D6). After an error in
a look the database is thrown away: DuckDB refuses everything after some of them.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from musefs.index.read.attach import attach_index, connect_memory, explaining_damage
from musefs.index.read.few_tracks import FEW_TRACKS, Look, load_few
from musefs.index.read.load import SERVED_STATES, changes_in, identity, load_update, volume_of
from musefs.index.read.snapshot import Changes, Gap, LibrarySnapshot, LibraryUpdate, VolumeFacts

if TYPE_CHECKING:
    import duckdb

_ALIAS = "idx"


class IndexFollower:
    """Looks at one index again and again; for one thread."""

    def __init__(
        self,
        path: Path,
        *,
        states: Sequence[str] = SERVED_STATES,
        with_contents: bool = False,
    ) -> None:
        """Look at the index at `path`; `with_contents` as in `load_library`."""
        self._path = path
        self._states = states
        self._contents = with_contents
        self._memory: duckdb.DuckDBPyConnection | None = None

    def update(
        self, since: LibrarySnapshot | LibraryUpdate, also: frozenset[int] = frozenset()
    ) -> LibraryUpdate | Gap:
        """Return what the change log names after a state, as it is now; `also` is loaded too."""
        now = identity(self._path)  # before opening: a change in between is seen once more
        with self._looking() as con:
            changes = changes_in(con, since.index_id, since.change_sequence)
            if isinstance(changes, Gap):
                return changes
            wanted = changes.named | also if changes.named else changes.named
            if len(wanted) <= FEW_TRACKS:
                look = Look(now, since.index_id, changes, self._volume(con, since, changes))
                present = load_few(con, look, wanted, self._states, with_contents=self._contents)
                return LibraryUpdate.of(present, changes.named, wanted - changes.named)
        return load_update(
            self._path, since, also=also, states=self._states, with_contents=self._contents
        )

    @staticmethod
    def _volume(
        con: "duckdb.DuckDBPyConnection",
        since: LibrarySnapshot | LibraryUpdate,
        changes: Changes,
    ) -> VolumeFacts | None:
        if since.generation != changes.generation:  # only a scan tells more of a volume
            return volume_of(con)
        return since.volume if isinstance(since, LibrarySnapshot) else since.present.volume

    def prepare(self) -> None:
        """Make what the first look needs besides the index."""
        self._memory = self._memory or connect_memory(1)

    def close(self) -> None:
        """Let go of the in-memory database."""
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()

    @contextmanager
    def _looking(self) -> "Generator[duckdb.DuckDBPyConnection]":
        # one thread: handing a few rows from thread to thread takes longer than reading them
        con = self._memory = self._memory or connect_memory(1)
        attach_index(con, self._path, _ALIAS)
        try:
            con.execute(f"USE {_ALIAS}")
            with explaining_damage(self._path):
                yield con
            con.execute("USE memory")
            con.execute(f"DETACH {_ALIAS}")
        except BaseException:
            self.close()
            raise
