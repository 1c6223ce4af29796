"""Following an index: each look says what a fresh load says, and holds nothing in between."""

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from support.index_rows import blocks, rows, scanned_art, scanned_tags, tracks

from musefs.index.errors import IndexBusyError, IndexDamagedError, IndexMissingError
from musefs.index.read import follow
from musefs.index.read.follow import IndexFollower
from musefs.index.read.load import load_library, load_tracks, load_update
from musefs.index.read.snapshot import Gap, LibrarySnapshot, LibraryUpdate
from musefs.index.schema.library_tables import TRACKS
from musefs.index.schema.volume_tables import CONTENTS, VOLUMES
from musefs.index.write import IndexWriter


def publish(path: Path, count: int = 5) -> None:
    ids = list(range(1, count + 1))
    with IndexWriter(path) as writer:
        writer.append(TRACKS, tracks(ids, entry_id=7))
        writer.append(*scanned_tags({n: {"TITLE": [f"{n}"], "artist": ["B", "A"]} for n in ids}))
        writer.append(*scanned_art([{"track_id": 3, "length": 5, "spans": [(0, 5)]}]))
        writer.append(*blocks([{"track_id": 1, "ordinal": n, "key": str(n)} for n in (1, 0)]))
        writer.append(CONTENTS, rows(CONTENTS, [{"entry_id": 7, "kind": "runs", "size": 9}]))
        writer.append(VOLUMES, rows(VOLUMES, [{"source": "disk.img", "mft_runs": [(4096, 10)]}]))
        writer.publish("scan")


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "index.duckdb"
    publish(path)
    return path


def edit(path: Path, *statements: str) -> None:
    with duckdb.connect(str(path)) as con:
        for statement in statements:
            con.execute(statement)


def contents(snapshot: LibrarySnapshot) -> list[object]:
    return [
        snapshot.tracks.to_pylist(),
        *(
            [part.of(position).to_pylist() for position in range(len(snapshot.track_ids))]
            for part in (snapshot.tags, snapshot.art, snapshot.blocks)
        ),
        None if snapshot.contents is None else snapshot.contents.to_pylist(),
        (snapshot.volume, snapshot.index_id, snapshot.generation, snapshot.change_sequence),
    ]


@pytest.mark.parametrize("few", [0, 1000])
def test_m29_a_look_gives_what_a_load_of_the_same_tracks_gives(
    index: Path, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M29: by few tracks in memory and by many through mapped files, edit after edit."""
    monkeypatch.setattr(follow, "FEW_TRACKS", few)
    follower = IndexFollower(index, with_contents=True)
    since: LibrarySnapshot | LibraryUpdate = load_library(index, with_contents=True)
    for number in range(3):
        edit(
            index,
            f"UPDATE tags SET value = 'new {number}' WHERE track_id IN (2, 4) AND key = 'TITLE'",
            f"INSERT INTO tags VALUES (3, 'album', {number}, 'of 3')",
            "UPDATE tracks SET state = 'missing' WHERE track_id = 5",
        )
        update = follower.update(since, frozenset([1]))
        assert isinstance(update, LibraryUpdate)
        assert update.named == {2, 3, 4} | ({5} if number == 0 else set())
        fresh = load_tracks(index, [1, 2, 3, 4], with_contents=True)
        assert contents(update.present) == contents(fresh)
        since = update
    follower.close()


def test_nothing_is_loaded_while_the_log_names_nothing(index: Path) -> None:
    """What shall be loaded besides is loaded only together with a change."""
    follower = IndexFollower(index)
    update = follower.update(load_library(index), frozenset([1, 2]))
    assert isinstance(update, LibraryUpdate)
    assert not update.named
    assert update.present.track_ids.tolist() == []
    follower.close()


def test_h_the_index_is_free_between_looks_and_another_file_is_seen(
    index: Path, tmp_path: Path
) -> None:
    """Nobody is locked out between looks; an index put in place by rename is the one looked at."""
    follower = IndexFollower(index)
    library = load_library(index)
    assert isinstance(follower.update(library), LibraryUpdate)
    edit(index, "UPDATE tags SET value = 'x' WHERE track_id = 1")
    other = tmp_path / "other.duckdb"
    shutil.copy(index, other)
    edit(other, "UPDATE tags SET value = 'y' WHERE track_id = 2")
    other.replace(index)
    update = follower.update(library)
    assert isinstance(update, LibraryUpdate)
    assert update.named == {1, 2}
    publish(other, 2)
    other.replace(index)
    assert isinstance(follower.update(library), Gap)
    follower.close()


def test_errors_leave_a_follower_that_can_go_on(index: Path, tmp_path: Path) -> None:
    """A missing, a held and a damaged index are said in words; the next look works again."""
    follower = IndexFollower(index)
    library = load_library(index)
    away = tmp_path / "away"
    index.rename(away)
    with pytest.raises(IndexMissingError):
        follower.update(library)
    index.write_bytes(away.read_bytes()[:60_000])
    with pytest.raises(IndexDamagedError):
        follower.update(library)
    away.replace(index)
    code = (
        "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('x', flush=True);"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(index)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"x\n"
        with pytest.raises(IndexBusyError):
            follower.update(library)
        holder.communicate()
    assert isinstance(follower.update(library), LibraryUpdate)
    assert isinstance(load_update(index, library), LibraryUpdate)
    follower.close()
