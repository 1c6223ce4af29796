"""Files beside tracks, found in an index that a real scan made."""

import shutil
from pathlib import Path

import polars as pl
import pytest
from mutagen.flac import FLAC, Picture
from mutagen.id3 import PictureType
from support.mounted_index import MountedIndex, execute
from support.waiting import wait_until

from musefs.index.counters import Counter, fresh_tally
from musefs.mount.companions.files import load_companion_files
from musefs.mount.companions.planning import plan_companions
from musefs.mount.naming import Naming, library_frames
from musefs.mount.plan import ExtrasPlan, NamingPlan
from musefs.mount.selection import load_selected
from musefs.mount.tree.placement import LeafKind
from musefs.mount.tree.tree import Tree
from musefs.pipeline import cli

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20


@pytest.fixture
def index(tmp_path: Path, audio_library: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of a folder with one real album, its booklet, a cue sheet, and other things."""
    music = tmp_path / "music"
    album = music / "rips" / "a1"
    album.mkdir(parents=True)
    source = next(audio_library.rglob("*.flac"))
    shutil.copy(source, album / "track01.flac")
    song = FLAC(album / "track01.flac")
    song.clear_pictures()
    picture = Picture()
    picture.data, picture.mime, picture.type = PNG, "image/png", PictureType.COVER_FRONT
    song.add_picture(picture)
    song["album"] = "X"
    song.save()
    for name in ("booklet.pdf", "track01.cue", ".hidden.pdf", "empty.log", "virus.exe"):
        (album / name).write_bytes(b"" if name == "empty.log" else b"x")
    (music / "mix.m3u").write_bytes(b"rips/a1/track01.flac\nrips/gone.flac\n")
    (music / "alone.pdf").write_bytes(b"x")
    path = tmp_path / "index.duckdb"
    monkeypatch.setattr("sys.argv", ["musefs-scan", str(music), "--out", str(path), "--quiet"])
    assert cli.main() == 0
    return path


def test_files_beside_tracks_are_found_and_relocated(index: Path) -> None:
    """Issue 5, item 5: sidecars of real folders; hidden, empty and foreign files are not."""
    found = load_companion_files(index)
    assert set(found["name"]) == {"booklet.pdf", "track01.cue", "mix.m3u"}
    (mix,) = found.filter(pl.col("name") == "mix.m3u").to_dicts()
    assert mix["path_bytes"] == b"/mix.m3u"
    assert (mix["folder"], mix["size"], mix["extension"]) == ("/", 36, "m3u")
    tracks, tags = library_frames(load_selected(index, None))
    placements = Naming.from_plan(NamingPlan("Artist/Album/Song")).place(tracks, tags)
    art = pl.DataFrame(load_selected(index, None).art.rows)
    plan = plan_companions(placements, tracks, tags, art, found, ExtrasPlan(covers=False))
    tree = Tree.build(pl.concat([placements, plan.placements]))
    shown = [
        tree.path(node).decode()
        for node in range(tree.node_count)
        if tree.kind(node) is LeafKind.SIDECAR
    ]
    assert sorted(shown) == ["Artist/Album/Song.cue", "Artist/Album/booklet.pdf"]


@pytest.mark.expected_degradations(Counter.COMPANIONS_DROPPED)
def test_files_that_no_run_leads_to_are_left_out_and_counted(index: Path) -> None:
    """A walk over a mounted path keeps no data runs: nothing could be read from a volume."""
    with fresh_tally() as tally:
        assert load_companion_files(index, with_contents=True).is_empty()
    assert tally[Counter.COMPANIONS_DROPPED] == 3


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.fuse
def test_companions_are_served_and_follow_edits(index: Path, tmp_path: Path) -> None:
    """Issue 5, item 5: bytes of covers, lyrics, sidecars and playlists through a real mount."""
    execute(
        index,
        "INSERT INTO tags (track_id, key, ordinal, value) SELECT track_id, 'lyrics', 0, 'la la' "
        "FROM tracks",
    )
    template = ("--template", "${folder}/Song", "--poll-interval", "50ms")
    with MountedIndex(index, tmp_path / "mnt", *template) as mount:
        album = mount.mountpoint / "a1"
        assert names(album) == [
            "Song.cue", "Song.flac", "Song.lrc", "booklet.pdf", "cover.png",
        ]  # fmt: skip
        assert (album / "Song.lrc").read_bytes() == b"la la\n"
        assert (album / "booklet.pdf").read_bytes() == b"x"
        cover = (album / "cover.png").read_bytes()
        assert cover == PNG
        assert (album / "cover.png").stat().st_size == len(cover)
        listed = (mount.mountpoint / "Playlists" / "mix.m3u8").read_text()
        assert listed == "../a1/Song.flac\n"
        execute(index, "UPDATE tags SET value = 'lo lo lo' WHERE key = 'lyrics'")
        wait_until(lambda: (album / "Song.lrc").read_bytes() == b"lo lo lo\n")
    with MountedIndex(
        index, tmp_path / "bare", *template, "--no-covers", "--no-sidecars", "--no-playlists"
    ) as mount:
        assert names(mount.mountpoint) == ["a1"]
        assert names(mount.mountpoint / "a1") == ["Song.flac"]
