"""Fixtures of the tests against real kernel mounts."""

from pathlib import Path

import pytest
from support.served_library import pattern

TRANSPORTS = ("mini", "trio", "raw")

ORIGINALS = {"one.bin": 3 << 20, "two.bin": 700_001, "tiny.bin": 17}


@pytest.fixture
def mount_directory(tmp_path: Path) -> Path:
    """A folder with originals for a mount."""
    originals = tmp_path / "originals"
    originals.mkdir()
    for seed, (name, length) in enumerate(ORIGINALS.items()):
        (originals / name).write_bytes(pattern(seed, length))
    return tmp_path


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """Each way in which requests can come from the kernel."""
    return str(request.param)
