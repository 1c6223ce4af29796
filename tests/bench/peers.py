"""What a user would pick instead of musefs, each as one command over the same workload.

A peer that is not installed is named and skipped. Python peers are looked for in the interpreter
that MUSEFS_PEERS_PYTHON names (they are no dependency of ours, some for their licence), others on
the PATH. Nothing here judges; `compare` prints what was measured.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PYTHON = os.environ.get("MUSEFS_PEERS_PYTHON", sys.executable)


@dataclass(frozen=True, slots=True)
class Volume:
    """One NTFS volume, as every kind of peer wants to have it."""

    image: Path
    mft: Path
    """Its $MFT, saved as a file."""
    mounted: Path | None
    """Where ntfs-3g has it mounted."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that does a part of what musefs does."""

    name: str
    answer: str
    """What it gives, and what its answer lacks beside ours."""
    version: Callable[[], str | None]
    """Its version; None if it is not installed."""
    command: Callable[[Volume], list[str]]


def module_version(package: str) -> Callable[[], str | None]:
    """Return a question for the version of a Python distribution."""

    def ask() -> str | None:
        script = f"import importlib.metadata as m; print(m.version({package!r}))"
        return _first_line(PYTHON, "-c", script)

    return ask


def program_version(program: str, *question: str) -> Callable[[], str | None]:
    """Return a question for the version line of a program on the PATH."""

    def ask() -> str | None:
        if shutil.which(program) is None:
            return None
        return _first_line(program, *question) or "unknown version"

    return ask


def _first_line(*command: str) -> str | None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return lines[0] if lines and done.returncode in (0, 1) and "Traceback" not in lines[0] else None


MFT_CSV = """
import sys, mft
with open(sys.argv[2], "wb") as out:
    for row in mft.PyMftParser(sys.argv[1]).entries_csv():
        out.write(row)
"""

DISSECT = """
import sys
from dissect.ntfs import NTFS
from dissect.ntfs.exceptions import Error
count = 0
with open(sys.argv[1], "rb") as opened:
    for segment in NTFS(opened).mft.segments():
        try:
            count += len(segment.full_paths())
        except Error:
            pass
print(count)
"""

FSNTFS = """
import sys, pyfsntfs
table = pyfsntfs.mft_metadata_file()
table.open(sys.argv[1])
count = 0
for index in range(table.number_of_file_entries):
    entry = table.get_file_entry(index)
    if not entry.is_empty() and entry.is_allocated():
        for number in range(entry.number_of_attributes):
            if entry.get_attribute(number).attribute_type == 0x30:
                count += entry.get_path_hint(number) is not None
print(count)
"""


def _script(text: str, *arguments: str) -> list[str]:
    return [PYTHON, "-c", text, *arguments]


SCAN_PEERS: tuple[Peer, ...] = (
    Peer(
        "mft (CSV)",
        "one path a record, no hard links, CSV and no index",
        module_version("mft"),
        lambda volume: _script(MFT_CSV, str(volume.mft), os.devnull),
    ),
    Peer(
        "libfsntfs (paths)",
        "paths only, printed nowhere",
        module_version("libfsntfs-python"),
        lambda volume: _script(FSNTFS, str(volume.mft)),
    ),
    Peer(
        "dissect.ntfs (paths)",
        "all hard links, printed nowhere",
        module_version("dissect.ntfs"),
        lambda volume: _script(DISSECT, str(volume.image)),
    ),
    Peer(
        "fls -r -m (sleuthkit)",
        "a text listing; a bar in a name breaks it",
        program_version("fls", "-V"),
        lambda volume: ["fls", "-r", "-m", "/", str(volume.image)],
    ),
    Peer(
        "find -ls (ntfs-3g)",
        "live files only, a text listing",
        program_version("ntfs-3g", "--version"),
        lambda volume: ["find", str(volume.mounted), "-ls"],
    ),
)
