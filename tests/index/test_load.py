"""Loading for a mount: one look at the file, everything by track, changes by log or in full."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from support.index_rows import blocks, rows, scanned_art, scanned_tags, tracks

from musefs.index.errors import (
    IndexBusyError,
    IndexDamagedError,
    IndexMissingError,
    NotAnIndexError,
    SchemaVersionError,
)
from musefs.index.read.follow import IndexFollower
from musefs.index.read.load import (
    changes_since,
    compare,
    identity,
    load_library,
    load_tracks,
    load_update,
)
from musefs.index.read.snapshot import Gap, LibraryUpdate
from musefs.index.schema.library_tables import TRACKS
from musefs.index.schema.volume_tables import CONTENTS, VOLUMES
from musefs.index.write import IndexWriter


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "library.duckdb"
    with IndexWriter(path) as writer:
        writer.append(TRACKS, tracks([3, 1, 2], entry_id=7))
        writer.append(
            *scanned_tags({2: {"title": ["Two"], "artist": ["B", "A"]}, 1: {"TITLE": ["One"]}})
        )
        writer.append(*scanned_art([{"track_id": 3, "length": 5, "spans": [(0, 5)]}]))
        writer.append(*blocks([{"track_id": 1, "ordinal": n, "key": str(n)} for n in (1, 0)]))
        writer.append(CONTENTS, rows(CONTENTS, [{"entry_id": 7, "kind": "runs", "size": 9}]))
        writer.append(VOLUMES, rows(VOLUMES, [{"source": "disk.img", "mft_runs": [(4096, 10)]}]))
        writer.publish("scan")
    return path


def _edit(path: Path, *statements: str) -> None:
    with duckdb.connect(str(path)) as con:
        for statement in statements:
            con.execute(statement)


def test_tables_are_in_the_order_of_tracks_and_cut_by_track(index: Path) -> None:
    library = load_library(index, with_contents=True)
    assert library.track_ids.tolist() == [1, 2, 3]
    values = [
        [(row["key"], row["value"]) for row in library.tags.of(position).to_pylist()]
        for position in range(3)
    ]
    assert values == [
        [("title", "One")],
        [("artist", "B"), ("artist", "A"), ("title", "Two")],
        [],
    ]
    assert library.tags.positions().tolist() == [0, 1, 1, 1]
    assert library.art.of(2).column("length").to_pylist() == [5]
    assert library.blocks.of(0).column("key").to_pylist() == ["0", "1"]
    assert library.contents is not None
    assert library.contents.column("size").to_pylist() == [9, 9, 9]
    assert library.volume is not None
    assert library.volume.mft_runs == ((4096, 10),)
    assert library.position(2) == 1
    assert library.position(9) is None


def test_some_tracks_alone_are_cut_in_the_same_way(index: Path) -> None:
    for wanted in ([1], [2], [3], [1, 3]):
        some = load_tracks(index, wanted)
        whole = load_library(index)
        assert some.track_ids.tolist() == wanted
        for position, track in enumerate(wanted):
            at = whole.position(track)
            assert at is not None
            assert some.tags.of(position).to_pylist() == whole.tags.of(at).to_pylist()
            assert some.art.of(position).to_pylist() == whole.art.of(at).to_pylist()
            assert some.blocks.of(position).to_pylist() == whole.blocks.of(at).to_pylist()


def test_the_file_is_not_held_and_nothing_is_left(index: Path, tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    library = load_library(index, spill_directory=spill)
    assert list(spill.iterdir()) == []
    _edit(index, "UPDATE tags SET value = 'x'")  # nobody else has it open
    assert library.tags.of(0).column("value").to_pylist() == ["One"]


def test_pages_are_given_back_and_come_again(index: Path) -> None:
    """A mount of a large library does not count what it only looked at once."""
    library = load_library(index)
    assert library.maps
    before = library.tags.of(1).to_pylist()
    library.let_go_of_pages()
    assert library.tags.of(1).to_pylist() == before
    assert load_tracks(index, [1]).tracks.num_rows == 1


def test_identity_changes_with_an_edit_even_before_the_checkpoint(index: Path) -> None:
    before = identity(index)
    assert identity(index) == before
    code = (
        "import duckdb, os, sys; con = duckdb.connect(sys.argv[1]);"
        "con.execute(\"UPDATE tags SET value = 'new'\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(index)], check=True)
    after = identity(index)
    assert after.database == before.database
    assert after.journal is not None
    assert load_library(index).tags.of(0).column("value").to_pylist() == ["new"]


def test_inserted_rows_are_sorted_in_and_rows_of_no_track_are_left_out(index: Path) -> None:
    _edit(
        index,
        "INSERT INTO tags VALUES (1, 'album', 0, 'First'), (8, 'title', 0, 'of no track')",
        "DELETE FROM tracks WHERE track_id = 2",
    )
    library = load_library(index)
    assert library.track_ids.tolist() == [1, 3]
    assert library.tags.rows.column("value").to_pylist() == ["First", "One"]


def test_m7_rows_under_one_key_come_in_the_same_order_at_every_load(index: Path) -> None:
    """M7: a user wrote two values at one place; another edit moves rows, the bytes stay."""
    old = load_library(index)
    values = [f"({n % 3 + 1}, 'comment', 0, 'value {n}')" for n in (5, 1, 8, 2, 3, 0, 7, 4, 6)]
    _edit(index, f"INSERT INTO tags VALUES {', '.join(values)}")

    def comments() -> list[list[str]]:
        whole = load_library(index)
        some = load_tracks(index, [1, 2, 3])
        follower = IndexFollower(index)
        few = follower.update(old)
        follower.close()
        assert isinstance(few, LibraryUpdate)
        found = [
            [row["value"] for at in range(3) for row in library.tags.of(at).to_pylist()
             if row["key"] == "comment"]
            for library in (whole, some, few.present)
        ]  # fmt: skip
        assert found[0] == found[1] == found[2]
        return found

    before = comments()
    _edit(index, "DELETE FROM tags WHERE value = 'value 3'")
    _edit(index, "INSERT INTO tags VALUES (1, 'comment', 0, 'value 3')")
    assert comments() == before


def test_missing_tracks_are_loaded_on_request_only(index: Path) -> None:
    _edit(index, "UPDATE tracks SET state = 'missing' WHERE track_id = 2")
    assert load_library(index).track_ids.tolist() == [1, 3]
    assert load_library(index, states=("present", "missing")).track_ids.tolist() == [1, 2, 3]
    assert load_tracks(index, [2, 3, 99]).track_ids.tolist() == [3]


def test_log_and_full_comparison_name_the_same_tracks(index: Path) -> None:
    """M29: the incremental and the full way agree."""
    old = load_library(index)
    _edit(
        index,
        "UPDATE tags SET value = 'Eins' WHERE track_id = 1 AND key = 'TITLE'",
        "DELETE FROM art WHERE track_id = 3",
        "UPDATE tracks SET state = 'missing' WHERE track_id = 2",
    )
    update = load_update(index, old)
    assert isinstance(update, LibraryUpdate)
    new = load_library(index)
    difference = compare(old, new)
    assert update.named == difference.all == {1, 2, 3}
    assert difference.removed == {2}
    assert update.present.track_ids.tolist() == [1, 3]
    assert update.present.tags.of(0).column("value").to_pylist() == ["Eins"]
    again = load_update(index, update)
    assert isinstance(again, LibraryUpdate)
    assert again.named == frozenset()
    assert changes_since(index, new.index_id, new.change_sequence) == frozenset()


def test_a_log_that_cannot_answer_is_a_gap(index: Path, tmp_path: Path) -> None:
    library = load_library(index)
    assert isinstance(changes_since(index, library.index_id, 99), Gap)
    _edit(
        index,
        "UPDATE tags SET value = 'a'",
        "UPDATE tags SET value = 'b'",
        "DROP TRIGGER changes_delete_refused ON changes",
        "DELETE FROM changes WHERE sequence < 3",
    )
    assert isinstance(load_update(index, library), Gap)
    other = tmp_path / "other.duckdb"
    with IndexWriter(other) as writer:
        writer.publish("scan")
    assert isinstance(load_update(other, library), Gap)


def test_a_rescan_is_replayed_like_any_edit(index: Path) -> None:
    old = load_library(index)
    with IndexWriter(index) as writer:
        writer.append(TRACKS, tracks([1, 3, 4], entry_id=8))
        writer.append(*scanned_tags({4: {"title": ["Four"]}}))
        writer.publish("again")
    update = load_update(index, old)
    assert isinstance(update, LibraryUpdate)
    assert update.named == compare(old, load_library(index)).all == {2, 4}
    assert update.generation == 2


def test_while_a_writer_holds_it_the_index_is_busy(index: Path) -> None:
    code = (
        "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('open', flush=True);"
        "sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(index)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder:
        holder.stdout.readline()
        with pytest.raises(IndexBusyError, match=f"in use by pid {holder.pid}"):
            load_library(index)
        holder.stdin.close()
    load_library(index)


def test_what_is_no_index_says_so(index: Path, tmp_path: Path) -> None:
    with pytest.raises(IndexMissingError):
        load_library(tmp_path / "none.duckdb")
    with pytest.raises(NotAnIndexError, match="directory"):
        load_library(tmp_path)
    text = tmp_path / "text"
    text.write_text("words " * 4000)
    with pytest.raises(NotAnIndexError):
        load_library(text)
    foreign = tmp_path / "foreign.duckdb"
    duckdb.connect(str(foreign)).close()
    with pytest.raises(NotAnIndexError, match="not a musefs index"):
        load_library(foreign)
    for size in (100, 9000, 20_000):
        short = tmp_path / f"short{size}.duckdb"
        short.write_bytes(index.read_bytes()[:size])
        with pytest.raises(IndexDamagedError):
            load_library(short)
    _edit(index, "UPDATE meta SET schema_version = 99")
    with pytest.raises(SchemaVersionError, match="newer"):
        load_library(index)


@pytest.mark.skipif(os.name == "nt", reason="POSIX names")
def test_after_a_replacement_the_new_file_is_loaded(index: Path) -> None:
    first = load_library(index)
    with IndexWriter(index) as writer:
        writer.append(TRACKS, tracks([1]))
        writer.publish("again")
    assert load_library(index).generation == first.generation + 1


def test_versions_follow_whatever_client_changes_whatever_is_served(index: Path) -> None:
    """Issue 3: also an UPDATE of tracks itself, which no trigger can count in that table."""
    before = load_library(index)
    assert before.tracks.column("content_version").to_pylist() == [1, 1, 1]
    _edit(
        index,
        "UPDATE tracks SET sample_rate = 96000 WHERE track_id = 1",
        "UPDATE tracks SET reason = 'not served' WHERE track_id = 2",
        "UPDATE tags SET value = 'x' WHERE track_id = 2",
        "UPDATE tracks SET bits_per_sample = 24, channels = 2 WHERE track_id = 1",
    )
    after = load_library(index)
    assert after.tracks.column("content_version").to_pylist() == [4, 3, 1]
    assert after.tracks.column_names == before.tracks.column_names
    changed = [
        now > was
        for now, was in zip(
            after.tracks.column("updated_at").to_pylist(),
            before.tracks.column("updated_at").to_pylist(),
            strict=True,
        )
    ]
    assert changed == [True, True, False]
    update = load_update(index, before)
    assert isinstance(update, LibraryUpdate)
    assert update.present.tracks.column("content_version").to_pylist() == [4, 3]
