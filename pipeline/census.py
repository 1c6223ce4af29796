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
Flags = npt.NDArray[np.bool_]

EXTEND_RECORD = 11
"""The folder of those metafiles that have no fixed record number: $ObjId, $Quota, $Reparse."""

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
    _metafolders: set[int] = field(default_factory=lambda: {EXTEND_RECORD})
    _entries: pa.RecordBatch | None = None
    """The last ones: a batch of names follows that of its entries."""

    def count(self, table: Table, batch: pa.RecordBatch) -> None:
        """Add one batch."""
        self.rows[table.name] = self.rows.get(table.name, 0) + batch.num_rows
        if table.name == "entries":
            self._entries = batch
            self._add(batch, _values(batch, "record_number") >= self.skip_records_below)
        elif table.name == "names" and self.skip_records_below:
            self._take_back_metafiles(batch)

    def _add(self, entries: pa.RecordBatch, which: Flags, sign: int = 1) -> None:
        folders = int(_values(entries, "is_directory")[which].sum())
        self.folders += sign * folders
        self.files += sign * (int(which.sum()) - folders)
        self.bytes += sign * int(_values(entries, "size")[which].sum())
        self.allocated += sign * int(_values(entries, "allocated")[which].sum())
        self.streams += sign * int(_values(entries, "stream_count")[which].sum())
        further_names = _values(entries, "name_count")[which] - 1  # -1 where there is no name
        self.hard_links += sign * int(np.maximum(further_names, 0).sum())

    def _take_back_metafiles(self, names: pa.RecordBatch) -> None:
        """Uncount what lies in $Extend, which only names tell, and they come after the entries."""
        if self._entries is None:
            return
        parents = _values(names, "parent_record")
        records = _values(self._entries, "record_number")
        while True:
            inside = np.isin(parents, list(self._metafolders))
            owners = _values(names, "entry_id")[inside] if inside.any() else parents[:0]
            which = np.isin(_values(self._entries, "entry_id"), owners)
            which &= records >= self.skip_records_below
            folders = records[which & (_values(self._entries, "is_directory") != 0)].tolist()
            if self._metafolders.issuperset(folders):
                break
            self._metafolders.update(folders)
        self._add(self._entries, which, -1)

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
