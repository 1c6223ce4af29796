"""The reading face: frames, the search language, and a file that is never held for long."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.index_rows import rows, scanned_tags, tracks

from musefs.index import open_index
from musefs.index.errors import IndexMissingError, SelectionError
from musefs.index.read.search import MAX_TERMS, compile_search
from musefs.index.schema.library_tables import TRACKS
from musefs.index.schema.volume_tables import DIRECTORIES, ENTRIES, NAMES
from musefs.index.write import IndexWriter

EPOCH_1601 = 116_444_736_000_000_000

FILES = [
    # record, name, parent, size, attributes, day of last change
    (5, ".", 5, None, 6, "2020-01-01"),
    (30, "Music", 5, None, 0, "2020-01-01"),
    (31, "One Song.flac", 30, 5 << 20, 0, "2024-05-31"),
    (32, "two.MP3", 30, 100, 0, "2024-06-01"),
    (33, "secret.flac", 30, 0, 2, "2023-01-01"),
    (34, "lost.txt", 99, 7, 0, "2022-01-01"),
]


def _raw(day: str) -> int:
    moment = datetime.fromisoformat(day).astimezone(UTC)
    return int(moment.timestamp()) * 10_000_000 + EPOCH_1601


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("index") / "i.duckdb"
    entries = [
        {
            "entry_id": n,
            "record_number": record,
            "sequence": 1,
            "is_directory": size is None,
            "size": size,
            "attributes": attributes,
            "modified_raw": _raw(day),
            "name_count": 1,
        }
        for n, (record, _, _, size, attributes, day) in enumerate(FILES)
    ]
    names = [
        {"entry_id": n, "name": name, "parent_record": parent, "parent_sequence": 1}
        for n, (_, name, parent, *_) in enumerate(FILES)
    ]
    folders = [
        {"entry_id": 0, "record_number": 5, "sequence": 1, "path": "/"},
        {"entry_id": 1, "record_number": 30, "sequence": 1, "path": "/Music/", "parent_id": 0},
    ]
    with IndexWriter(path) as writer:
        writer.append(ENTRIES, rows(ENTRIES, entries))
        writer.append(NAMES, rows(NAMES, names))
        writer.append(DIRECTORIES, rows(DIRECTORIES, [{**f, "hidden": False} for f in folders]))
        writer.append(TRACKS, tracks([1], entry_id=2))
        writer.append(*scanned_tags({1: {"artist": ["Björk"]}}))
        writer.publish("scan")
    return path


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("song", ["One Song.flac"]),
        ("SONG", []),
        ("one song", ["One Song.flac"]),
        ('"one song"', ["One Song.flac"]),
        ('"song one"', []),
        ("two|song", ["One Song.flac", "two.MP3"]),
        ("ext:flac;mp3 !song", ["two.MP3"]),
        ("*.mp3", ["two.MP3"]),
        ("tw?.*", ["two.MP3"]),
        ("wo.*", []),
        ("music\\two", ["two.MP3"]),
        ("path:/Music file:", ["One Song.flac", "two.MP3"]),
        ("folder:", ["Music"]),
        ("folder:mus", ["Music"]),
        ("size:1mb..10mb", ["One Song.flac"]),
        ("size:>=100 size:<1k", ["two.MP3"]),
        ("dm:2024-05", ["One Song.flac"]),
        ("dm:2024-06-01", ["two.MP3"]),
        ("dm:2024", ["One Song.flac", "two.MP3"]),
        ("dm:>2024-05-31", ["two.MP3"]),
        ("dm:2022-01-01..2024-05-31 file:", ["One Song.flac", "lost.txt"]),
        ("regex:^t\\w+\\.", ["two.MP3"]),
        ("artist:björk", ["One Song.flac"]),
        ("artist:abba", []),
        ("!artist:björk ext:flac", []),
    ],
)
def test_search(path: Path, query: str, found: list[str]) -> None:
    names = open_index(path).search(query).get_column("name").to_list()
    assert sorted(names) == sorted(found)


def test_hidden_files_are_found_on_request(path: Path) -> None:
    assert open_index(path).search("secret").is_empty()
    assert open_index(path).search("secret", hidden=True).height == 1


def test_files_have_full_paths_and_orphans_say_so(path: Path) -> None:
    frame = open_index(path).files("extension <> ''").sort("path")
    assert frame.get_column("path").to_list() == [
        "/$OrphanFiles/lost.txt",
        "/Music/One Song.flac",
        "/Music/secret.flac",
        "/Music/two.MP3",
    ]
    assert frame.get_column("path_state").to_list()[0] == "orphan"


@pytest.mark.parametrize(
    "query", ["size:big", "dm:2024-13", "dm:x", "regex:(", "artist:", "a " * 200]
)
def test_queries_that_cannot_be(path: Path, query: str) -> None:
    with pytest.raises(SelectionError):
        open_index(path).search(query)


@given(st.text(alphabet='ab"|!*?:\\/. size>=<1md', max_size=40))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    try:
        condition = compile_search(text)
    except SelectionError:
        return
    assert len(condition.parameters) <= 2 * MAX_TERMS


def test_frames(path: Path) -> None:
    index = open_index(path)
    assert isinstance(index.volumes(), pl.DataFrame)
    assert index.meta()["generation"] == 1
    assert index.tracks("artist = 'Björk'").height == 1
    assert index.tags([1]).get_column("value").to_list() == ["Björk"]
    assert index.tags([2]).is_empty()
    assert index.sql("SELECT $a + 1 AS b", {"a": 1}).item() == 2
    assert index.arrow("SELECT 1 AS b").num_rows == 1
    assert index.sql("FROM mftecmd").height == len(FILES)
    assert index.sql("FROM largest_folders").row(0)[:3] == ("/", 3, (5 << 20) + 100)


def test_the_file_is_held_only_inside_a_with_block(path: Path) -> None:
    index = open_index(path)
    index.meta()
    duckdb.connect(str(path)).close()
    with open_index(path) as held:
        first = held.sql("SELECT count(*) FROM files").item()
        assert held.search("song").height == 1
        assert held.sql("SELECT count(*) FROM files").item() == first
    duckdb.connect(str(path)).close()


def test_opening_says_what_is_wrong_at_once(tmp_path: Path) -> None:
    with pytest.raises(IndexMissingError):
        open_index(tmp_path / "none.duckdb")
