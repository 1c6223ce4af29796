"""ID3's lists of people through a scan, the mount and an edit, as mutagen reads them."""

import shutil
import subprocess
import sys
from pathlib import Path

import mutagen
import pytest
from mutagen import id3
from mutagen.aiff import AIFF
from mutagen.flac import FLAC
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4
from mutagen.wave import WAVE
from support.mounted_index import MountedIndex, index_folder
from support.waiting import wait_until

pytestmark = [pytest.mark.fuse]

INVOLVED = [
    ["arranger", "Ólafur Arnalds"],
    ["producer", "Brian Eno"],
    ["producer", "坂本 龍一"],
    ["DJ-mix", "Æther"],
    ["mix", "Ann, Bo & Cy"],
    ["engineer", "Zoë (of the band)"],
]
MUSICIANS = [
    ["guitar (electric)", "Björk"],
    ["尺八", "山本 邦山"],
    ["guitar (electric)", "Sigur"],
    ["voice", "Björk"],
]
PERFORMERS = ["Björk (voice)", "Somebody"]

OLD = "old.mp3"
SONGS = {
    "song.mp3": "mp3/v24-many.mp3",
    OLD: "mp3/v23-date.mp3",
    "wave.wav": "wav/id3.wav",
    "apple.aiff": "aiff/id3.aiff",
    "free.flac": "flac/mono.flac",
    "atoms.m4a": "mp4/many.m4a",
}
WITH_LISTS = [name for name in SONGS if name.endswith(("mp3", "wav", "aiff"))]
WITH_FIELDS = [name for name in SONGS if name not in WITH_LISTS]

People = list[list[str]]


@pytest.fixture
def library(audio_library: Path, tmp_path: Path) -> Path:
    """A folder with songs that have people in each container, and its index."""
    music = tmp_path / "music"
    music.mkdir()
    for name, source in SONGS.items():
        shutil.copy(audio_library / source, music / name)
    for name in WITH_LISTS:
        write_lists(music / name)
    for name in WITH_FIELDS:
        write_fields(music / name)
    index_folder(music, tmp_path / "index.duckdb")
    return tmp_path


def write_lists(path: Path) -> None:
    song = mutagen.File(path)
    assert isinstance(song, MP3 | WAVE | AIFF)
    song.tags.add(id3.TIPL(encoding=3, people=INVOLVED))
    song.tags.add(id3.TMCL(encoding=3, people=MUSICIANS))
    if path.name == OLD:
        song.tags.update_to_v23()  # IPLS, in UTF-16
        song.save(v2_version=3)
    else:
        song.save()


def write_fields(path: Path) -> None:
    song = mutagen.File(path)
    if isinstance(song, FLAC):
        song["producer"], song["performer"] = ["Brian Eno"], PERFORMERS
    else:
        assert isinstance(song, MP4)
        song["----:com.apple.iTunes:PRODUCER"] = [b"Brian Eno"]
        song["----:com.apple.iTunes:PERFORMER"] = [text.encode() for text in PERFORMERS]
    song.save()


def fields_of(path: Path) -> list[list[str]]:
    """Return producers and performers of a container without lists."""
    song = mutagen.File(path)
    if isinstance(song, FLAC):
        return [song["producer"], song["performer"]]
    names = ("----:com.apple.iTunes:PRODUCER", "----:com.apple.iTunes:PERFORMER")
    return [[bytes(value).decode() for value in song[name]] for name in names]


def lists_of(path: Path) -> tuple[People, People]:
    """Return the pairs of both lists, by role; people of one role in their order."""
    tags = mutagen.File(path).tags
    assert tags.version == (2, 4, 0)
    assert not [key for key in tags if key.lower().startswith(("txxx:producer", "txxx:performer"))]
    assert "IPLS" not in tags
    return tuple(by_role(tags[name].people) for name in ("TIPL", "TMCL"))


def by_role(people: People) -> People:
    return sorted((list(pair) for pair in people), key=lambda pair: pair[0])


def test_people_come_back_in_their_lists_and_edits_reach_them(
    library: Path, tmp_path: Path
) -> None:
    """M1: of 2.4 and 2.3, in MP3, WAV and AIFF; fields of other containers stay fields."""
    both = by_role(INVOLVED), by_role(MUSICIANS)
    index = library / "index.duckdb"
    with MountedIndex(index, tmp_path / "mnt", "-t", "$stem", "--no-sidecars") as mount:
        found = {path.name: path for path in mount.mountpoint.rglob("*") if path.is_file()}
        lists = [found[name] for name in WITH_LISTS]
        for path in lists:
            assert lists_of(path) == both, path.name
            assert len(path.read_bytes()) == path.stat().st_size
        for name in WITH_FIELDS:
            assert fields_of(found[name]) == [["Brian Eno"], PERFORMERS]

        program = Path(sys.executable).with_name("musefs-tag")
        command = [program, "set", "--index", index, "--all", "producer=Hildur Guðnadóttir"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        edited = [pair for pair in INVOLVED if pair[0] != "producer"]
        edited.append(["producer", "Hildur Guðnadóttir"])
        after = by_role(edited), by_role(MUSICIANS)
        wait_until(lambda: all(lists_of(path) == after for path in lists))
        for path in lists:
            assert len(path.read_bytes()) == path.stat().st_size
        for name in WITH_FIELDS:
            assert fields_of(found[name]) == [["Hildur Guðnadóttir"], PERFORMERS]
        assert "a bug in" not in mount.log()
