"""The preview of a mount (row M34; --dry-run)."""

import json
from pathlib import Path

import pytest
from support.index_rows import rows, scanned_tags

from musefs.index.command.run import Program, main
from musefs.index.counters import Counter
from musefs.index.errors import ExitCode
from musefs.index.schema.library_tables import TRACKS
from musefs.index.write import IndexWriter
from musefs.mount import flags, preview
from musefs.mount.cli import plan_mount

SONGS = {
    1: {"artist": ["A"], "title": ["one"], "genre": ["Rock"]},
    2: {"artist": ["A"], "title": ["one"]},
    3: {"artist": ["B"]},
}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return written(tmp_path, SONGS)


def written(folder: Path, songs: dict[int, dict[str, list[str]]]) -> Path:
    path = folder / "index.duckdb"
    base = {"state": "present", "published_version": 1, "format": "flac", "size": 1000}
    when = {"published_change_at": 1_700_000_000_000_000}
    tracks = [base | when | {"track_id": n, "path": f"/M/{n}.flac"} for n in songs]
    with IndexWriter(path) as writer:
        writer.append(TRACKS, rows(TRACKS, tracks))
        writer.append(*scanned_tags(songs))
        writer.publish("scan")
    return path


def dry_run(index: Path, *words: str) -> int:
    program = Program(flags.MOUNT, plan_mount, preview.run)
    return main(program, [str(index), "--dry-run", *words])


def test_m34_counts_paths_collisions(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """M34: counts first, then paths as a walk meets them, then what was varied."""
    assert dry_run(index, "--template", "$artist/$title") == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        "3 files in 2 folders from 3 tracks; 0 skipped, 1 names varied",
        "A/one (2).flac",
        "A/one.flac",
        "B/Unknown.flac",
        "Names that were taken:",
        "  A/one (2).flac  asked for A/one.flac",
    ]


def test_the_limit_cuts_the_list_of_paths(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dry_run(index, "--template", "$artist/$title", "--limit", "1")
    assert "... and 2 more" in capsys.readouterr().out


@pytest.mark.expected_degradations(Counter.TRACKS_SKIPPED)
def test_m34_skipped_tracks_with_reasons(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """M34: why a track is shown nowhere; fields that no track has."""
    dry_run(
        index, "--template", "${if:artist!=C}$artist/$titel", "--skip-on-missing",
        "--format", "json",
    )  # fmt: skip
    captured = capsys.readouterr()
    said = json.loads(captured.out)
    assert said["format_version"] == 1
    assert (said["files"], said["skipped_tracks"]) == (0, 3)
    assert said["skipped"][0] == {"track_id": 1, "path": "/M/1.flac", "reasons": ["no titel"]}
    assert said["fields_of_no_track"] == ["titel"]
    assert "[tracks_skipped]" in captured.err


def test_an_empty_selection_says_so(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dry_run(index, "--where", "genre = 'Jazz'") == ExitCode.OK
    assert "Nothing to show" in capsys.readouterr().out.splitlines()[0]


def test_a_selection_is_previewed_alone(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dry_run(index, "--where", "genre = 'Rock'", "--template", "$title")
    assert "one.flac" in capsys.readouterr().out.splitlines()


def test_m4_a_bad_template_is_a_usage_error(
    index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """M4: exit code 2, with the place in the text."""
    assert dry_run(index, "--template", "${x") == ExitCode.USAGE
    assert "column 1" in capsys.readouterr().err
