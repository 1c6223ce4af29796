"""The demo: an NTFS image of badly named music becomes a library, and nothing on it changes.

Unpacks data/fixtures/demo.ntfs.xz, scans it with no NTFS driver, mounts the index from the image
itself, shows the tree and one file's tags beside the original's, and cleans up.
"""

import hashlib
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGE = ROOT / "data" / "fixtures" / "demo.ntfs.xz"
BIN = Path(sys.executable).parent
READY_SECONDS = 20.0
SHOWN_PATHS = 25


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def command(name: str, *words: object) -> int:
    """Show and run one of our commands; return its exit code."""
    line = [str(word) for word in words]
    say(f"\n$ {name} {' '.join(line)}")
    return subprocess.run([BIN / name, *line], check=False).returncode


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wait_until_mounted(mountpoint: Path, process: "subprocess.Popen[bytes]") -> bool:
    """Return whether the mount came up."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if mountpoint.is_mount():
            return True
        time.sleep(0.05)
    return False


def show(mountpoint: Path) -> None:
    """Print the tree, and the tags of one served file."""
    paths = sorted(path for path in mountpoint.rglob("*") if path.is_file())
    for path in paths[:SHOWN_PATHS]:
        say(f"  {path.relative_to(mountpoint)}")
    if len(paths) > SHOWN_PATHS:
        say(f"  … and {len(paths) - SHOWN_PATHS} more")
    import mutagen

    for path in paths:
        served = mutagen.File(path)
        if served is not None and served.tags:
            say(f"\nTags of {path.relative_to(mountpoint)}, read through the mount by mutagen:")
            for line in served.pprint().splitlines()[:12]:
                say(f"  {line[:90]}")
            return


def mounted(index: Path, image: Path, mountpoint: Path) -> bool:
    """Mount, look around, unmount; return whether it worked."""
    words = [index, mountpoint, "--volume", image]
    say(f"\n$ musefs-mount {' '.join(map(str, words))} &")
    process = subprocess.Popen([BIN / "musefs-mount", *words])
    try:
        if not wait_until_mounted(mountpoint, process):
            return False
        show(mountpoint)
        say("\nThe same index edited while it is mounted; the mount follows:")
        command("musefs-tag", "--index", index, "set", "album=Renamed by the demo", "--all")
        time.sleep(2.5)
        for path in sorted(path for path in mountpoint.rglob("*") if path.is_file())[:5]:
            say(f"  {path.relative_to(mountpoint)}")
        return True
    finally:
        process.terminate()
        process.wait(timeout=15)


def main() -> int:
    """Run the demo in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="musefs-demo-"))
    image, index, mountpoint = folder / "demo.ntfs", folder / "index.duckdb", folder / "music"
    mountpoint.mkdir()
    try:
        with lzma.open(IMAGE) as packed, image.open("wb") as out:
            shutil.copyfileobj(packed, out)
        before = digest(image)
        say(f"A {image.stat().st_size >> 20} MiB NTFS image, SHA-256 {before[:16]}…")
        if command("musefs-scan", image, "--out", index) not in (0, 10):
            say("the scan did not work; nothing more to show")
            return 1
        command("musefs-tag", "--index", index, "list", "--limit", "8")
        if os.name != "posix" or not mounted(index, image, mountpoint):
            say("the mount did not work; nothing more to show")
            return 1
        same = digest(image) == before
        say(f"\nThe image afterwards: {'the same, byte for byte' if same else 'CHANGED'}")
        return 0 if same else 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
