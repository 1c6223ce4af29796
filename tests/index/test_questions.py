"""Every named question runs on every index, and says so when the index holds nothing of it."""

import shutil
from pathlib import Path

import pytest
from support.scanned import scan_into

from musefs.index import open_index
from musefs.index.errors import IndexFileError, SchemaVersionError, SelectionError
from musefs.index.read.attach import attached
from musefs.index.read.questions import QUESTIONS

EMPTY_IN_THE_DRIVE = {"links", "edited", "vanished"}
"""Nothing on the made-up drive answers these; every other question has an answer."""


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_runs_on_the_demo(demo_index: Path, name: str) -> None:
    assert open_index(demo_index).ask(name).width > 0


@pytest.mark.ntfs
def test_every_question_has_an_answer_somewhere(drive_index: Path) -> None:
    with open_index(drive_index) as index:
        silent = {name for name in QUESTIONS if index.ask(name).is_empty()}
    assert silent == EMPTY_IN_THE_DRIVE


def test_a_question_nobody_knows_names_the_ones_that_are_near(demo_index: Path) -> None:
    with pytest.raises(SelectionError, match=r"did you mean .*hard_links"):
        open_index(demo_index).ask("hardlinks")


def test_an_index_without_tracks_says_what_to_do(tmp_path: Path, demo_image: Path) -> None:
    index = open_index(scan_into(demo_image, tmp_path / "index.duckdb", "--no-tags"))
    assert index.ask("largest_files").height > 0
    with pytest.raises(IndexFileError, match=r"no tracks.*scan again without --no-tags"):
        index.ask("genres")


def test_an_index_without_a_volume_says_what_to_do(tmp_path: Path, demo_index: Path) -> None:
    copy = tmp_path / "index.duckdb"
    shutil.copyfile(demo_index, copy)
    with attached(copy, read_only=False) as con:
        con.execute("DELETE FROM volumes; DELETE FROM scans")
    with pytest.raises(IndexFileError, match="describes no volume"):
        open_index(copy).ask("volume")
    with pytest.raises(IndexFileError, match="tells of no scan"):
        open_index(copy).ask("phases")


def test_an_index_of_another_schema_says_so(tmp_path: Path, demo_index: Path) -> None:
    copy = tmp_path / "index.duckdb"
    shutil.copyfile(demo_index, copy)
    with attached(copy, read_only=False) as con:
        con.execute("UPDATE meta SET schema_version = 99")
    with pytest.raises(SchemaVersionError, match="this musefs knows"):
        open_index(copy)
