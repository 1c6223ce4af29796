"""A really full disk: the scan says so, the old index stays, nothing is left behind."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from support.index_rows import streams

from musefs.index.counters import Counter
from musefs.index.errors import ExitCode, IndexDiskFullError
from musefs.index.schema.volume_tables import STREAMS
from musefs.index.write import IndexWriter

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small file system"
    ),
    pytest.mark.expected_degradations(Counter.BATCH_RESTORES, Counter.SYNC_FAILURES),
]

DISK_BYTES = 6 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)], check=True
    )
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _incompressible(count: int) -> pa.Table:
    table = streams(range(count))
    noise = np.random.default_rng(1).integers(0, 2**62, count)
    return table.set_column(
        table.schema.get_field_index("size"), table.schema.field("size"), pa.array(noise)
    )


@pytest.mark.parametrize("rows", [400_000, 2_000_000])
def test_a_full_disk_leaves_the_old_index(small_disk: Path, rows: int) -> None:
    path = small_disk / "index.duckdb"
    with IndexWriter(path) as writer:
        writer.append(STREAMS, streams(range(100)))
        writer.publish("old")
    (small_disk / "ballast").write_bytes(bytes(1 << 20))
    old = path.read_bytes()

    def scan() -> None:
        with IndexWriter(path) as writer:
            for start in range(0, rows, 50_000):
                writer.append(STREAMS, _incompressible(50_000 + start)[start:])
            writer.publish("new")

    with pytest.raises(IndexDiskFullError) as caught:
        scan()
    assert caught.value.exit_code is ExitCode.WRITE
    assert "space" in caught.value.hint
    assert path.read_bytes() == old
    assert sorted(p.name for p in small_disk.iterdir()) == ["ballast", "index.duckdb"]
    with duckdb.connect(str(path), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM streams").fetchall() == [(100,)]


@pytest.mark.parametrize(("mode", "inner"), [(0o555, ""), (0o000, "inner")])
def test_a_folder_that_cannot_be_used_is_said(mode: int, inner: str) -> None:
    """As another user, because root may write everywhere."""
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from musefs.index.errors import IndexWriteError\n"
        "from musefs.index.write.previous import check_place\n"
        "os.setuid(65534)\n"
        "try:\n    check_place(Path(sys.argv[1]))\n"
        "except IndexWriteError as error:\n    print(error)\n"
    )
    with tempfile.TemporaryDirectory() as place:  # not below tmp_path, which is root's alone
        Path(place).chmod(mode)
        done = subprocess.run(
            [sys.executable, "-c", code, str(Path(place, inner, "i.duckdb"))],
            capture_output=True,
            text=True,
            check=False,
        )
    assert "permission denied" in done.stdout, done.stderr
