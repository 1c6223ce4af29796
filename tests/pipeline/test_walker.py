"""The directory walk: every entry once, every name, the same ids whatever the threads do."""

import os
import threading
from collections import Counter as Multiset
from pathlib import Path

import pyarrow as pa
import pytest

from musefs.index.counters import Counter, fresh_tally
from musefs.index.errors import CancelledError, VolumeError, VolumeNotFoundError
from musefs.pipeline.walk.walker import Walk, WalkOptions


def rows(root: Path, **options: object) -> dict[str, list[dict[str, object]]]:
    tables: dict[str, list[pa.RecordBatch]] = {}
    walk = Walk(root, WalkOptions(**options))  # type: ignore[arg-type]
    for table, batch in walk.batches():
        assert batch.schema == table.arrow_schema
        tables.setdefault(table.name, []).append(batch)
    return {name: pa.Table.from_batches(batches).to_pylist() for name, batches in tables.items()}


def paths(found: dict[str, list[dict[str, object]]]) -> set[str]:
    folder = {row["record_number"]: row["path"] for row in found["directories"]}
    return {f"{folder[row['parent_record']]}{row['name']}" for row in found["names"]}


@pytest.fixture
def music(tmp_path: Path) -> Path:
    (tmp_path / "A" / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".hidden" / "in").mkdir(parents=True)
    (tmp_path / "A" / "one.flac").write_bytes(b"12345")
    (tmp_path / "A" / "deep" / "er" / "two.mp3").write_bytes(b"")
    os.link(tmp_path / "A" / "one.flac", tmp_path / "linked.flac")
    (tmp_path / "link").symlink_to("A/one.flac")
    return tmp_path


def test_every_name_and_folder_is_there(music: Path) -> None:
    found = rows(music)
    expected = {f"/{path.relative_to(music)}" for path in music.rglob("*")}
    assert paths(found) == expected | {"/."}
    assert {row["path"] for row in found["directories"]} == {
        "/", "/A/", "/A/deep/", "/A/deep/er/", "/.hidden/", "/.hidden/in/",
    }  # fmt: skip


def test_a_hard_link_is_one_entry_with_two_names(music: Path) -> None:
    found = rows(music)
    inode = (music / "linked.flac").stat().st_ino
    (entry,) = [row for row in found["entries"] if row["record_number"] == inode]
    assert (entry["size"], entry["name_count"], entry["link_count"]) == (5, 2, 2)
    names = [row for row in found["names"] if row["entry_id"] == entry["entry_id"]]
    assert sorted((row["ordinal"], row["name"]) for row in names) == [
        (0, "linked.flac"),
        (1, "one.flac"),
    ]


@pytest.mark.expected_degradations(Counter.PARENT_LOOPS)
def test_links_are_listed_and_followed_only_when_asked(music: Path) -> None:
    (music / "folder link").symlink_to("A")
    link = next(row for row in rows(music)["entries"] if row["reparse_target"] == "A")
    assert not link["is_directory"]
    assert "/folder link/deep/er/two.mp3" not in paths(rows(music))
    with fresh_tally():
        followed = rows(music, follow_symlinks=True)
    assert "/folder link/" in {row["path"] for row in followed["directories"]}


@pytest.mark.expected_degradations(Counter.PARENT_LOOPS)
def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "back").symlink_to("..")
    with fresh_tally() as tally:
        rows(tmp_path, follow_symlinks=True)
    assert tally[Counter.PARENT_LOOPS] == 1


def test_names_that_are_no_utf8_keep_their_bytes(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp3"))).write_bytes(b"")
    (tmp_path / "caf\\xe9.mp3").write_bytes(b"")
    found = [row for row in rows(tmp_path)["names"] if row["name"] != "."]
    assert {(row["name"], row["name_bytes"]) for row in found} == {
        ("caf\\xe9.mp3", b"caf\xe9.mp3"),
        ("caf\\xe9.mp3", None),
    }


def test_ids_do_not_depend_on_the_order_of_the_threads(music: Path) -> None:
    for number in range(60):
        (music / "A" / f"folder {number}").mkdir()
        (music / "A" / f"folder {number}" / "x").write_bytes(b"")

    def without_access_times() -> dict[str, list[dict[str, object]]]:
        found = rows(music)
        for entry in found["entries"]:
            entry.pop("accessed_raw")  # listing a folder may move its own
        return found

    assert without_access_times() == without_access_times() == without_access_times()


def test_hidden_folders_hide_what_is_below(music: Path) -> None:
    hidden = {row["path"]: row["hidden"] for row in rows(music)["directories"]}
    assert hidden["/.hidden/in/"]
    assert not hidden["/A/deep/"]


def test_excluded_names_are_left_out_with_all_below(music: Path) -> None:
    assert not {path for path in paths(rows(music, exclude=("d??p", "*.flac"))) if "deep" in path}


def test_entry_ids_and_records_are_unique(music: Path) -> None:
    entries = rows(music)["entries"]
    for column in ("entry_id", "record_number"):
        assert max(Multiset(row[column] for row in entries).values()) == 1


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(VolumeNotFoundError, match="no such directory"):
        rows(tmp_path / "gone")


def test_a_file_as_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(VolumeError, match="cannot be listed"):
        rows(tmp_path / "file")


def test_a_cancelled_walk_stops(music: Path) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(CancelledError):
        list(Walk(music, WalkOptions(), cancelled).batches())


@pytest.mark.expected_degradations(Counter.UNREADABLE_FOLDERS)
def test_a_folder_that_vanishes_is_counted(tmp_path: Path) -> None:
    from musefs.pipeline.walk.listing import list_folder

    with fresh_tally() as tally:
        assert list_folder(os.fsencode(tmp_path / "gone"), follow_symlinks=False) == []
    assert tally[Counter.UNREADABLE_FOLDERS] == 1


def test_readable_files_are_counted_by_extension_and_each_once(music: Path) -> None:
    (music / "COVER.JPG").write_bytes(b"123")
    (music / ".flac").write_bytes(b"hidden, and no extension")
    os.link(music / "A" / "deep" / "er" / "two.mp3", music / "A" / "a name without")
    walk = Walk(music, WalkOptions())
    for _ in walk.batches():
        pass
    counted = {kind: walk.totals.formats[kind] for kind in ("mp3", "jpg")}
    assert counted == {"mp3": (1, 0), "jpg": (1, 3)}
    assert walk.totals.formats["flac"] == (1, 5)  # two names; a symbolic link has no content
