"""Days of mounting in fast-forward: memory, descriptors and mappings stay what they are."""

import os
import shutil
import statistics
import sys
from pathlib import Path

import pytest
from support.mounted_index import MountedIndex, index_folder
from support.soaking import live

pytestmark = [pytest.mark.fuse, pytest.mark.timeout(4000)]

SECONDS = 1500.0 if os.environ.get("MUSEFS_SLOW") else 30.0
"""The long run makes as many requests as a busy day of a media server."""


@pytest.fixture(scope="module")
def index(audio_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of a copy of the audio fixtures."""
    folder = tmp_path_factory.mktemp("long")
    shutil.copytree(audio_library, folder / "library")
    index_folder(folder / "library", folder / "index.duckdb")
    return folder / "index.duckdb"


def test_a_day_in_fast_forward(index: Path, tmp_path: Path) -> None:
    """Issue 6: hundreds of thousands of operations with refreshes; flat memory and descriptors."""
    flags = ("-t", "$artist/$album/$title", "--expose-metrics")
    with MountedIndex(index, tmp_path / "mnt", *flags) as mount:
        life = live(mount, SECONDS)
        sys.stdout.write("\n".join(life.lines()) + "\n")
        assert "a bug in" not in mount.log()
        assert "failed" not in mount.log()
    assert life.refreshes > 2 * SECONDS
    assert life.operations > 1500 * SECONDS
    early, late = life.held[1:4], life.held[-3:]
    for what, allowed in (("descriptors", 2), ("mappings", 40), ("threads", 4)):
        before = statistics.median(getattr(held, what) for held in early)
        after = statistics.median(getattr(held, what) for held in late)
        assert after - before <= allowed, "\n".join(life.lines())
    before, after = (
        statistics.median(held.own_mib - held.caches_mib for held in looks)
        for looks in (early, late)
    )
    assert after - before <= 16, "\n".join(life.lines())
