"""Pictures in the history of edits: a track's served pictures before and after, as JSON.

They lie in the table edits under a key that no tag can have, so that one undo takes back tags and
pictures of a change set alike. Triggers write them there, whatever client changes pictures. What
somebody deletes from art_data itself are bytes; those no undo brings back.
"""

import json
from typing import TYPE_CHECKING

from musefs.index.schema.column import Kind
from musefs.index.schema.ddl import quote_name, quote_text
from musefs.index.schema.library_tables import ART
from musefs.index.schema.triggers import PICTURES_KEY

if TYPE_CHECKING:
    import duckdb

_STRUCTURE = json.dumps(
    [
        {
            column.name: [{"offset": "BIGINT", "length": "BIGINT"}]
            if column.kind is Kind.SPANS
            else column.kind.sql
            for column in ART.columns
        }
    ]
)
_COLUMNS = ", ".join(quote_name(column.name) for column in ART.columns)


def undo_pictures(con: "duckdb.DuckDBPyConnection", change_set: int) -> int:
    """Serve the pictures from before a change set; return how many tracks changed."""
    con.execute(
        "CREATE TEMP TABLE undone AS SELECT track_id, before FROM edits "
        f"WHERE change_set = {change_set} AND key = {quote_text(PICTURES_KEY)}"
    )
    ((count,),) = con.execute("SELECT count(*) FROM undone").fetchall()
    if count:
        con.execute("DELETE FROM art WHERE track_id IN (SELECT track_id FROM undone)")
        con.execute(
            f"INSERT INTO art ({_COLUMNS}) SELECT {_COLUMNS} FROM ("
            f"SELECT unnest(from_json(before, {quote_text(_STRUCTURE)}), max_depth := 2) "
            "FROM undone WHERE before IS NOT NULL) p "
            # ranges of a file that was written again since then would be other bytes now
            "WHERE art_hash IN (SELECT art_hash FROM art_data) OR EXISTS (FROM scanned_art s "
            "WHERE s.track_id = p.track_id AND s.spans = p.spans) ORDER BY track_id, ordinal"
        )
    con.execute("DROP TABLE undone")
    return int(count)
