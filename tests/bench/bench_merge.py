"""Three-way merge of a library whose every track was edited, on rescan.

    python tests/bench/bench_merge.py [--json FILE] [--tracks N]

Three rescans: nothing was read again; every file changed and was read again; the same without
any edits, as the baseline.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import duckdb
from big_library import art, blocks, tags, tracks, write_library

from musefs.index.schema.library_tables import BLOCKS, SCANNED_ART, SCANNED_TAGS, TRACKS
from musefs.index.write import IndexWriter, PublishReport


def rescan(path: Path, count: int, *, changed: bool) -> PublishReport:
    """Publish another scan of the same tracks."""
    with IndexWriter(path) as writer:
        writer.append(TRACKS, tracks(count, 40_000_000 if changed else 30_000_000))
        if changed:
            writer.append(SCANNED_TAGS, tags(count, "new "))
            writer.append(SCANNED_ART, art(count))
            writer.append(BLOCKS, blocks(count))
        return writer.publish("again")


def main() -> None:
    """Print merge times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tracks", type=int, default=100_000)
    arguments = parser.parse_args()
    count = arguments.tracks
    results: dict[str, float] = {"tracks": count}
    with tempfile.TemporaryDirectory() as directory:
        plain, edited = Path(directory, "plain.duckdb"), Path(directory, "edited.duckdb")
        write_library(plain, count)
        shutil.copy(plain, edited)
        with duckdb.connect(str(edited)) as con:
            con.execute("UPDATE tags SET value = value || ' (edited)' WHERE key = 'title'")
            con.execute("INSERT INTO tags SELECT track_id, 'mood', 0, 'calm' FROM tracks")
        for name, path, changed in (
            ("nothing read, all edited", edited, False),
            ("all read, all edited", edited, True),
            ("all read, nothing edited", plain, True),
        ):
            report = rescan(path, count, changed=changed)
            key = name.replace(", ", "_").replace(" ", "_")
            results[f"{key}_seconds"] = report.merge_seconds
            print(
                f"{name:28} merge {report.merge_seconds:5.2f} s, publish {report.seconds:5.2f} s, "
                f"{report.merge.edits_kept} edits against the files kept"
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
