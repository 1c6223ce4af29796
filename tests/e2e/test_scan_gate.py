"""Row F13: the ceilings that no scan may come near, with the evidence written down."""

import json
import subprocess
import sys
from pathlib import Path

from support.big_mft import write_saved_mft

RECORDS = 150_000
CODE = "import sys; from musefs.pipeline.cli import main; sys.exit(main())"


def test_f13_a_million_records_stay_below_a_minute_and_the_memory_ceiling(tmp_path: Path) -> None:
    """F13: at most 60 s for a million entries, in fixed memory; twenty times what is measured.

    Ceilings, not targets: the benchmark says how fast a scan is, this says when it is broken. The
    compiler's part is left out, as it runs once for a version.
    """
    saved, stats = tmp_path / "saved.mft", tmp_path / "evidence.json"
    write_saved_mft(saved, RECORDS)
    words = [sys.executable, "-c", CODE, saved, "--out", tmp_path / "i.duckdb", "--stats", stats]
    done = subprocess.run([str(word) for word in words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    evidence = json.loads(stats.read_text())
    compiling = evidence["phases"].get("compile", {"busy_seconds": 0.0})["busy_seconds"]
    records = evidence["records"]
    assert records >= RECORDS
    assert (evidence["seconds"] - compiling) * 1_000_000 / records <= 60
    assert evidence["peak_rss_bytes"] <= 1 << 30
