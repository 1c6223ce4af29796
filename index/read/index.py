"""An index to read from, for notebooks and programs: frames out, the file let go after each look.

    from musefs.index import open_index

    index = open_index("index.duckdb")
    index.search("ext:flac size:>=100mb !live")
    index.sql("SELECT * FROM largest_folders LIMIT 10")
    index.ask("missing_tags")

Each call opens the file, copies its answer out and closes it, so that a scan or an edit can come
in between. `with open_index(path) as index:` holds one state for a series of questions instead.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from musefs.index.errors import IndexFileError, SelectionError
from musefs.index.read.attach import attached
from musefs.index.read.question import Subject
from musefs.index.read.questions import QUESTIONS
from musefs.index.read.search import compile_search

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import duckdb
    import polars as pl
    import pyarrow as pa

Parameters = Mapping[str, Any] | Sequence[Any] | None
"""What DuckDB takes for $name or ? in a query: values of any type that it knows."""

_NEEDED = {
    Subject.VOLUME: (
        "volumes",
        "this index describes no volume: make one with `musefs-scan SOURCE --out INDEX`",
    ),
    Subject.LIBRARY: (
        "tracks",
        "this index has no tracks: either no audio was found, or it was scanned with --no-tags "
        "or from a saved $MFT; scan again without --no-tags, a saved $MFT with --root",
    ),
    Subject.SCAN: (
        "scans",
        "this index tells of no scan: make one with `musefs-scan SOURCE --out INDEX`",
    ),
}
"""What a question looks into, and the words when nothing is there."""


class Index:
    """One index file; see `open_index`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: duckdb.DuckDBPyConnection | None = None
        self._holder: AbstractContextManager[duckdb.DuckDBPyConnection] | None = None

    @contextmanager
    def _connection(self) -> "Generator[duckdb.DuckDBPyConnection]":
        if self._held is not None:
            # a cursor each: a connection with an open result refuses other questions
            with self._held.cursor() as cursor:
                cursor.execute("USE idx")
                yield cursor
            return
        with attached(self.path) as con:
            yield con

    def arrow(self, query: str, parameters: Parameters = None) -> "pa.Table":
        """Run SQL and return an Arrow table."""
        with self._connection() as con:
            table: pa.Table = con.sql(query, params=parameters).to_arrow_table()
            return table

    def sql(self, query: str, parameters: Parameters = None) -> "pl.DataFrame":
        """Run SQL and return a polars frame."""
        import polars as pl

        return pl.DataFrame(self.arrow(query, parameters))

    def _from(self, view: str, where: str | None, limit: int | None) -> "pl.DataFrame":
        condition = f" WHERE ({where}\n)" if where else ""
        return self.sql(f"SELECT * FROM {view}{condition}" + (f" LIMIT {limit}" if limit else ""))

    def meta(self) -> dict[str, object]:
        """Return the one row of meta: versions, generation, counts."""
        return self.sql("FROM meta").row(0, named=True)

    def volumes(self) -> "pl.DataFrame":
        """Return what was scanned: one volume."""
        return self.sql("FROM volumes")

    def files(self, where: str | None = None, limit: int | None = None) -> "pl.DataFrame":
        """Return names with full paths; `where` is SQL over the view files."""
        return self._from("files", where, limit)

    def tracks(self, where: str | None = None, limit: int | None = None) -> "pl.DataFrame":
        """Return tracks with their most used tags; `where` is SQL over the view tracks_v."""
        return self._from("tracks_v", where, limit)

    def tags(self, track_ids: Sequence[int] | None = None) -> "pl.DataFrame":
        """Return served tags, a row a value, of all or some tracks."""
        chosen = "" if track_ids is None else "WHERE track_id IN (SELECT unnest($ids)) "
        return self.sql(
            f"SELECT * FROM tags {chosen}ORDER BY track_id, key, ordinal",
            None if track_ids is None else {"ids": list(track_ids)},
        )

    def search(
        self, query: str, *, limit: int | None = 1000, hidden: bool = False
    ) -> "pl.DataFrame":
        """Return files and folders that match a query in the search language, by path.

        See `musefs.index.read.search` for the language.
        """
        import duckdb

        condition = compile_search(query, hidden=hidden)
        try:
            return self.sql(
                f"SELECT * FROM files WHERE {condition.sql} ORDER BY path"
                + (f" LIMIT {limit}" if limit else ""),
                condition.parameters,
            )
        except duckdb.InvalidInputException as error:  # a regular expression that is none
            raise SelectionError(f"{query!r}: {str(error).splitlines()[0]}") from error

    def ask(self, name: str) -> "pl.DataFrame":
        """Answer one of the named questions of `musefs.index.read.questions`.

        An index that holds nothing of what is asked about says so, instead of an empty answer.
        """
        question = QUESTIONS.get(name)
        if question is None:
            near = get_close_matches(name, QUESTIONS, 3, 0.4)
            raise SelectionError(
                f"no question is called {name!r}; "
                + (f"did you mean {' or '.join(near)}?" if near else "docs/cookbook.md lists them"),
                hint="docs/cookbook.md lists the questions.",
            )
        self._require(question.subject)
        return self.sql(question.sql)

    def _require(self, subject: Subject) -> None:
        table, absent = _NEEDED[subject]
        ((some,),) = self.sql(f"SELECT count(*) FROM (FROM {table} LIMIT 1)").rows()
        if not some:
            raise IndexFileError(absent, path=self.path, hint=absent)

    def __enter__(self) -> Self:
        self._holder = attached(self.path)
        self._held = self._holder.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        holder, self._holder, self._held = self._holder, None, None
        if holder is not None:
            holder.__exit__(None, None, None)

    def __repr__(self) -> str:
        return f"Index({str(self.path)!r})"


def open_index(path: str | Path) -> Index:
    """Return the index at `path`; raises IndexFileError or IndexBusyError if it cannot be read."""
    index = Index(Path(path))
    with attached(index.path, threads=1):
        return index
