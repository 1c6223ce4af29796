"""Row H20 (and H16): SIGKILL at any moment leaves one whole generation, and no edit is lost.

20 kill points by default, 200 with MUSEFS_SLOW=1: one after the other at every border of the
writer's steps over two scans, the rest at random moments. Between two kills a user edits.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from support import scan_child

from musefs.index.check import check_index
from musefs.index.counters import Counter
from musefs.index.write import IndexWriter
from musefs.index.write.sweep import building_path, leftovers

KILLS = 200 if os.environ.get("MUSEFS_SLOW") else 20
BORDERS = 16
"""Borders of one scan: 5 rounds of write and sync, run, seal, and 3 steps on the disk."""
SEED = 20
LONGEST_SECONDS = 1.5


def _run_and_kill(index: Path, acks: Path, kill_at: int, after_seconds: float) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(scan_child.__file__).parents[1])}
    command = [sys.executable, scan_child.__file__, str(index), str(acks), str(kill_at)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as child:
        if kill_at == 0:
            time.sleep(after_seconds)  # the moment of a power cut: no event to wait for
            child.kill()
        _, said = child.communicate(timeout=60)
        assert child.returncode == -signal.SIGKILL, said.decode()


def _whole_generation(index: Path) -> int:
    with duckdb.connect(str(index), read_only=True) as con:
        ((generation, counted),) = con.execute("SELECT generation, streams FROM meta").fetchall()
        names = con.execute("SELECT DISTINCT name FROM streams").fetchall()
        ((rows,),) = con.execute("SELECT count(*) FROM streams").fetchall()
        label = f"generation-{generation}"
        assert names == [(label,)]
        assert rows == counted == scan_child.STREAM_ROWS
        assert con.execute("SELECT size, fingerprint FROM tracks").fetchall() == [
            (generation, label)
        ]
    assert check_index(index).problems == ()
    return int(generation)


def _edit(index: Path, value: str) -> None:
    with duckdb.connect(str(index)) as con:
        con.execute("DELETE FROM tags WHERE key = 'mood'")
        con.execute("INSERT INTO tags VALUES (1, 'mood', 0, ?)", [value])


def _mood(index: Path) -> str:
    with duckdb.connect(str(index), read_only=True) as con:
        return str(con.execute("SELECT value FROM tags WHERE key = 'mood'").fetchall()[0][0])


@pytest.mark.timeout(900)
@pytest.mark.expected_degradations(Counter.LEFTOVERS_SWEPT)
def test_every_kill_leaves_one_whole_generation(tmp_path: Path) -> None:
    """H20: whole old or whole new; what was acknowledged is there; edits survive."""
    chance = random.Random(SEED)
    index, acks = tmp_path / "index.duckdb", tmp_path / "acks"
    scan_child.scan(index, 0, scan_child.KillingScript(0))
    last = 1
    _edit(index, "first")
    for kill in range(KILLS):
        borders = kill + 1 if kill < BORDERS else 0
        _run_and_kill(index, acks, borders, chance.uniform(0.2, LONGEST_SECONDS))
        generation = _whole_generation(index)
        acknowledged = [int(line) for line in acks.read_text().split()] if acks.exists() else []
        assert generation >= max([last, *acknowledged])
        last = generation
        assert _mood(index) == ("first" if kill == 0 else f"after {kill - 1}")
        _edit(index, f"after {kill}")
    with IndexWriter(index):
        # those of the killed are swept; our own file may not be there yet
        assert set(leftovers(index)) <= {building_path(index)}
