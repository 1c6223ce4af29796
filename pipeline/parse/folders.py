"""What must stay in memory while records stream by: the folders, and which parents names have."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from musefs.pipeline.parse.batches import AnyArray, numbers
from musefs.pipeline.parse.columns import Numbers, Rows

_arrow: Any = pa
"""pyarrow where its stubs leave a method partly unknown."""

NAME_COLUMN, EXACT_COLUMN = 2, 3
"""Places of name and name_bytes in the names table."""


@dataclass(frozen=True, slots=True)
class FolderRows:
    """Folders with their primary name, in entry order."""

    entry_ids: Numbers
    record_numbers: Numbers
    sequences: Numbers
    in_use: Numbers
    attributes: Numbers
    parent_records: Numbers
    parent_sequences: Numbers
    names: AnyArray
    exact: AnyArray


@dataclass(frozen=True, slots=True)
class ParentCounts:
    """How many names point to which (record, sequence), packed as on disk."""

    references: Numbers
    counts: Numbers


def pick_folders(
    entries: Rows, names: Rows, name_batch: pa.RecordBatch, first_entry: int
) -> FolderRows:
    """Return the folders of one chunk from its joined rows and the batch of its names."""
    picked = np.flatnonzero((names["ordinal"] == 0) & (names["of_directory"] != 0))
    rows = names[picked]
    of = entries[np.searchsorted(entries["entry"], rows["entry"])]
    return FolderRows(
        entry_ids=rows["entry"].astype(np.int64) + first_entry,
        record_numbers=of["record_number"].astype(np.int64),
        sequences=of["sequence"].astype(np.int64),
        in_use=of["in_use"].astype(np.int64),
        attributes=of["attributes"].astype(np.int64),
        parent_records=rows["parent_record"].astype(np.int64),
        parent_sequences=rows["parent_sequence"].astype(np.int64),
        names=_taken(name_batch, NAME_COLUMN, picked),
        exact=_taken(name_batch, EXACT_COLUMN, picked),
    )


def _taken(batch: pa.RecordBatch, column: int, places: Numbers) -> AnyArray:
    taken: AnyArray = _arrow.RecordBatch.column(batch, column).take(numbers(pa.int64(), places))
    return taken


def count_parents(names: Rows) -> ParentCounts:
    """Return the distinct parents of one chunk's names: far fewer than names."""
    packed = names["parent_record"] | names["parent_sequence"].astype(np.int64) << 48
    references, counts = np.unique(packed, return_counts=True)
    return ParentCounts(references, counts)
