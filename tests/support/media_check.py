"""Whether a player would play a file: ffmpeg decodes all of it without a complaint."""

import subprocess
from pathlib import Path


def decodes(path: Path) -> bool:
    """Return whether ffmpeg reads the file to its end and finds sound in it."""
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-xerror", "-i", str(path), "-map", "0:a", "-f", "null", "-"],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0 and not done.stderr
