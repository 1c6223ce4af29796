"""The audio fixtures are what they claim to be, by ffprobe and mutagen, and always the same."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import make_audio
import mutagen
import pytest

UNTAGGED_BY_MUTAGEN = {".mka", ".webm", ".aac"}
"""mutagen.File takes ADTS behind an ID3 tag for MP3; mutagen.aac reads it when asked by name."""


def playable(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "odd" and path.suffix not in {".png", ".m3u8"}
    )


def test_every_recipe_plays_by_ffprobe(audio_library: Path) -> None:
    for path in playable(audio_library):
        if path.suffix == ".ape":
            continue  # headers only: Debian has no encoder
        command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", path]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, (path, done.stderr)


def test_mutagen_knows_every_format_but_matroska(audio_library: Path) -> None:
    for path in playable(audio_library):
        if path.suffix not in UNTAGGED_BY_MUTAGEN and path.name != "rf64.wav":
            assert mutagen.File(path) is not None, path


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg makes the fixtures")
def test_two_runs_give_the_same_bytes(audio_library: Path, tmp_path: Path) -> None:
    def digest(folder: Path) -> dict[str, str]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        }

    make_audio.make_library(tmp_path / "again")
    first, second = digest(audio_library), digest(tmp_path / "again")
    assert {name for name in first if first[name] != second[name]} == set()
