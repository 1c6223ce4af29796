"""Entries and names from Arrow batches to a published index, alone and beside parser threads.

    python tests/bench/bench_writer.py [--json FILE] [--records N]

The baseline is DuckDB itself: the same Arrow tables, one CREATE TABLE each, one transaction, with
its defaults, then CHECKPOINT. Parser threads are kernels off the GIL (SHA-256 of 1 MiB).
"""

import argparse
import hashlib
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import duckdb
import pyarrow as pa
from big_library import volume_batches

from musefs.index.schema.column import Table
from musefs.index.write import IndexWriter

Batches = list[tuple[Table, pa.RecordBatch]]


def plain_duckdb(path: Path, batches: Batches) -> float:
    """Return the seconds of one INSERT a table without any of our machinery."""
    with duckdb.connect(str(path)) as con:
        started = time.perf_counter()
        con.execute("BEGIN")
        for name in ("entries", "names"):
            rows = pa.Table.from_batches([b for table, b in batches if table.name == name])
            con.register("rows", rows)
            con.execute(f"CREATE TABLE {name} AS FROM rows")
        con.execute("COMMIT")
        con.execute("CHECKPOINT")
        return time.perf_counter() - started


def through_the_writer(path: Path, batches: Batches, parsers: int) -> tuple[float, float]:
    """Return seconds from the first batch to the published file, and those spent writing rows."""
    stop = threading.Event()

    def parse() -> None:
        chunk = bytes(1 << 20)
        while not stop.is_set():
            hashlib.sha256(chunk).digest()

    threads = [threading.Thread(target=parse) for _ in range(parsers)]
    with IndexWriter(path) as writer:
        for thread in threads:
            thread.start()
        started = time.perf_counter()
        for table, batch in batches:
            writer.append(table, batch)
        writer.flush()
        busy = writer.statistics().busy_seconds
        writer.publish("bench")
        seconds = time.perf_counter() - started
        stop.set()
        for thread in threads:
            thread.join()
        return seconds, busy


def main() -> None:
    """Print rows a second for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--records", type=int, default=2_000_000)
    arguments = parser.parse_args()
    batches = volume_batches(arguments.records)
    rows = sum(batch.num_rows for _, batch in batches)
    values = sum(batch.num_rows * batch.num_columns for _, batch in batches)
    results: dict[str, float] = {"rows": rows}
    with tempfile.TemporaryDirectory() as directory:
        plain = plain_duckdb(Path(directory, "plain.duckdb"), batches)
        print(f"{rows / 1e6:.2f} M rows of {values / rows:.0f} columns")
        print(f"{'DuckDB alone, 2 threads':34} {plain:6.2f} s  {rows / plain / 1e6:5.2f} M rows/s")
        results["plain_seconds"] = plain
        for parsers in (0, 1, 2):
            path = Path(directory, f"writer{parsers}.duckdb")
            seconds, busy = through_the_writer(path, batches, parsers)
            name = f"writer beside {parsers} parser threads"
            print(
                f"{name:34} {seconds:6.2f} s  {rows / seconds / 1e6:5.2f} M rows/s  "
                f"{plain / seconds:.2f} x DuckDB alone; its thread wrote "
                f"{rows / busy / 1e6:.2f} M rows a second of its time"
            )
            results |= {f"parsers{parsers}_seconds": seconds, f"parsers{parsers}_busy": busy}
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
