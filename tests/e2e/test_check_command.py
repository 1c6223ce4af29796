"""`musefs-scan --check` as a user runs it: sound, damaged, no index at all."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

CODE = "import sys; from musefs.pipeline.cli import main; sys.exit(main())"


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", CODE, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("check")
    (folder / "music").mkdir()
    (folder / "music" / "note.txt").write_text("hello")
    done = command(folder / "music", "--out", folder / "index.duckdb")
    assert done.returncode == 0, done.stderr
    return folder / "index.duckdb"


def test_a_sound_index_says_so(index: Path) -> None:
    done = command("--check", index)
    assert done.returncode == 0, done.stderr
    assert "sound" in done.stdout


def test_an_index_that_contradicts_itself_says_what_and_what_to_do(
    index: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.duckdb"
    damaged.write_bytes(index.read_bytes())
    with duckdb.connect(str(damaged)) as con:
        con.execute("DELETE FROM entries_rows WHERE entry_id = 1")
    done = command("--check", damaged, "--format", "json")
    assert done.returncode == 5, done.stderr
    report = json.loads(done.stdout)
    assert report["problems"]
    assert all(problem["hint"] for problem in report["problems"])
    told = command("--check", damaged)
    assert "problem: " in told.stdout


def test_something_else_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(b"ID3" + bytes(5000))
    done = command("--check", tmp_path / "song.mp3")
    assert done.returncode == 5
    assert "song.mp3" in done.stderr
