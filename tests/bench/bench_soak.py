"""A mount's long life in fast-forward: operations, edits, refreshes, and what the daemon holds.

    python tests/bench/bench_soak.py [--seconds N] [--clients N] [--json FILE]

The library is made by real encoders. `MUSEFS_SLOW=1 pytest tests/e2e/test_long_life.py` asserts on
the same for 25 minutes. Needs root and /dev/fuse.
"""

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "data" / "fixtures"))
import make_audio
from support.mounted_index import MountedIndex, index_folder
from support.soaking import live


def main() -> None:
    """Live, and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="musefs-bench-") as name:
        library, index = Path(name, "library"), Path(name, "index.duckdb")
        shutil.copytree(make_audio.cached_library(), library)
        index_folder(library, index)
        flags = ("-t", "$artist/$album/$title", "--expose-metrics")
        with MountedIndex(index, Path(name, "mnt"), *flags) as mount:
            life = live(mount, options.seconds, clients=options.clients)
    sys.stdout.write("\n".join(life.lines()) + "\n")
    if options.json is not None:
        options.json.write_text(json.dumps(asdict(life), indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
