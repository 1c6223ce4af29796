"""What a scan counts as found: names beyond the first, users' streams, and why there is nothing."""

import pyarrow as pa

from musefs.index.counters import Counter
from musefs.index.schema.volume_tables import ENTRIES, NAMES
from musefs.pipeline.census import Census


def entries(*rows: tuple[int, bool, int, int]) -> pa.RecordBatch:
    """Make a batch of (record number, is a folder, names, streams)."""
    filled = [
        {field.name: None if field.nullable else 0 for field in ENTRIES.arrow_schema}
        | {"record_number": record, "is_directory": folder, "name_count": names}
        | {"stream_count": streams, "in_use": True}
        for record, folder, names, streams in rows
    ]
    return pa.RecordBatch.from_pylist(filled, schema=ENTRIES.arrow_schema)


def test_hard_links_are_names_beyond_the_first_whatever_has_no_name() -> None:
    census = Census()
    census.count(ENTRIES, entries((64, False, 3, 1), (65, False, 0, 0), (66, True, 1, 0)))
    assert (census.hard_links, census.streams) == (2, 1)
    assert (census.files, census.folders) == (2, 1)


def test_metafiles_are_nobodys_files() -> None:
    census = Census()
    census.count(ENTRIES, entries((8, False, 1, 1), (3, False, 1, 0)))
    assert (census.files, census.streams) == (0, 0)
    assert "only the file system's own" in (census.why_nothing(16, {}) or "")


def test_damage_explains_an_empty_answer() -> None:
    why = Census().why_nothing(100, {Counter.TORN_RECORDS: 100}) or ""
    assert "100 torn_records" in why


def names(*rows: tuple[int, int]) -> pa.RecordBatch:
    """Make a batch of (entry id, parent's record)."""
    filled = [
        {field.name: None if field.nullable else 0 for field in NAMES.arrow_schema}
        | {"entry_id": entry, "parent_record": parent, "name": "n"}
        for entry, parent in rows
    ]
    return pa.RecordBatch.from_pylist(filled, schema=NAMES.arrow_schema)


def test_what_lies_in_extend_is_nobodys_file() -> None:
    census = Census()
    batch = entries((24, False, 1, 2), (25, False, 1, 0), (27, True, 1, 0), (28, False, 1, 1),
                    (64, False, 1, 1), (65, True, 1, 0))  # fmt: skip
    batch = batch.set_column(0, ENTRIES.arrow_schema.field(0), pa.array(range(6), pa.int64()))
    census.count(ENTRIES, batch)
    census.count(NAMES, names((0, 11), (1, 11), (2, 11), (3, 27), (4, 5), (5, 5)))
    assert (census.files, census.folders, census.streams) == (1, 1, 1)


def test_a_folder_with_the_inode_of_extend_is_a_folder_like_others() -> None:
    census = Census(skip_records_below=0)
    census.count(ENTRIES, entries((11, True, 1, 0), (12, False, 1, 0)))
    census.count(NAMES, names((0, 2), (0, 11)))
    assert (census.files, census.folders) == (1, 1)
