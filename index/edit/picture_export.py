"""Writing served pictures as files: added ones from the index, the files' own from their bytes.

Originals are read below the root that was scanned, or, where an image or a device was scanned
without one, from the volume itself. An original that is gone or was changed costs its own picture.
"""

import base64
import os
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musefs.index.backing.content import Backing, ContentKind, ContentRef, Stamp
from musefs.index.backing.mounted import MountedBacking
from musefs.index.backing.raw_volume import FileSource, Geometry, VolumeBacking, find_volume
from musefs.index.counters import Counter, degrade
from musefs.index.errors import BackingMissingError, ContentError
from musefs.index.media.facts import Encoding
from musefs.index.schema.enums import VolumeKind

if TYPE_CHECKING:
    import duckdb

_EXTENSIONS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
}

Row = dict[str, Any]
"""One picture: columns of art, its track, and where the track's bytes lie, by name."""


def export_pictures(
    con: "duckdb.DuckDBPyConnection", directory: Path, picture_type: int
) -> Iterator[Path]:
    """Write the selected tracks' pictures of one type; yields each file that was written."""
    directory.mkdir(parents=True, exist_ok=True)
    cursor = con.execute(
        "SELECT t.track_id, a.ordinal, a.mime, a.encoding::VARCHAR AS encoding, a.skip, a.length, "
        "a.spans, d.data, coalesce(t.path_bytes, encode(t.path)) AS path, t.record_number, "
        "t.sequence, t.size, t.mtime_ns, t.ctime_ns, t.lsn, c.kind::VARCHAR AS kind, "
        "c.valid_size, c.unit_clusters, c.resident, c.runs FROM art a "
        "JOIN tracks t USING (track_id) LEFT JOIN art_data d USING (art_hash) "
        "LEFT JOIN contents c USING (entry_id) "
        "SEMI JOIN selected ON selected.track_id = t.track_id WHERE a.picture_type = $type "
        "ORDER BY t.track_id, a.ordinal",
        {"type": picture_type},
    )
    names = [column[0] for column in cursor.description or ()]
    rows: list[Row] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    with _originals(con, needed=any(row["data"] is None for row in rows)) as backing:
        for row in rows:
            data = row["data"] if row["data"] is not None else _from_original(backing, row)
            if data is None:
                continue
            name = f"{row['track_id']}-{row['ordinal']}{_EXTENSIONS.get(row['mime'], '.bin')}"
            (directory / name).write_bytes(data)
            yield directory / name


@contextmanager
def _originals(con: "duckdb.DuckDBPyConnection", *, needed: bool) -> Generator[Backing | None]:
    """Open where originals are read; None if nothing has to be."""
    cursor = con.execute("FROM volumes")
    names = [column[0] for column in cursor.description or ()]
    row = cursor.fetchone()
    volume: Row = dict(zip(names, row, strict=True)) if row else {}
    if not needed:
        yield None
    elif volume.get("root_path") is not None:
        yield MountedBacking(Path(os.path.abspath(volume["root_path"])))  # noqa: PTH100 - no links
    elif volume.get("kind") == VolumeKind.NTFS and Path(volume["source"]).exists():
        backing = _on_volume(volume)
        try:
            yield backing
        finally:
            backing.close()
    else:
        raise BackingMissingError("the index does not say where its volume is mounted")


def _on_volume(volume: Row) -> VolumeBacking:
    device = Path(volume["source"])
    geometry = Geometry(
        volume["partition_offset"],
        volume["bytes_per_cluster"],
        volume["bytes_per_record"],
        _spans(volume["mft_runs"]),
    )
    source = FileSource(device)
    try:
        return VolumeBacking(source, find_volume(source, geometry, volume["serial"], device))
    except BaseException:
        source.close()
        raise


def _from_original(backing: Backing | None, row: Row) -> bytes | None:
    if backing is None:
        return None
    try:
        with backing.open(_reference(row)) as content:
            coded = b"".join(content.read_at(*span) for span in _spans(row["spans"]))
    except ContentError as error:
        degrade(Counter.PICTURES_NOT_EXPORTED, "no picture of track %d: %s", row["track_id"], error)
        return None
    return _decode(coded, Encoding(row["encoding"]))[row["skip"] : row["skip"] + row["length"]]


def _reference(row: Row) -> ContentRef:
    path: bytes = row["path"]
    return ContentRef(
        path=path if path.startswith(b"/") else b"/" + path,
        record_number=row["record_number"],
        sequence=row["sequence"],
        stamp=Stamp(row["size"], row["mtime_ns"], row["ctime_ns"], lsn=row["lsn"]),
        kind=ContentKind.DAMAGED if row["kind"] is None else ContentKind(row["kind"]),
        valid_size=row["valid_size"] or 0,
        unit_clusters=row["unit_clusters"] or 0,
        resident=row["resident"],
        runs=_spans(row["runs"]),
    )


def _spans(structs: list[dict[str, int]] | None) -> tuple[tuple[int, int], ...]:
    return tuple((span["offset"], span["length"]) for span in structs or ())


def _decode(coded: bytes, encoding: Encoding) -> bytes:
    match encoding:
        case Encoding.RAW:
            return coded
        case Encoding.BASE64:
            return base64.b64decode(coded)
        case Encoding.UNSYNC:
            return coded.replace(b"\xff\x00", b"\xff")
        case Encoding.ZLIB:
            return zlib.decompress(coded)
        case Encoding.UNSYNC_ZLIB:
            return zlib.decompress(coded.replace(b"\xff\x00", b"\xff"))
