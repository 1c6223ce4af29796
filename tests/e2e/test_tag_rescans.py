"""Tags through whole scans: edits survive changes and moves; a raw volume gives tags, too."""

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from mutagen.flac import FLAC
from support.tagging import Appended

from musefs.index.backing.raw_volume import Geometry
from musefs.index.command.common import CommonPlan, When
from musefs.index.counters import Counter
from musefs.index.errors import ExitCode
from musefs.pipeline.plan import ScanPlan
from musefs.pipeline.scan import run
from musefs.pipeline.tag.candidates import audio_candidates
from musefs.pipeline.tag.sources import VolumeSource
from musefs.pipeline.tag.stage import TagOptions, run_tag_stage
from musefs.pipeline.tag.tracks import empty_library

QUIET = CommonPlan(progress=When.NEVER)


def scan_into(index: Path, source: Path, **more: Any) -> ExitCode:
    return run(ScanPlan(source=str(source), out=index, common=QUIET, **more))


def query(index: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(index), read_only=True) as con:
        return con.execute(sql).fetchall()


def value(index: Path, key: str, table: str = "tags") -> str:
    [(found,)] = query(index, f"SELECT value FROM {table} WHERE key = '{key}' ORDER BY ordinal")
    return str(found)


@pytest.fixture
def music(tmp_path: Path, audio_library: Path) -> Path:
    root = tmp_path / "music"
    root.mkdir()
    shutil.copyfile(audio_library / "flac/hires.flac", root / "song.flac")
    return root


@pytest.mark.expected_degradations(Counter.EDITS_KEPT)
def test_edits_survive_a_changed_and_moved_file(music: Path, tmp_path: Path) -> None:
    """Issue 4 and D5: a moved track keeps its id and its edits; what was not edited follows."""
    index = tmp_path / "index.duckdb"
    assert scan_into(index, music) is ExitCode.OK
    [(track,)] = query(index, "SELECT track_id FROM tracks")
    with duckdb.connect(str(index)) as con:
        con.execute("UPDATE tags SET value = 'Mine' WHERE key = 'title'")
    moved = music / "elsewhere" / "renamed.flac"
    moved.parent.mkdir()
    shutil.copyfile(music / "song.flac", moved)
    (music / "song.flac").unlink()
    song = FLAC(moved)
    song["title"], song["album"] = ["Theirs"], ["New album"]
    song.save()
    assert scan_into(index, music) is ExitCode.OK
    assert query(index, "SELECT track_id, path, state FROM tracks") == [
        (track, "/elsewhere/renamed.flac", "present")
    ]
    assert value(index, "title") == "Mine"
    assert value(index, "title", "scanned_tags") == "Theirs"
    assert value(index, "album") == "New album"


def test_a_lost_track_keeps_its_edits_until_it_is_pruned(music: Path, tmp_path: Path) -> None:
    index = tmp_path / "index.duckdb"
    scan_into(index, music)
    with duckdb.connect(str(index)) as con:
        con.execute("UPDATE tags SET value = 'Mine' WHERE key = 'title'")
    away = tmp_path / "away.flac"
    shutil.move(music / "song.flac", away)
    for _ in range(2):
        assert scan_into(index, music) is ExitCode.OK
        assert query(index, "SELECT state FROM tracks") == [("missing",)]
    shutil.copyfile(away, music / "other name.flac")
    scan_into(index, music)
    assert query(index, "SELECT path, state FROM tracks") == [("/other name.flac", "present")]
    assert value(index, "title") == "Mine"
    (music / "other name.flac").unlink()
    scan_into(index, music, prune=True)
    assert query(index, "SELECT count(*) FROM tracks") == [(0,)]


@pytest.mark.expected_degradations(Counter.TAG_FILES_FAILED)
def test_a_bad_file_ends_in_exit_code_10_at_every_scan(music: Path, tmp_path: Path) -> None:
    index = tmp_path / "index.duckdb"
    (music / "bad.mp3").write_bytes(b"no music at all" * 10)
    for _ in range(2):
        assert scan_into(index, music) is ExitCode.PARTIAL
        assert query(index, "SELECT path, counter FROM problems") == [
            ("/bad.mp3", "tag_files_failed")
        ]
    (music / "bad.mp3").unlink()
    assert scan_into(index, music, prune=True) is ExitCode.OK
    assert query(index, "SELECT count(*) FROM problems") == [(0,)]


@pytest.mark.expected_degradations(Counter.TAG_FILES_FAILED)
def test_a_raw_volume_gives_tags_without_a_driver(demo_image: Path, tmp_path: Path) -> None:
    """D10: the audio of an NTFS image is read through its data runs."""
    index = tmp_path / "index.duckdb"
    assert scan_into(index, demo_image) is ExitCode.PARTIAL, "one file of the demo is broken"
    states = dict(query(index, "SELECT state::VARCHAR, count(*) FROM tracks GROUP BY ALL"))
    assert states == {"present": 12, "failed": 1}
    without = query(
        index,
        "SELECT path FROM tracks WHERE state = 'present' AND track_id NOT IN "
        "(SELECT track_id FROM tags WHERE key = 'title')",
    )
    assert len(without) < 12
    before = query(index, "SELECT * FROM tags ORDER BY ALL")
    assert scan_into(index, demo_image) is ExitCode.PARTIAL
    assert query(index, "SELECT * FROM tags ORDER BY ALL") == before


@pytest.mark.expected_degradations(Counter.TAG_FILES_FAILED)
def test_a_sweep_over_a_raw_volume_gives_the_same(demo_image: Path, tmp_path: Path) -> None:
    """What a rotating disk gets is what a solid one gets."""
    index = tmp_path / "index.duckdb"
    scan_into(index, demo_image)
    with duckdb.connect(str(index), read_only=True) as con:
        candidates = audio_candidates(con)
        [(offset, cluster, record, runs)] = con.execute(
            "SELECT partition_offset, bytes_per_cluster, bytes_per_record, mft_runs FROM volumes"
        ).fetchall()
    mft = tuple((run["offset"], run["length"]) for run in runs)
    source = VolumeSource(demo_image, Geometry(offset, cluster, record, mft))
    plain, swept = Appended(), Appended()
    for appended, sweep in ((plain, False), (swept, True)):
        run_tag_stage(
            candidates, source, appended,
            old=empty_library(), generation=1, options=TagOptions(workers=1, sweep=sweep),
        )  # fmt: skip
    for table in ("tracks", "scanned_tags", "blocks", "scanned_art"):
        rows = [sorted(str(row | {"published_change_at": 0}) for row in appended.rows(table))
                for appended in (plain, swept)]  # fmt: skip
        assert rows[0] == rows[1], table
