"""`musefs-tag art`: which pictures are served, and changing them.

A picture that is added is stored once, whatever number of tracks uses it; pictures of the files
stay references. Writing them to files is `picture_export`.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from musefs.index.edit.session import EditSession
from musefs.index.errors import UsageError
from musefs.index.media.facts import Encoding
from musefs.index.media.picture_file import picture_facts

if TYPE_CHECKING:
    import duckdb

MAX_PICTURE_BYTES = 16_711_680
"""What a FLAC picture block can hold beside its own fields; no player wants more."""


@dataclass(frozen=True, slots=True)
class ServedPicture:
    """One picture that the mount serves."""

    track_id: int
    path: str
    ordinal: int
    picture_type: int
    mime: str
    width: int
    height: int
    length: int
    description: str
    added: bool
    """A user added it; else it is the file's own."""


def served_pictures(con: "duckdb.DuckDBPyConnection") -> list[ServedPicture]:
    """Return the pictures of the selected tracks."""
    rows = con.execute(
        "SELECT a.track_id, t.path, a.ordinal, a.picture_type, a.mime, a.width, a.height, "
        "a.length, a.description, a.art_hash IS NOT NULL FROM art a JOIN tracks t USING (track_id) "
        "SEMI JOIN selected USING (track_id) ORDER BY t.path, a.track_id, a.ordinal"
    ).fetchall()
    return [ServedPicture(*row) for row in rows]


def set_picture(session: EditSession, source: Path, picture_type: int) -> int:
    """Serve the picture for the selected tracks in place of those of its type."""
    con = session.con
    try:
        data = source.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", path=source) from error
    facts = picture_facts(data)
    if facts is None:
        raise UsageError("is not a PNG, JPEG, GIF, WebP or BMP picture", path=source)
    if len(data) > MAX_PICTURE_BYTES:
        raise UsageError(
            f"has {len(data)} bytes; audio files hold at most {MAX_PICTURE_BYTES}", path=source
        )
    digest = hashlib.sha256(data).hexdigest()
    con.execute(
        "INSERT INTO art_data SELECT $hash, $mime, $width, $height, $data::BLOB "
        "WHERE $hash NOT IN (SELECT art_hash FROM art_data)",
        {
            "hash": digest,
            "mime": facts.mime,
            "width": facts.width,
            "height": facts.height,
            "data": data,
        },
    )
    con.execute(
        "CREATE TEMP TABLE changing AS SELECT track_id FROM selected ANTI JOIN (SELECT track_id "
        "FROM art WHERE picture_type = $type GROUP BY track_id "
        "HAVING count(*) = 1 AND any_value(art_hash) = $hash) USING (track_id)",
        {"type": picture_type, "hash": digest},
    )
    con.execute(
        "DELETE FROM art WHERE picture_type = $type AND track_id IN (FROM changing)",
        {"type": picture_type},
    )
    con.execute(
        "INSERT INTO art SELECT track_id, coalesce((SELECT max(ordinal) + 1 FROM art a "
        "WHERE a.track_id = changing.track_id), 0), $type, $mime, '', $width, $height, $depth, 0, "
        f"$length, '{Encoding.RAW.value}', 0, NULL, $hash FROM changing",
        {
            "type": picture_type,
            "mime": facts.mime,
            "width": facts.width,
            "height": facts.height,
            "depth": facts.depth,
            "length": len(data),
            "hash": digest,
        },
    )
    return _count_changing(session)


def remove_pictures(session: EditSession, picture_type: int) -> int:
    """Serve no picture of this type for the selected tracks; return how many tracks changed."""
    con = session.con
    con.execute(
        "CREATE TEMP TABLE changing AS SELECT DISTINCT track_id FROM art "
        "SEMI JOIN selected USING (track_id) WHERE picture_type = $type",
        {"type": picture_type},
    )
    con.execute(
        "DELETE FROM art WHERE picture_type = $type AND track_id IN (FROM changing)",
        {"type": picture_type},
    )
    return _count_changing(session)


def reset_pictures(session: EditSession) -> int:
    """Serve the files' own pictures again for the selected tracks that differ from them."""
    con = session.con
    con.execute(
        "CREATE TEMP TABLE changing AS SELECT DISTINCT track_id FROM ("
        "(FROM art EXCEPT ALL FROM scanned_art) UNION ALL (FROM scanned_art EXCEPT ALL FROM art)) "
        "SEMI JOIN selected USING (track_id)"
    )
    con.execute("DELETE FROM art WHERE track_id IN (FROM changing)")
    con.execute("INSERT INTO art SELECT * FROM scanned_art WHERE track_id IN (FROM changing)")
    return _count_changing(session)


def _count_changing(session: EditSession) -> int:
    con = session.con
    session.join_change_sets()
    ((count,),) = con.execute("SELECT count(*) FROM changing").fetchall()
    con.execute("DROP TABLE changing")
    return int(count)
