"""A mount's load: a whole library, one edited track, and the full comparison.

    python tests/bench/bench_load.py [--json FILE] [--tracks N]

The baseline is DuckDB fetching the same tables as Arrow, in no order and with nothing around it.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import duckdb
from big_library import write_library
from timing import time_call

from musefs.index.read.load import compare, load_library, load_update
from musefs.index.read.snapshot import LibraryUpdate


def resident_file_free_bytes() -> int:
    """Return this process's resident memory without mapped files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    """Print load times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tracks", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "library.duckdb")
        write_library(path, arguments.tracks)

        def fetch_only() -> None:
            with duckdb.connect(str(path), read_only=True) as con:
                for table in ("tracks", "tags", "art", "blocks"):
                    con.sql(f"FROM {table}").to_arrow_table()

        fetched = time_call(fetch_only)
        loaded = time_call(lambda: load_library(path))
        before = resident_file_free_bytes()
        library = load_library(path)
        held = resident_file_free_bytes() - before
        with duckdb.connect(str(path)) as con:
            con.execute("UPDATE tags SET value = 'x' WHERE track_id = 5 AND key = 'title'")
        update = load_update(path, library)
        assert isinstance(update, LibraryUpdate)
        replayed = time_call(lambda: load_update(path, library))
        compared = time_call(lambda: compare(library, library), runs=2, warm=0)
    print(f"{arguments.tracks} tracks, 12 tags, 1 picture and 1 block each")
    print(f"  DuckDB fetching the tables     {fetched.text()}")
    print(f"  load_library, in track order   {loaded.text()}")
    print(f"  memory that is no mapped file  {held / arguments.tracks:.0f} bytes a track")
    print(f"  replay one edited track        {replayed.text()}")
    print(f"  compare two whole states       {compared.text()}")
    if arguments.json:
        results = {
            "tracks": arguments.tracks,
            "fetch": fetched.as_dict(),
            "load": loaded.as_dict(),
            "replay": replayed.as_dict(),
            "compare": compared.as_dict(),
            "resident_bytes_per_track": held / arguments.tracks,
        }
        arguments.json.write_text(json.dumps(results, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
