"""The demo: an NTFS image of badly named music becomes a library, and nothing on it changes.

Unpacks data/fixtures/demo.ntfs.xz, scans it with no NTFS driver, mounts the index from the image
itself, shows the tree and one file's tags beside the original's, and cleans up.
"""

import hashlib
import lzma
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGE = ROOT / "data" / "fixtures" / "demo.ntfs.xz"
BIN = Path(sys.executable).parent
READY_SECONDS = 20.0
SHOWN_PATHS = 25
TEMPLATE = "$albumartist/[$date - ]$album/${track:02} $title"


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def command(name: str, *words: object) -> int:
    """Show and run one of our commands; return its exit code."""
    line = [str(word) for word in words]
    say(f"\n$ {shlex.join([name, *line])}")
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


def show_tree(mountpoint: Path) -> None:
    """Print the paths of a mounted library."""
    paths = sorted(path for path in mountpoint.rglob("*") if path.is_file())
    for path in paths[:SHOWN_PATHS]:
        say(f"  {path.relative_to(mountpoint)}")
    if len(paths) > SHOWN_PATHS:
        say(f"  … and {len(paths) - SHOWN_PATHS} more")


def tags_of(path: Path) -> dict[str, str]:
    """Return a file's tags as mutagen reads them."""
    import mutagen

    song = mutagen.File(path)
    return {key: "; ".join(values) for key, values in sorted(song.tags.as_dict().items())}


def show_tags(original: Path, served: Path) -> None:
    """Print the tags of an original and of the file that is served for it, side by side."""
    before, after = tags_of(original), tags_of(served)
    say(f"  {'tag':<14}{'original':<22}served")
    for key in sorted(before | after):
        say(f"  {key:<14}{before.get(key, ''):<22}{after.get(key, '')}")


@contextmanager
def mounted(index: Path, mountpoint: Path, *words: object) -> Generator[None]:
    """Mount for the length of the block; raises when the mount does not come up."""
    line = [str(word) for word in (index, mountpoint, *words)]
    say(f"\n$ {shlex.join(['musefs-mount', *line])} &")
    mountpoint.mkdir()
    process = subprocess.Popen([BIN / "musefs-mount", *line])
    try:
        if not wait_until_mounted(mountpoint, process):
            raise RuntimeError("the mount did not come up")
        yield
    finally:
        process.terminate()
        process.wait(timeout=15)


def look_around(index: Path, image: Path, folder: Path) -> None:
    """Mount the library, edit it, and compare one served file with its original."""
    library, originals = folder / "music", folder / "originals"
    with mounted(index, library, "--volume", image, "--template", TEMPLATE):
        show_tree(library)
        say("\nEdit while it is mounted; the mount follows:")
        command("musefs-tag", "--index", index, "set", "title=Leaving", "mood=bright",
                "--where", "title = 'Departure'")  # fmt: skip
        time.sleep(2.5)
        served = next(library.rglob("*Leaving.flac"))
        say("\nThe originals, as they are, under the same kind of names:")
        same = ("--volume", image, "--mode", "structure-only", "--template", "$!{folder}/$stem")
        with mounted(index, originals, *same):
            original = originals / "Downloads" / "audio_final2.flac"
            say(f"\nThe tags of {original.relative_to(originals)} on the drive, and of")
            say(f"{served.relative_to(library)} in the library:")
            show_tags(original, served)


def main() -> int:
    """Run the demo in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="musefs-demo-"))
    image, index = folder / "demo.ntfs", folder / "index.duckdb"
    try:
        with lzma.open(IMAGE) as packed, image.open("wb") as out:
            shutil.copyfileobj(packed, out)
        before = digest(image)
        say(f"A {image.stat().st_size >> 20} MiB NTFS image, SHA-256 {before[:16]}…")
        if command("musefs-scan", image, "--out", index) not in (0, 10):
            say("the scan did not work; nothing more to show")
            return 1
        command("musefs-tag", "--index", index, "list", "--limit", "8")
        look_around(index, image, folder)
        same = digest(image) == before
        say(f"\nThe image afterwards: {'the same, byte for byte' if same else 'CHANGED'}")
        return 0 if same else 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
