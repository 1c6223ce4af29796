"""The tag stage over real files: first scans, rescans, moves, losses, films and crashes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from support import crashing_worker
from support.tagging import candidates_below, tag_folder

from musefs.index.counters import Counter, fresh_tally
from musefs.index.errors import CancelledError, MusefsError
from musefs.pipeline.tag.pool import WorkerPool
from musefs.pipeline.tag.reader import read_chunk
from musefs.pipeline.tag.rescan import Moves, compare
from musefs.pipeline.tag.sources import Job, MountedOpener, MountedSource, Opened
from musefs.pipeline.tag.stage import TagOptions, _chunks
from musefs.pipeline.tag.tracks import Library
from musefs.pipeline.tag.worker import WorkerSetup

DAMAGE = pytest.mark.expected_degradations(
    Counter.TAG_FILES_FAILED, Counter.WRONG_EXTENSIONS, Counter.SERVED_UNTOUCHED
)


@pytest.fixture
def library(tmp_path: Path, audio_library: Path) -> Path:
    """A small library of its own, to be changed."""
    root = tmp_path / "music"
    for name in ("flac/many-tags.flac", "mp3/v24-many.mp3", "mp4/many.m4a", "ogg/many.ogg"):
        target = root / name
        target.parent.mkdir(parents=True)
        shutil.copyfile(audio_library / name, target)
    return root


@DAMAGE
def test_a_first_scan_makes_a_track_of_every_file(audio_library: Path) -> None:
    with fresh_tally() as tally:
        appended, report = tag_folder(audio_library, options=TagOptions(workers=2))
    tracks = appended.rows("tracks")
    ids = [row["track_id"] for row in tracks]
    assert sorted(ids) == list(range(1, len(tracks) + 1))
    assert report.high_water == len(tracks) == report.new == report.candidates
    present = [row for row in tracks if row["state"] == "present"]
    assert {row["format"] for row in present} >= {
        "flac", "mp3", "mp4", "ogg_vorbis", "ogg_opus", "ogg_flac", "ogg_speex", "wav", "aiff",
        "ape", "wavpack", "musepack", "tta", "dsf", "dff", "asf", "aac", "ac3", "matroska",
    }  # fmt: skip
    assert all(row["fingerprint"] for row in present)
    assert {row["track_id"] for row in appended.rows("scanned_tags")} <= set(ids)
    assert tally[Counter.TAG_FILES_FAILED] == report.failed == 3
    assert tally[Counter.WRONG_EXTENSIONS] == 1


@DAMAGE
def test_what_is_not_synthesised_says_why(audio_library: Path) -> None:
    appended, _ = tag_folder(audio_library)
    for row in appended.rows("tracks"):
        assert row["synthesised"] == (row["reason"] is None), row["path"]
    assert appended.track("/other/monkeys.ape")["reason"] == "ape files are served as they are"
    assert appended.track("/mp4/fragmented.m4a")["reason"] == "a fragmented MP4 file"


@DAMAGE
def test_damaged_files_cost_only_themselves(audio_library: Path) -> None:
    appended, report = tag_folder(audio_library)
    failed = {row["path"]: row["reason"] for row in appended.rows("tracks")
              if row["state"] == "failed"}  # fmt: skip
    assert set(failed) == {"/odd/zero-length.flac", "/odd/text.mp3", "/odd/cut-many.m4a"}
    problems = {(row["path"], row["counter"]) for row in appended.rows("problems")}
    assert problems >= {(path, "tag_files_failed") for path in failed}
    assert ("/odd/really-flac.mp3", "wrong_extensions") in problems
    assert appended.track("/odd/really-flac.mp3")["format"] == "flac"
    assert report.failed == 3


def test_an_unchanged_library_is_not_read_again(library: Path) -> None:
    first, report = tag_folder(library)
    second, again = tag_folder(library, first.library(report.high_water), generation=2)
    assert (again.unchanged, again.read, again.bytes_read) == (4, 0, 0)
    assert set(second.batches) == {"tracks"}
    assert sorted(map(str, second.rows("tracks"))) == sorted(map(str, first.rows("tracks")))


def test_a_changed_file_is_read_again_and_keeps_its_id(library: Path, audio_library: Path) -> None:
    first, report = tag_folder(library)
    path = library / "flac/many-tags.flac"
    path.write_bytes((audio_library / "flac/mono.flac").read_bytes())
    second, again = tag_folder(library, first.library(report.high_water), generation=2)
    assert (again.unchanged, again.read, again.new) == (3, 1, 0)
    was, now = first.track("/flac/many-tags.flac"), second.track("/flac/many-tags.flac")
    assert (was["track_id"], was["channels"]) == (now["track_id"], 2)
    assert now["channels"] == 1


def test_a_file_saved_anew_under_its_name_keeps_its_id(library: Path, tmp_path: Path) -> None:
    first, report = tag_folder(library)
    path = library / "mp3/v24-many.mp3"
    other = tmp_path / "new.mp3"
    other.write_bytes(path.read_bytes())
    other.replace(path)
    second, _ = tag_folder(library, first.library(report.high_water), generation=2)
    name = "/mp3/v24-many.mp3"
    assert second.track(name)["track_id"] == first.track(name)["track_id"]


def test_a_renamed_file_keeps_its_id(library: Path) -> None:
    first, report = tag_folder(library)
    (library / "mp4/many.m4a").rename(library / "mp4/other name.m4a")
    second, again = tag_folder(library, first.library(report.high_water), generation=2)
    moved = second.track("/mp4/other name.m4a")
    assert moved["track_id"] == first.track("/mp4/many.m4a")["track_id"]
    assert (again.new, again.missing) == (0, 0)


def test_a_moved_and_retagged_file_keeps_its_id(library: Path) -> None:
    """The audio is the same, the tags, the record and the path are not: the fingerprint tells."""
    from mutagen.flac import FLAC
    from mutagen.oggvorbis import OggVorbis

    first, report = tag_folder(library)
    for old, new, kind in (
        ("flac/many-tags.flac", "elsewhere/a.flac", FLAC),
        ("ogg/many.ogg", "elsewhere/b.ogg", OggVorbis),
    ):
        target = library / new
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(library / old, target)
        song = kind(target)
        song["title"] = ["Another title " * 300]
        song.save()
        (library / old).unlink()
    second, again = tag_folder(library, first.library(report.high_water), generation=2)
    assert again.moved == 2
    assert (again.new, again.missing) == (0, 0)
    for old, new in (("/flac/many-tags.flac", "/elsewhere/a.flac"),
                     ("/ogg/many.ogg", "/elsewhere/b.ogg")):  # fmt: skip
        assert second.track(new)["track_id"] == first.track(old)["track_id"]
        assert second.track(new)["state"] == "present"


def test_a_lost_file_is_missing_until_pruned(library: Path) -> None:
    first, report = tag_folder(library)
    (library / "ogg/many.ogg").unlink()
    second, again = tag_folder(library, first.library(report.high_water), generation=2)
    lost = second.track("/ogg/many.ogg")
    assert (again.missing, lost["state"], lost["missing_since"]) == (1, "missing", 2)
    assert lost["entry_id"] is None
    prune = TagOptions(workers=1, prune=True)
    fourth, last = tag_folder(library, second.library(4), generation=3, options=prune)
    assert (last.pruned, len(fourth.rows("tracks"))) == (1, 3)
    fifth, _ = tag_folder(library, second.library(4), generation=3)
    assert fifth.track("/ogg/many.ogg")["missing_since"] == 2


def test_a_missing_file_that_comes_back_is_the_same_track(library: Path, tmp_path: Path) -> None:
    first, report = tag_folder(library)
    path = library / "ogg/many.ogg"
    shutil.move(path, tmp_path / "away")
    second, _ = tag_folder(library, first.library(report.high_water), generation=2)
    shutil.copyfile(tmp_path / "away", path)
    third, again = tag_folder(library, second.library(report.high_water), generation=3)
    back = third.track("/ogg/many.ogg")
    assert back["track_id"] == first.track("/ogg/many.ogg")["track_id"]
    assert (back["state"], back["missing_since"], again.new) == ("present", None, 0)


def test_without_reading_tracks_stay_as_they_were(library: Path) -> None:
    first, report = tag_folder(library)
    (library / "ogg/many.ogg").unlink()
    (library / "mp3/v24-many.mp3").write_bytes(b"other")
    shutil.copyfile(library / "mp4/many.m4a", library / "new.m4a")
    options = TagOptions(read=False)
    second, again = tag_folder(library, first.library(report.high_water), options=options)
    assert (again.unchanged, again.read, again.missing) == (3, 0, 1)
    name = "/mp3/v24-many.mp3"
    assert second.track(name)["size"] == first.track(name)["size"], "so it is read next time"


def test_force_reads_and_a_full_hash_is_made_once(library: Path) -> None:
    first, report = tag_folder(library)
    old = first.library(report.high_water)
    _, forced = tag_folder(library, old, options=TagOptions(workers=1, force=True))
    assert (forced.read, forced.unchanged) == (4, 0)
    full = TagOptions(workers=1, full_hash=True)
    second, hashed = tag_folder(library, old, options=full)
    assert hashed.read == 4
    assert all(len(row["audio_hash"]) == 64 for row in second.rows("tracks"))
    _, third = tag_folder(library, second.library(report.high_water), options=full)
    assert third.read == 0


def test_films_are_left_out(library: Path) -> None:
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=d=0.2:s=32x32", "-f", "lavfi",
         "-i", "sine=d=0.2", str(library / "film.mp4")],
        check=True,
    )  # fmt: skip
    appended, report = tag_folder(library)
    assert report.left_out == 1
    assert "/film.mp4" not in {row["path"] for row in appended.rows("tracks")}
    assert not appended.rows("problems")


def test_new_ids_are_above_the_highest_ever_given(library: Path) -> None:
    appended, report = tag_folder(library, Library(pl.DataFrame(_no_tracks()), 1000))
    assert sorted(row["track_id"] for row in appended.rows("tracks")) == [1001, 1002, 1003, 1004]
    assert report.high_water == 1004


def _no_tracks() -> pl.DataFrame:
    from musefs.pipeline.tag.tracks import empty_library

    return empty_library().tracks


def test_a_reused_inode_is_another_track(library: Path) -> None:
    """Where records have no sequence, the record alone proves nothing."""
    first, report = tag_folder(library)
    old = first.library(report.high_water)
    files = candidates_below(library).with_columns(
        pl.when(pl.col("path") == "/ogg/many.ogg")
        .then(pl.lit("/stranger.ogg"))
        .otherwise("path")
        .alias("path"),
        pl.when(pl.col("path") == "/ogg/many.ogg").then(1).otherwise("size").alias("size"),
    )
    result = compare(files, old.tracks, old.high_water)
    stranger = result.files.filter(pl.col("path") == "/stranger.ogg")
    assert stranger["known"].to_list() == [False]
    assert stranger["track_id"].to_list() == [5]
    assert result.gone["path"].to_list() == ["/ogg/many.ogg"]
    with_sequence = files.with_columns(pl.lit(7, pl.Int32).alias("sequence"))
    tracks = old.tracks.with_columns(pl.lit(7, pl.Int32).alias("sequence"))
    assert compare(with_sequence, tracks, 4).gone.height == 0, "a sequence proves it"


def test_of_several_copies_the_one_with_the_name_moves() -> None:
    gone = pl.DataFrame(
        {"fingerprint": ["x", "x", "y"], "track_id": [1, 2, 3], "path": ["/a/1", "/a/2", "/a/3"]}
    )
    moves = Moves(gone)
    assert moves.claim("x", "/b/other") is None
    assert moves.claim("x", "/b/2") == 2
    assert moves.claim("x", "/b/other") == 1, "only one is left"
    assert moves.claim("x", "/b/other") is None
    assert moves.claim(None, "/b/3") is None


@DAMAGE
def test_unreadable_files_are_told(library: Path) -> None:
    frame = candidates_below(library)
    (library / "ogg/many.ogg").unlink()
    from support.tagging import Appended

    from musefs.pipeline.tag.stage import run_tag_stage
    from musefs.pipeline.tag.tracks import empty_library

    appended = Appended()
    report = run_tag_stage(
        frame, MountedSource(library), appended, old=empty_library(), generation=1
    )
    assert report.failed == 1
    [problem] = appended.rows("problems")
    assert problem["path"] == "/ogg/many.ogg"
    assert appended.track("/ogg/many.ogg")["state"] == "failed"


def jobs_of(root: Path) -> list[list[Job]]:
    frame = candidates_below(root).with_row_index("row")
    return list(_chunks(frame, 3, raw=False))


def test_a_crash_costs_one_file(library: Path) -> None:
    shutil.copyfile(library / "ogg/many.ogg", library / "crash.ogg")
    command = [sys.executable, crashing_worker.__file__]
    with WorkerPool(WorkerSetup(MountedSource(library)), 2, command=command) as pool:
        answers = list(pool.read(jobs_of(library)))
        statistics = pool.statistics()
    states = [file[17] for answer in answers for file in answer.files]
    assert sorted(states) == ["failed", "present", "present", "present", "present"]
    assert statistics.restarts >= 1
    [note] = [note for answer in answers for note in answer.notes]
    assert note[1:] == ("tag_files_failed", "its reader crashed (exit code 77)")


def test_a_worker_that_cannot_start_says_so(library: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    setup = WorkerSetup(MountedSource(library))
    with (
        WorkerPool(setup, 1, command=command) as pool,
        pytest.raises(MusefsError, match="could not start"),
    ):
        list(pool.read(jobs_of(library)))


def test_cancelling_ends_the_workers(library: Path) -> None:
    with pytest.raises(CancelledError):
        tag_folder(library, cancelled=lambda: True)
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if children.exists():
        commands = [
            Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children.read_text().split()
        ]
        assert not any(b"pipeline.tag.worker" in command for command in commands)


class RewritingOpener(MountedOpener):
    """Opens a file that somebody writes to while it is read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._place = root

    def open(self, job: Job) -> Opened:
        opened = super().open(job)
        path = self._place / job.path.decode().lstrip("/")
        os.utime(path, ns=(1, path.stat().st_mtime_ns + 1000))
        return opened


