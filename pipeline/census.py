"""What a scan found, counted from the batches as they pass; and why it is nothing, if so."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from musefs.index.counters import Counter
from musefs.index.schema.column import Table
from musefs.pipeline.ntfs.reference_number import FIRST_USER_RECORD

Numbers = npt.NDArray[np.int64]

DAMAGE = frozenset(
    {
        Counter.UNREADABLE_RECORDS,
        Counter.UNREACHABLE_RECORDS,
        Counter.TORN_RECORDS,
        Counter.BAAD_RECORDS,
        Counter.GARBAGE_RECORDS,
        Counter.BAD_FIXUP_ARRAYS,
        Counter.BAD_ATTRIBUTES,
        Counter.BAD_NAMES,
        Counter.BAD_RUN_LISTS,
        Counter.BAD_ATTRIBUTE_LISTS,
        Counter.BAD_REPARSE_POINTS,
        Counter.MISSING_EXTENTS,
        Counter.UNRESOLVED_PARENTS,
        Counter.PARENT_LOOPS,
        Counter.PATHS_TOO_DEEP,
        Counter.NAMES_OVER_LIMIT,
        Counter.UNREADABLE_FOLDERS,
        Counter.UNREADABLE_ENTRIES,
        Counter.TAG_FILES_FAILED,
        Counter.TAG_FILES_CHANGED,
    }
)
"""Counters that make a finished scan a partial one (exit code 10)."""


@dataclass(slots=True)
class Census:
    """Totals of the rows that went by."""

    skip_records_below: int = FIRST_USER_RECORD
    """Metafiles are rows like all others but nobody's files; 0 for a directory."""
    rows: dict[str, int] = field(default_factory=dict[str, int])
    files: int = 0
    folders: int = 0
    bytes: int = 0
    allocated: int = 0
    hard_links: int = 0
    """Names beyond the first of each entry."""
    streams: int = 0
    formats: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Files and bytes by readable extension."""

    def count(self, table: Table, batch: pa.RecordBatch) -> None:
        """Add one batch."""
        self.rows[table.name] = self.rows.get(table.name, 0) + batch.num_rows
        if table.name != "entries":
            return
        users = _values(batch, "record_number") >= self.skip_records_below
        folders = int(_values(batch, "is_directory")[users].sum())
        self.folders += folders
        self.files += int(users.sum()) - folders
        self.bytes += int(_values(batch, "size")[users].sum())
        self.allocated += int(_values(batch, "allocated")[users].sum())
        self.streams += int(_values(batch, "stream_count")[users].sum())
        further_names = _values(batch, "name_count")[users] - 1  # -1 where there is no name
        self.hard_links += int(np.maximum(further_names, 0).sum())

    def why_nothing(self, records: int, counts: Mapping[Counter, int]) -> str | None:
        """Return why no file was found; None if there are some."""
        if self.files:
            return None
        damage = ", ".join(f"{n} {c.value}" for c, n in counts.items() if c in DAMAGE)
        if damage:
            return f"0 files found: of {records} records some are damaged ({damage})"
        if not self.skip_records_below:
            return "0 files found: the folder holds none"
        if not records:
            return "0 files found: the $MFT has no records"
        return (
            f"0 files found: of {records} records only the file system's own are in use; "
            "--deleted also lists deleted files"
        )


def _values(batch: pa.RecordBatch, column: str) -> Numbers:
    """Return a column as numbers, 0 for NULL."""
    values: Numbers = batch.column(column).to_numpy(zero_copy_only=False)
    return np.nan_to_num(values).astype(np.int64)
