"""Added pictures: copied once, readable for ever, never fetched while a writer is at work."""

import hashlib
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from support.index_rows import tracks

from musefs.index.errors import IndexBusyError, IndexDamagedError
from musefs.index.read.stored_pictures import StoredPictures
from musefs.index.schema.library_tables import TRACKS
from musefs.index.write import IndexWriter

COVER, BACK = b"\x89PNG cover" * 1000, b"\xff\xd8\xff back" * 70_000


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "library.duckdb"
    with IndexWriter(path) as writer:
        writer.append(TRACKS, tracks([1]))
        writer.publish("scan")
    return path


def add(path: Path, *pictures: bytes) -> list[str]:
    hashes = [hashlib.sha256(picture).hexdigest() for picture in pictures]
    with duckdb.connect(str(path)) as con:
        for art_hash, picture in zip(hashes, pictures, strict=True):
            con.execute(
                "INSERT INTO art_data VALUES (?, 'image/png', 0, 0, ?)", [art_hash, picture]
            )
    return hashes


def test_pictures_are_read_in_parts_and_only_new_ones_are_copied(
    index: Path, tmp_path: Path
) -> None:
    """M20: what a layout streams from the index is one state of it, whatever happens to it."""
    spill = tmp_path / "spill"
    spill.mkdir()
    stored = StoredPictures(index, spill)
    assert stored.refresh() == 0
    (cover,) = add(index, COVER)
    assert stored.refresh() == 1
    (back,) = add(index, BACK)
    assert (stored.refresh(), stored.refresh(), len(stored)) == (1, 0, 2)
    assert list(spill.iterdir()) == []
    with duckdb.connect(str(index)) as con:
        con.execute("DELETE FROM art_data")
    index.unlink()
    assert stored.read_art(cover, 0, len(COVER)) == COVER
    assert stored.read_art(back, 7, 99) == BACK[7:106]
    assert stored.read_art(back, len(BACK) - 2, 99) == BACK[-2:]


def test_a_picture_that_is_not_there_is_an_error_with_the_index(index: Path) -> None:
    stored = StoredPictures(index)
    add(index, b"")
    stored.refresh()
    with pytest.raises(IndexDamagedError, match="no stored picture abc") as caught:
        stored.read_art("abc", 0, 1)
    assert caught.value.path == str(index)


def test_a_writer_keeps_new_pictures_out_and_old_ones_readable(index: Path) -> None:
    (cover,) = add(index, COVER)
    stored = StoredPictures(index)
    stored.refresh()
    code = (
        "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('held', flush=True);"
        "sys.stdin.read()"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(index)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    try:
        writer.stdout.readline()
        with pytest.raises(IndexBusyError):
            stored.refresh()
        assert stored.read_art(cover, 0, 4) == COVER[:4]
    finally:
        writer.communicate()