def test_a_file_that_changes_while_it_is_read_is_told(library: Path) -> None:
    [jobs, *_] = jobs_of(library)
    learned = read_chunk(RewritingOpener(library), jobs)
    assert {file[17] for file in learned.files} == {"failed"}
    assert {note[1] for note in learned.notes} == {"tag_files_changed"}
    assert not learned.tag_rows


def test_links_are_not_followed(library: Path) -> None:
    """A link that was planted on the volume reads nothing else."""
    (library / "link.mp3").symlink_to(library / "mp3/v24-many.mp3")
    learned = read_chunk(MountedOpener(library), [job for part in jobs_of(library) for job in part])
    assert sorted(file[17] for file in learned.files) == ["failed"] + ["present"] * 4


def test_a_library_that_is_gone_altogether_is_missing(library: Path, tmp_path: Path) -> None:
    first, report = tag_folder(library)
    empty = tmp_path / "empty"
    empty.mkdir()
    second, again = tag_folder(empty, first.library(report.high_water), generation=2)
    assert (again.candidates, again.missing) == (0, 4)
    assert {row["state"] for row in second.rows("tracks")} == {"missing"}
    nothing, none = tag_folder(empty)
    assert (none.candidates, nothing.batches) == (0, {})


def test_sweeping_changes_no_result(library: Path) -> None:
    plain, _ = tag_folder(library)
    swept, _ = tag_folder(library, options=TagOptions(workers=1, sweep=True))
    for name in ("scanned_tags", "blocks", "scanned_art"):
        assert sorted(map(str, swept.rows(name))) == sorted(map(str, plain.rows(name)))
