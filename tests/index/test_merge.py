"""Rescans: what the user did not touch follows the file, what the user wrote stays (D5)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.index_rows import blocks, rows, scanned_art, scanned_tags, tracks

from musefs.index.counters import Counter, fresh_tally
from musefs.index.edit.merge import CHANGE_LOG_ROWS
from musefs.index.schema.library_tables import PROBLEMS, TRACKS
from musefs.index.schema.volume_tables import SCAN_COUNTERS, SCANS
from musefs.index.write import IndexWriter, PublishReport

Tags = Mapping[int, Mapping[str, Sequence[str]]]

pytestmark = pytest.mark.expected_degradations(Counter.EDITS_KEPT)


def _scan(
    path: Path,
    seen: Mapping[int, Mapping[str, Any]],
    tags: Tags | None = None,
    art: Sequence[Mapping[str, Any]] = (),
    bodies: Sequence[Mapping[str, Any]] = (),
) -> PublishReport:
    """Publish a scan that saw the tracks of `seen` (id → fields) and read those in `tags`."""
    with IndexWriter(path) as writer:
        for track, fields in seen.items():
            writer.append(TRACKS, tracks([track], **fields))
        writer.append(*scanned_tags(tags or {}))
        writer.append(*scanned_art(art))
        writer.append(*blocks(bodies))
        return writer.publish("scan")


def _edit(path: Path, *statements: str) -> None:
    with duckdb.connect(str(path)) as con:
        for statement in statements:
            con.execute(statement)


def _query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(sql).fetchall()


def _served(path: Path, table: str = "tags") -> dict[int, dict[str, list[str]]]:
    found: dict[int, dict[str, list[str]]] = {}
    for track, key, value in _query(
        path, f"SELECT track_id, key, value FROM {table} ORDER BY track_id, key, ordinal"
    ):
        found.setdefault(track, {}).setdefault(key, []).append(value)
    return found


def test_an_unchanged_file_is_carried_over_with_all_edits(tmp_path: Path) -> None:
    path = tmp_path / "i.duckdb"
    picture = {"track_id": 1, "length": 9, "spans": [(5, 9)]}
    body = {"track_id": 1, "key": "x", "length": 1}
    _scan(path, {1: {}}, {1: {"title": ["A"], "genre": ["x"]}}, [picture], [body])
    _edit(path, "UPDATE tags SET value = 'Mine' WHERE key = 'title'", "DELETE FROM art")
    unversioned = "SELECT * EXCLUDE (published_version, published_change_at) FROM tracks"
    before, versions = _query(path, unversioned), _query(path, "FROM track_versions")
    report = _scan(path, {1: {}})
    assert (report.merge.carried, report.merge.read, report.merge.changed) == (1, 0, 0)
    assert _served(path) == {1: {"title": ["Mine"], "genre": ["x"]}}
    assert _served(path, "scanned_tags") == {1: {"title": ["A"], "genre": ["x"]}}
    assert _query(path, "SELECT count(*) FROM art") == [(0,)]
    assert _query(path, "SELECT count(*) FROM scanned_art") == [(1,)]
    assert _query(path, "SELECT key FROM blocks") == [("x",)]
    assert _query(path, unversioned) == before
    assert _query(path, "FROM track_versions") == versions


def test_a_changed_file_speaks_where_the_user_did_not(tmp_path: Path) -> None:
    path = tmp_path / "i.duckdb"
    first = {"title": ["A"], "artist": ["X", "Y"], "genre": ["rock"], "mood": ["sad"]}
    _scan(path, {1: {}}, {1: first})
    _edit(
        path,
        "UPDATE tags SET value = 'Mine' WHERE key = 'title'",
        "DELETE FROM tags WHERE key = 'genre'",
        "INSERT INTO tags VALUES (1, 'label', 0, 'Own')",
    )
    second = {"title": ["B"], "artist": ["Z"], "genre": ["rock"], "date": ["1999"]}
    with fresh_tally() as tally:
        report = _scan(path, {1: {"size": 2000}}, {1: second})
    assert _served(path) == {
        1: {"title": ["Mine"], "artist": ["Z"], "label": ["Own"], "date": ["1999"]}
    }
    assert _served(path, "scanned_tags") == {1: second}
    assert report.merge.edits_kept == tally[Counter.EDITS_KEPT] == 1
    assert _query(path, "SELECT content_version FROM track_versions") == [(5,)]


def test_a_forced_read_that_finds_the_same_makes_no_new_version(tmp_path: Path) -> None:
    path = tmp_path / "i.duckdb"
    tags = {1: {"title": ["A"]}, 2: {"title": ["B"]}}
    _scan(path, {1: {}, 2: {}}, tags)
    report = _scan(path, {1: {}, 2: {}}, {1: {"title": ["A"]}, 2: {"title": ["C"]}})
    assert (report.merge.read, report.merge.changed) == (2, 1)
    assert _query(path, "SELECT track_id, content_version FROM track_versions ORDER BY 1") == [
        (1, 1),
        (2, 2),
    ]
    assert _query(path, "SELECT track_id, kind FROM changes") == [(2, "tags")]


def test_a_move_keeps_id_edits_and_version_and_is_logged(tmp_path: Path) -> None:
    path = tmp_path / "i.duckdb"
    _scan(path, {1: {}}, {1: {"title": ["A"]}})
    _edit(path, "UPDATE tags SET value = 'Mine'")
    _scan(path, {1: {"path": "/Elsewhere/1.flac"}})
    assert _served(path) == {1: {"title": ["Mine"]}}
    assert _query(path, "SELECT path FROM tracks") == [("/Elsewhere/1.flac",)]
    assert _query(path, "SELECT content_version FROM track_versions") == [(2,)]
    assert _query(path, "SELECT kind FROM changes ORDER BY sequence") == [("tags",), ("track",)]


@pytest.mark.parametrize("state", ["missing", "failed"])
def test_a_file_that_cannot_be_read_now_keeps_what_was_known(tmp_path: Path, state: str) -> None:
    path = tmp_path / "i.duckdb"
    _scan(path, {1: {}}, {1: {"title": ["A"]}})
    _edit(path, "INSERT INTO tags VALUES (1, 'mood', 0, 'calm')")
    _scan(path, {1: {"state": state, "size": 0}})
    assert _served(path) == {1: {"title": ["A"], "mood": ["calm"]}}
    _scan(path, {1: {"size": 3000}}, {1: {"title": ["B"]}})
    assert _served(path) == {1: {"title": ["B"], "mood": ["calm"]}}


def test_new_and_pruned_tracks_are_logged_and_ids_never_come_again(tmp_path: Path) -> None:
    path = tmp_path / "i.duckdb"
    _scan(path, {1: {}, 9: {}}, {1: {"title": ["A"]}, 9: {"title": ["B"]}})
    report = _scan(path, {1: {}, 4: {}}, {4: {"title": ["C"]}})
    assert (report.merge.added, report.merge.removed) == (1, 1)
    assert set(_query(path, "SELECT track_id, kind FROM changes")) == {(4, "added"), (9, "removed")}
    assert _served(path) == {1: {"title": ["A"]}, 4: {"title": ["C"]}}
    with IndexWriter(path) as writer:
        assert writer.previous is not None
        assert writer.previous.track_high_water == 9


def test_pictures_follow_the_file_but_not_over_the_users_head(tmp_path: Path) -> None:
    path = tmp_path / "i.duckdb"
    front = {"track_id": 1, "ordinal": 0, "picture_type": 3, "length": 100, "spans": [(10, 100)]}
    back = {"track_id": 1, "ordinal": 1, "picture_type": 4, "length": 200, "spans": [(110, 200)]}
    disc = {"track_id": 1, "ordinal": 2, "picture_type": 6, "length": 300, "spans": [(310, 300)]}
    _scan(path, {1: {}}, {1: {"title": ["A"]}}, [front, back, disc])
    _edit(
        path,
        "DELETE FROM art WHERE picture_type = 4",
        "UPDATE art SET picture_type = 0 WHERE picture_type = 6",
        "INSERT INTO art VALUES (1, 7, 8, 'image/png', '', 1, 1, 0, 0, 5, 'raw', 0, NULL, 'aa')",
        "INSERT INTO art_data VALUES ('aa', 'image/png', 1, 1, 'abcde'::BLOB)",
    )
    moved = [
        {**front, "spans": [(50, 100)]},
        {**back, "spans": [(150, 200)]},
        {**disc, "spans": [(350, 300)]},
        {"track_id": 1, "ordinal": 3, "picture_type": 17, "length": 400, "spans": [(650, 400)]},
    ]
    _scan(path, {1: {"size": 5000}}, {1: {"title": ["A"]}}, moved)
    assert _query(
        path, 'SELECT ordinal, picture_type, spans[1]."offset", art_hash FROM art ORDER BY 1'
    ) == [(0, 3, 50, None), (1, 0, 350, None), (2, 8, None, "aa"), (3, 17, 650, None)]
    assert _query(path, "SELECT data FROM art_data") == [(b"abcde",)]


def test_history_and_problems_are_carried(tmp_path: Path) -> None:
    path = tmp_path / "i.duckdb"
    for number in (1, 2):
        with IndexWriter(path) as writer:
            name = f"scan-{number}"
            writer.append(TRACKS, tracks([1], entry_id=number * 10))
            if number == 1:
                problem = {"track_id": 1, "entry_id": 10, "counter": "c", "reason": "bad"}
                writer.append(PROBLEMS, rows(PROBLEMS, [problem]))
            writer.append(SCANS, rows(SCANS, [{"scan_id": name, "generation": number}]))
            counter = {"scan_id": name, "counter": "torn_records", "value": number}
            writer.append(SCAN_COUNTERS, rows(SCAN_COUNTERS, [counter]))
            writer.publish(name)
    assert _query(path, "SELECT scan_id FROM scans ORDER BY generation") == [
        ("scan-1",),
        ("scan-2",),
    ]
    assert _query(path, "SELECT value FROM scan_counters ORDER BY 1") == [(1,), (2,)]
    assert _query(path, "SELECT entry_id, reason FROM problems") == [(20, "bad")]


def test_the_change_log_goes_on_counting_and_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "i.duckdb"
    _scan(path, {1: {}}, {1: {"title": ["A"]}})
    last = CHANGE_LOG_ROWS + 50
    _edit(
        path,
        f"INSERT INTO changes (sequence, track_id, kind) SELECT i, 1, 'tags' "
        f"FROM range(1, {last + 1}) t(i)",
    )
    _scan(path, {1: {}})
    _edit(path, "UPDATE tags SET value = 'B'")
    assert _query(path, "SELECT min(sequence), max(sequence), count(*) FROM changes") == [
        (51, last + 1, CHANGE_LOG_ROWS + 1)
    ]


_KEYS = st.sampled_from(["title", "artist", "genre"])
_VALUE = st.sampled_from(["a", "b", "c"])
_VALUES = st.lists(_VALUE, max_size=2)
_FILE = st.dictionaries(_KEYS, st.lists(_VALUE, min_size=1, max_size=2))
_STEP = st.one_of(
    st.tuples(st.just("file"), st.integers(1, 2), _FILE),
    st.tuples(st.just("edit"), st.integers(1, 2), st.tuples(_KEYS, _VALUES)),
    st.tuples(st.just("gone"), st.integers(1, 2), st.none()),
    st.tuples(st.just("scan"), st.none(), st.none()),
)


class _Model:
    """What ought to be served: per track and key the file's values, unless a user chose others."""

    def __init__(self) -> None:
        self.files: dict[int, dict[str, list[str]]] = {1: {"title": ["a"]}, 2: {}}
        self.scanned: dict[int, dict[str, list[str]]] = {1: {}, 2: {}}
        self.served: dict[int, dict[str, list[str]]] = {1: {}, 2: {}}
        self.sizes = {1: 1000, 2: 1000}
        self.changed = {1, 2}
        self.gone: set[int] = set()

    def scan(self, path: Path) -> None:
        """Scan, and foresee what comes of it."""
        seen = {n: {"size": self.sizes[n]} for n in (1, 2)}
        for track in self.gone:
            seen[track]["state"] = "missing"  # type: ignore[assignment]
        read = {n: self.files[n] for n in self.changed - self.gone}
        _scan(path, seen, read)
        for track, theirs in read.items():
            base, mine = self.scanned[track], self.served[track]
            keys = {*base, *mine, *theirs}
            merged = {
                key: theirs.get(key) if mine.get(key) == base.get(key) else mine.get(key)
                for key in keys
            }
            self.served[track] = {key: list(v) for key, v in merged.items() if v}
            self.scanned[track] = {key: list(v) for key, v in theirs.items()}
        self.changed -= set(read)
        self.gone.clear()

    def edit(self, path: Path, track: int, key: str, values: Sequence[str]) -> None:
        """Edit as a user would."""
        _edit(path, f"DELETE FROM tags WHERE track_id = {track} AND key = '{key}'")
        for ordinal, value in enumerate(values):
            _edit(path, f"INSERT INTO tags VALUES ({track}, '{key}', {ordinal}, '{value}')")
        self.served[track].pop(key, None)
        if values:
            self.served[track][key] = list(values)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(_STEP, min_size=1, max_size=7))
def test_any_sequence_of_scans_and_edits_keeps_every_edit(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any, Any]]
) -> None:
    path = tmp_path_factory.mktemp("sequence") / "i.duckdb"
    model = _Model()
    model.scan(path)
    for step, track, argument in [*steps, ("scan", None, None)]:
        if step == "file":
            model.files[track] = argument
            model.sizes[track] += 1
            model.changed.add(track)
        elif step == "edit":
            model.edit(path, track, *argument)
        elif step == "gone":
            model.gone.add(track)
        else:
            model.scan(path)
            served = _served(path)
            assert {n: served.get(n, {}) for n in (1, 2)} == model.served
