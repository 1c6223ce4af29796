"""A wheel of this checkout works in a clean environment, from any folder."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ("musefs-scan", "musefs-io-probe", "musefs-mount", "musefs-tag")


def _checkout(target: Path) -> Path:
    names = ["pyproject.toml", "README.md", "LICENSE", "pipeline", "index", "mount", "docs"]
    target.mkdir()
    for name in names:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target / name, ignore=ignored)
        else:
            shutil.copy(source, target / name)
    return target


@pytest.mark.timeout(300)
def test_a_wheel_installs_and_its_commands_answer_from_the_root(tmp_path: Path) -> None:
    """Issue 2: a wheel installs into a clean venv and `musefs-scan --help` runs from /."""
    pytest.importorskip("setuptools", minversion="77")
    source = _checkout(tmp_path / "source")
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('..'))"
    subprocess.run(
        [sys.executable, "-c", build], cwd=source, check=True, capture_output=True, text=True
    )
    wheel = next(tmp_path.glob("*.whl"))
    clean = tmp_path / "clean"
    venv.create(clean, with_pip=True)
    python = clean / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True)
    for script in SCRIPTS:
        done = subprocess.run(
            [python.parent / script, "--help"], cwd="/", check=True, capture_output=True, text=True
        )
        assert f"Usage: {script}" in done.stdout
        assert (clean / "share" / "man" / "man1" / f"{script}.1").exists() or os.name == "nt"
