"""Rows of the volume tables from entry facts, one at a time: for the few, and for the gate F10."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from musefs.index.schema.column import Table
from musefs.index.schema.enums import Namespace, code_of
from musefs.index.schema.volume_tables import CONTENTS, ENTRIES, NAMES, STREAMS
from musefs.pipeline.ntfs.content import ContentFacts
from musefs.pipeline.ntfs.entry import EntryFacts, LinkFacts
from musefs.pipeline.ntfs.reparse import ReparsePoint
from musefs.pipeline.ntfs.wtf8 import display_text, exact_where_different
from musefs.pipeline.parse.folders import FolderRows, ParentCounts

Row = dict[str, Any]
_NAMESPACES = tuple(Namespace)


def reparse_target(reparse: ReparsePoint | None) -> str | None:
    """Return the display text of a link's target."""
    if reparse is None:
        return None
    if reparse.target_bytes is not None:
        return reparse.target_bytes.decode("utf-8", "backslashreplace")
    return None if reparse.target_utf16 is None else display_text(reparse.target_utf16)


def entry_row(entry_id: int, entry: EntryFacts) -> Row:
    """Return the row of `entries`."""
    information, header = entry.information, entry.header
    return {
        "entry_id": entry_id,
        "record_number": entry.record_number,
        "sequence": header.sequence,
        "in_use": header.in_use,
        "is_directory": header.is_directory,
        "size": entry.size,
        "allocated": entry.allocated,
        "valid_size": entry.valid_size,
        "created_raw": information.created if information else 0,
        "modified_raw": information.modified if information else 0,
        "changed_raw": information.changed if information else 0,
        "accessed_raw": information.accessed if information else 0,
        "attributes": information.attributes if information else 0,
        "reparse_tag": entry.reparse.tag if entry.reparse else None,
        "reparse_target": reparse_target(entry.reparse),
        "security_id": information.security_id if information else None,
        "lsn": header.lsn if header.lsn < 1 << 63 else header.lsn - (1 << 64),
        "link_count": header.link_count,
        "name_count": len(entry.links),
        "stream_count": len(entry.streams),
        "state": code_of(entry.state),
    }


def name_row(entry_id: int, ordinal: int, link: LinkFacts) -> Row:
    """Return one row of `names`."""
    name = link.name
    short = link.short_utf16
    return {
        "entry_id": entry_id,
        "ordinal": ordinal,
        "name": display_text(name.utf16),
        "name_bytes": exact_where_different(name.utf16),
        "short_name": None if short is None else display_text(short),
        "namespace": code_of(_NAMESPACES[name.name_space]),
        "parent_record": name.parent.record_number,
        "parent_sequence": name.parent.sequence,
        "fn_created_raw": name.created,
        "fn_modified_raw": name.modified,
        "fn_changed_raw": name.changed,
        "fn_accessed_raw": name.accessed,
    }


def table_rows(entries: Iterable[tuple[int, EntryFacts]]) -> list[tuple[Table, list[Row]]]:
    """Return the rows of all four tables."""
    files: list[Row] = []
    names: list[Row] = []
    streams: list[Row] = []
    contents: list[Row] = []
    for entry_id, entry in entries:
        files.append(entry_row(entry_id, entry))
        names += [name_row(entry_id, i, link) for i, link in enumerate(entry.links)]
        streams += [
            {
                "entry_id": entry_id,
                "name": display_text(stream.utf16),
                "name_bytes": exact_where_different(stream.utf16),
                "size": stream.size,
                "allocated": stream.allocated,
            }
            for stream in entry.streams
        ]
        if entry.content is not None:
            contents.append(_content_row(entry_id, entry.content))
    return [(ENTRIES, files), (NAMES, names), (STREAMS, streams), (CONTENTS, contents)]


def _content_row(entry_id: int, content: ContentFacts) -> Row:
    return {
        "entry_id": entry_id,
        "kind": code_of(content.kind),
        "size": content.size,
        "valid_size": content.valid_size,
        "unit_clusters": content.unit_clusters,
        "first_byte": content.first_byte,
        "resident": content.resident,
        "runs": None
        if content.spans is None
        else [{"offset": offset, "length": length} for offset, length in content.spans],
    }


def batches_of(rows: list[tuple[Table, list[Row]]]) -> list[tuple[Table, pa.RecordBatch]]:
    """Return the rows as batches, without the tables that have none."""
    return [
        (table, pa.RecordBatch.from_pylist(lines, schema=table.arrow_schema))
        for table, lines in rows
        if lines
    ]


def folders_of(entries: list[tuple[int, EntryFacts]]) -> FolderRows:
    """Return the folders among `entries` that have a name."""
    folders = [(i, e) for i, e in entries if e.header.is_directory and e.links]
    names = [entry.links[0].name for _, entry in folders]

    def numbers(values: Iterable[int]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        return np.fromiter(values, np.int64)

    return FolderRows(
        entry_ids=numbers(entry_id for entry_id, _ in folders),
        record_numbers=numbers(e.record_number for _, e in folders),
        sequences=numbers(e.header.sequence for _, e in folders),
        in_use=numbers(int(e.header.in_use) for _, e in folders),
        attributes=numbers(e.information.attributes if e.information else 0 for _, e in folders),
        parent_records=numbers(name.parent.record_number for name in names),
        parent_sequences=numbers(name.parent.sequence for name in names),
        names=pa.array([display_text(name.utf16) for name in names], pa.string()),
        exact=pa.array([exact_where_different(name.utf16) for name in names], pa.binary()),
    )


def parents_of(entries: list[tuple[int, EntryFacts]]) -> ParentCounts:
    """Return the parents that the names of `entries` point to."""
    parents = [link.name.parent for _, entry in entries for link in entry.links]
    packed = np.array([p.record_number | p.sequence << 48 for p in parents], np.uint64)
    references, counts = np.unique(packed.view(np.int64), return_counts=True)
    return ParentCounts(references, counts)
