"""`make bench` runs on a small workload, prints its table, and names the peers that are missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "bench" / "bench_compare.py"


@pytest.mark.ntfs
@pytest.mark.fuse
def test_one_table_and_one_json(tmp_path: Path) -> None:
    target = tmp_path / "results" / "compare.json"
    small = ["--files", "300", "--tracks", "8", "--runs", "1"]
    environment = os.environ | {
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(Path.home() / ".cache"),
        "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", ""),
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "MUSEFS_PEERS_PYTHON": sys.executable,
    }
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *small, "--json", str(target)],
        env={name: value for name, value in environment.items() if value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert lines[0].startswith("| work | program | median (least..most) |")
    assert "not installed, left out: musefs (Rust)" in lines
    told = json.loads(target.read_text(encoding="utf-8"))
    assert told["workload"] == {"files": 300, "tracks": 8, "seed": 7, "runs": 1}
    ours = {row["part"] for row in told["rows"] if str(row["who"]).startswith("musefs-")}
    assert ours == {
        "scan", "tags, first scan", "tags, nothing changed", "mount, until it is there",
        "mount, first find -ls", "mount, second find -ls", "mount, read every song",
        "mount, read a 256 MiB file", "refresh, edit to visible name",
    }  # fmt: skip
    assert all(row["median"] > 0 and row["version"] is not None for row in told["rows"])
