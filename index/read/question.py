"""Questions that users ask of an index, as data: a name, the words, the SQL.

The notebooks draw their answers, `Index.ask` runs them, and docs/cookbook.md shows them to be
copied into any DuckDB client; a test executes every one. All are plain SQL over the documented
tables and views, so none of them knows more than a user may.
"""

from dataclasses import dataclass
from enum import StrEnum


class Subject(StrEnum):
    """What a question needs the index to hold; decides the words when it holds none of it."""

    VOLUME = "volume"
    LIBRARY = "library"
    SCAN = "scan"


@dataclass(frozen=True, slots=True)
class Question:
    """One question."""

    name: str
    """What `Index.ask` is given."""
    words: str
    """The question as a user would put it."""
    subject: Subject
    sql: str
    note: str = ""
    """What to keep in mind when reading the answer."""
