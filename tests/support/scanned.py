"""Indexes made by the real command, once a session, for whoever asks an index something."""

import subprocess
import sys
from pathlib import Path

from musefs.index.errors import ExitCode


def scan_into(source: Path, index: Path, *options: str) -> Path:
    """Scan with musefs-scan in a process of its own; its warnings are its own affair."""
    command = [str(Path(sys.executable).parent / "musefs-scan"), str(source), "--out", str(index)]
    done = subprocess.run([*command, "-q", *options], capture_output=True, text=True, check=False)
    if done.returncode not in (ExitCode.OK, ExitCode.PARTIAL):
        raise RuntimeError(f"musefs-scan gave {done.returncode}: {done.stderr[-800:]}")
    return index
