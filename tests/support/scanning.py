"""Runs the streaming scan, and the reference beside it, into plain rows that can be compared."""

import gzip
import os
import threading
from collections import Counter as Multiset
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from musefs.index.counters import Counter, fresh_tally
from musefs.index.schema.column import Table
from musefs.pipeline.ntfs.reference import ReferenceScan, scan_reference
from musefs.pipeline.phases import PhaseClock
from musefs.pipeline.read.layout import MftLayout, read_exactly, read_layout
from musefs.pipeline.read.run_map import HOLE
from musefs.pipeline.records import RecordOptions, RecordTotals, scan_records
from musefs.pipeline.resolve.entry_rows import table_rows
from musefs.pipeline.volume.doubles import MemoryVolume
from musefs.pipeline.volume.seam import Volume

Row = dict[str, Any]


@dataclass
class Scanned:
    """Rows by table name, what was counted, and the totals."""

    rows: dict[str, list[Row]]
    counts: Multiset[Counter]
    totals: RecordTotals
    batches: list[tuple[Table, pa.RecordBatch]] = field(default_factory=list)

    def paths(self) -> set[str]:
        """Every full path, for each link."""
        folders = {
            (row["record_number"], row["sequence"]): row["path"] for row in self.rows["directories"]
        }
        return {
            folders.get((row["parent_record"], row["parent_sequence"]), "?/") + row["name"]
            for row in self.rows["names"]
        }


def _spelled(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with the words of what travels as their positions."""
    words = {c.name: list(c.enum) for c in table.columns if c.enum and c.bits}
    return row | {name: members[row[name]].value for name, members in words.items()}


def saved(mft: bytes, **more: Any) -> MemoryVolume:
    """A saved $MFT; record 0 should begin with FILE."""
    return MemoryVolume(mft, **more)


def stream(volume: Volume, options: RecordOptions | None = None) -> Scanned:
    """Scan with the real pipeline."""
    batches: list[tuple[Table, pa.RecordBatch]] = []
    owner = threading.get_ident()

    def append(table: Table, batch: pa.RecordBatch) -> None:
        assert threading.get_ident() == owner
        batch.validate(full=True)
        batches.append((table, batch))

    with fresh_tally() as tally:
        layout = read_layout(volume)
        totals = scan_records(volume, layout, append, options or RecordOptions(), PhaseClock())
        counts = Multiset(dict(tally.snapshot()))
    rows: dict[str, list[Row]] = defaultdict(list)
    for table, batch in batches:
        assert batch.schema == table.arrow_schema
        rows[table.name] += [_spelled(table, row) for row in batch.to_pylist()]
    return Scanned(dict(rows), counts, totals, batches)


def logical_mft(volume: Volume, layout: MftLayout) -> bytes:
    """Return the whole logical $MFT."""
    return b"".join(
        bytes(span.length)
        if span.physical == HOLE
        else bytes(read_exactly(volume, span.physical, span.length))
        for span in layout.run_map.pieces(0, layout.data_bytes)
    )


def reference(volume: Volume, *, deleted: bool = False) -> ReferenceScan:
    """Scan with the reference parser."""
    layout = read_layout(volume)
    mft = logical_mft(volume, layout)
    return scan_reference(mft, layout.record_bytes, layout.geometry, deleted=deleted)


def reference_rows(scan: ReferenceScan) -> dict[str, list[Row]]:
    """The reference's rows by table name."""
    rows = table_rows(enumerate(scan.entries))
    return {table.name: [_spelled(table, line) for line in lines] for table, lines in rows if lines}


def key(row: Row) -> tuple[Any, ...]:
    """Order rows of any table, so that deferred ones fall into their place."""
    return (row["entry_id"], row.get("ordinal", 0), row.get("name") or "")


STREAM_ONLY = {
    Counter.UNRESOLVED_PARENTS,
    Counter.PARENT_LOOPS,
    Counter.PATHS_TOO_DEEP,
    Counter.EXT_NAME_CACHE_SKIPPED,
    Counter.SCAN_PIPELINE_FALLBACKS,
    Counter.UNREACHABLE_RECORDS,
    Counter.BACKUP_BOOT_SECTOR_USED,
    Counter.MFT_MIRROR_USED,
}
"""Counters that the reference, which knows no volumes and no paths, cannot have."""


def assert_equivalent(volume: Volume, options: RecordOptions) -> Scanned:
    """Assert that the streaming scan gives exactly the reference's rows and counts."""
    expected = reference(volume, deleted=options.deleted)
    scanned = stream(volume, options)
    wanted = reference_rows(expected)
    for name in ("entries", "names", "streams", "contents"):
        got = sorted(scanned.rows.get(name, []), key=key)
        assert got == sorted(wanted.get(name, []), key=key), name
    counts = {c: n for c, n in scanned.counts.items() if n and c not in STREAM_ONLY}
    assert counts == dict(expected.damage)
    return scanned


def shared_data() -> Path | None:
    """The folder with real volumes, if this machine has it."""
    named = os.environ.get("MUSEFS_SHARED_DATA")
    here = Path(__file__).resolve().parents[2]
    folders = [Path(named)] if named else [parent / "shared" / "data" for parent in here.parents]
    return next((folder for folder in folders if (folder / "ntfs").is_dir()), None)


def unpack_sparse(packed: Path, target: Path) -> Path:
    """Unpack a gzipped image, leaving holes where it is zero."""
    block = 1 << 16
    with gzip.open(packed) as source, target.open("wb") as out:
        while piece := source.read(block):
            if piece.count(0) == len(piece):
                out.seek(len(piece), 1)
            else:
                out.write(piece)
        out.truncate()
    return target
