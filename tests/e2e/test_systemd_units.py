"""The units in docs/systemd, as systemd itself reads them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "docs" / "systemd"

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze"
)


def test_units_are_understood(tmp_path: Path) -> None:
    """`systemd-analyze --user verify` has nothing to say about the units with real commands."""
    for unit in UNITS.iterdir():
        text = unit.read_text()
        for command in ("musefs-mount", "musefs-scan"):
            program = Path(sys.executable).with_name(command)
            text = text.replace(f"ExecStart={command}", f"ExecStart={program}")
        (tmp_path / unit.name).write_text(text)
    units = sorted(str(unit) for unit in tmp_path.iterdir() if unit.suffix != ".example")
    assert len(units) >= 3
    done = subprocess.run(
        ["systemd-analyze", "--user", "--man=no", "verify", *units],
        capture_output=True, text=True, timeout=60, check=False,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    about_ours = [line for line in done.stderr.splitlines() if "musefs" in line]
    assert about_ours == []
    assert done.returncode == 0, done.stderr
