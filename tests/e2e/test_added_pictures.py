"""A picture that a user adds, read back through the mount out of files of every format."""

import base64
import shutil
import subprocess
import sys
from pathlib import Path

import mutagen
import pytest
from mutagen.aiff import AIFF
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4
from mutagen.wave import WAVE
from support.mounted_index import MountedIndex, index_folder
from support.waiting import wait_until

pytestmark = [pytest.mark.fuse]

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c4944415408d763f8ffff3f0005fe02fea735810e0000000049454e44ae426082"
)
ADDED = PNG + bytes(range(256)) * 300
"""A picture of 77 KB: several requests of a reader, several pages of Ogg."""


@pytest.fixture(scope="module")
def library(audio_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one song of each format that can carry pictures, and its index."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "music").mkdir()
    for ending in ("flac", "mp3", "m4a", "ogg", "opus", "aiff", "wav"):
        songs = sorted((audio_library / "plain").glob(f"*.{ending}")) or sorted(
            song for song in audio_library.rglob(f"*.{ending}") if "odd" not in song.parts
        )
        shutil.copy(songs[0], folder / "music" / f"song-{ending}.{ending}")
    index_folder(folder / "music", folder / "index.duckdb")
    return folder


def pictures_in(path: Path) -> list[bytes]:
    """Return the pictures that mutagen finds."""
    song = mutagen.File(path)
    if isinstance(song, FLAC):
        return [picture.data for picture in song.pictures]
    if isinstance(song, MP4):
        return [bytes(cover) for cover in song.tags["covr"]]
    if isinstance(song, MP3 | AIFF | WAVE):
        return [frame.data for frame in song.tags.values() if isinstance(frame, APIC)]
    return [Picture(base64.b64decode(text)).data for text in song.get("metadata_block_picture", [])]


def test_a_picture_added_by_musefs_tag_is_in_the_served_files(
    library: Path, tmp_path: Path
) -> None:
    """Issue 6: set while mounted, shown by a refresh, byte for byte in each format."""
    picture = tmp_path / "cover.png"
    picture.write_bytes(ADDED)
    index = library / "index.duckdb"
    with MountedIndex(index, tmp_path / "mnt", "-t", "$stem", "--no-sidecars") as mount:
        before = {path.name: path.read_bytes() for path in songs(mount.mountpoint)}
        program = Path(sys.executable).with_name("musefs-tag")
        command = [program, "art", "--index", index, "--set", picture, "--all"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        wait_until(lambda: all(ADDED in pictures_in(path) for path in songs(mount.mountpoint)))
        found = songs(mount.mountpoint)
        assert {path.suffix for path in found} >= {".flac", ".mp3", ".m4a", ".ogg", ".opus"}
        for path in found:
            data = path.read_bytes()
            assert len(data) == path.stat().st_size
            assert data != before[path.name]
            if path.suffix not in (".ogg", ".opus"):  # there the picture is base64 over pages
                assert ADDED in data
            assert pictures_in(path).count(ADDED) == 1
        assert "a bug in" not in mount.log()


def songs(folder: Path) -> list[Path]:
    """Return the served songs, not the covers beside them."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in found if path.suffix not in (".png", ".jpg")]
