"""musefs-tag as a user runs it: every sub-command, dry runs, change sets and undo."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from support.index_rows import rows, scanned_art, scanned_tags, tracks

from musefs.index.command.run import Program, main
from musefs.index.counters import Counter
from musefs.index.edit import flags
from musefs.index.edit.cli import plan_tag
from musefs.index.edit.commands import run
from musefs.index.edit.selection import glob_pattern
from musefs.index.errors import ExitCode
from musefs.index.schema.library_tables import TRACKS
from musefs.index.schema.volume_tables import SCANS, VOLUMES
from musefs.index.write import IndexWriter

Tag = Callable[..., int]

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (640).to_bytes(4, "big") + (480).to_bytes(4, "big")
    + b"\x08\x02\0\0\0"
)  # fmt: skip


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "index.duckdb"
    music = tmp_path / "volume"
    (music / "Music").mkdir(parents=True)
    original = music / "Music" / "1.flac"
    original.write_bytes(b"0123456789" + b"\xff\xd8\xff picture" + b"rest")
    with IndexWriter(path) as writer:
        writer.append(TRACKS, tracks([2, 3]))
        status = original.stat()
        writer.append(
            TRACKS,
            tracks([1], size=status.st_size, mtime_ns=status.st_mtime_ns, record_number=0),
        )
        writer.append(
            *scanned_tags(
                {
                    1: {"title": ["One"], "artist": ["A", "B"]},
                    2: {"title": ["Two"], "genre": ["Rock"]},
                    3: {"title": ["Three"]},
                }
            )
        )
        picture = {"track_id": 1, "picture_type": 3, "mime": "image/jpeg", "length": 11}
        writer.append(*scanned_art([{**picture, "spans": [(10, 11)], "width": 5}]))
        writer.append(VOLUMES, rows(VOLUMES, [{"source": "x", "root_path": str(music)}]))
        writer.publish("scan")
    return path


@pytest.fixture
def tag(index: Path, monkeypatch: pytest.MonkeyPatch) -> Tag:
    monkeypatch.setenv("MUSEFS_INDEX", str(index))
    return lambda *words: main(Program(flags.TAG, plan_tag, run), list(words))


def _tags(index: Path, where: str = "true") -> list[tuple[object, ...]]:
    with duckdb.connect(str(index), read_only=True) as con:
        return con.execute(
            f"SELECT track_id, key, value FROM tags WHERE {where} ORDER BY track_id, key, ordinal"
        ).fetchall()


def _one(index: Path, sql: str) -> object:
    with duckdb.connect(str(index), read_only=True) as con:
        return con.execute(sql).fetchall()[0][0]


def test_set_replaces_and_logs_once(index: Path, tag: Tag) -> None:
    assert tag("set", "Genre=Jazz", "GENRE=Blues", "--all") == 0
    assert _tags(index, "key = 'genre'") == [
        (n, "genre", value) for n in (1, 2, 3) for value in ("Jazz", "Blues")
    ]
    assert _one(index, "SELECT count(DISTINCT change_set) FROM edits") == 1
    assert _one(index, "SELECT count(*) FROM edits WHERE track_id = 2") == 2
    versions = _one(index, "SELECT list(content_version ORDER BY track_id) FROM track_versions")
    assert tag("set", "genre=Jazz", "genre=Blues", "--all") == 0
    assert (
        _one(index, "SELECT list(content_version ORDER BY track_id) FROM track_versions")
        == versions
    )


def test_a_dry_run_shows_before_and_after_and_changes_nothing(
    index: Path, tag: Tag, capsys: pytest.CaptureFixture[str]
) -> None:
    before = index.read_bytes()
    assert tag("set", "artist=C", "--track", "1", "--dry-run") == 0
    out = capsys.readouterr().out
    assert "A; B" in out
    assert "would change 1 tags of 1 tracks" in out
    assert _tags(index, "key = 'artist'") == [(1, "artist", "A"), (1, "artist", "B")]
    assert index.read_bytes() == before


def test_add_and_remove_single_values(index: Path, tag: Tag) -> None:
    assert tag("add", "artist=C", "artist=A", "--track", "1") == 0
    assert [row[2] for row in _tags(index, "key = 'artist'")] == ["A", "B", "C"]
    assert tag("remove", "artist=B", "title", "--track", "1") == 0
    assert _tags(index, "track_id = 1") == [(1, "artist", "A"), (1, "artist", "C")]


def test_undo_takes_back_one_change_set_at_a_time(index: Path, tag: Tag) -> None:
    first = _tags(index)
    tag("set", "title=X", "--all")
    second = _tags(index)
    tag("remove", "artist=A", "--track", "1")
    tag("undo")
    assert _tags(index) == second
    tag("undo", "--dry-run")
    assert _tags(index) == second
    tag("undo")
    assert _tags(index) == first
    assert tag("undo") == 0


def test_diff_and_reset(index: Path, tag: Tag, capsys: pytest.CaptureFixture[str]) -> None:
    first = _tags(index)
    tag("set", "title=X", "mood=calm", "--track", "2")
    capsys.readouterr()
    tag("diff", "--format", "json")
    edits = json.loads(capsys.readouterr().out)["edits"]
    assert [(e["track_id"], e["key"], e["scanned"], e["served"]) for e in edits] == [
        (2, "mood", None, "calm"),
        (2, "title", "Two", "X"),
    ]
    tag("reset", "title", "--all")
    assert _tags(index, "key IN ('title', 'mood') AND track_id = 2") == [
        (2, "mood", "calm"),
        (2, "title", "Two"),
    ]
    tag("reset", "--all")
    assert _tags(index) == first


def test_selections(index: Path, tag: Tag, capsys: pytest.CaptureFixture[str]) -> None:
    def listed(*words: str) -> list[int]:
        capsys.readouterr()
        assert tag("list", "--format", "ndjson", *words) == 0
        return sorted(json.loads(line)["track_id"] for line in capsys.readouterr().out.splitlines())

    assert listed() == [1, 2, 3]
    assert listed("--where", "artist = 'A; B' OR genre = 'Rock'") == [1, 2]
    assert listed("--path", "Music/[13].flac") == [1, 3]
    assert listed("--path", "*.flac", "--track", "2", "--track", "3") == [2, 3]
    assert listed("--path", "/*.flac") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--where", "nonsense = 1"], "nonsense"),
        (["--where", "true); DROP TABLE tags; SELECT (1"], "where"),
        (["--track", "77"], "no track has the id 77"),
        (["--path", "nowhere/**"], "no track matches"),
        ([], "needs to know which tracks"),
    ],
)
def test_selections_that_cannot_be(
    index: Path, tag: Tag, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert tag("set", "title=X", *words) == ExitCode.USAGE
    assert said in capsys.readouterr().err
    assert _one(index, "SELECT count(*) FROM edits") == 0


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("**/Jazz/**", "/Music/Jazz/a/b.mp3", True),
        ("Jazz/*", "/Music/Jazz/a/b.mp3", False),
        ("*.mp3", "/a/b.mp3", True),
        ("/a/*.mp3", "/a/b.mp3", True),
        ("/*.mp3", "/a/b.mp3", False),
        ("[!x]?.mp3", "/ab.mp3", True),
        ("a.b", "/aXb", False),
    ],
)
def test_globs(glob: str, path: str, matches: bool) -> None:
    import re

    assert bool(re.fullmatch("/?" + glob_pattern(glob), path)) is matches


@pytest.mark.parametrize("name", ["tags.csv", "tags.jsonl"])
def test_export_and_import_are_a_round_trip(
    index: Path, tag: Tag, tmp_path: Path, name: str
) -> None:
    table = tmp_path / name
    first = _tags(index)
    tag("set", 'title=Ü; "x",\n2', "--track", "3")
    edited = _tags(index)
    assert tag("export", str(table)) == 0
    tag("reset", "--all")
    assert _tags(index) == first
    assert tag("import", str(table), "--dry-run") == 0
    assert _tags(index) == first
    assert tag("import", str(table)) == 0
    assert _tags(index) == edited
    assert _one(index, "SELECT count(*) FROM edits WHERE change_set = 3") == 1


def test_a_table_that_cannot_be_read_changes_nothing(index: Path, tag: Tag, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    head = "track_id,key,value\n"
    for text in ("a,b\n1,2\n", f"{head}x,title,y\n", f"{head}99,title,y\n"):
        table.write_text(text)
        assert tag("import", str(table)) == ExitCode.USAGE
    assert _one(index, "SELECT count(*) FROM edits") == 0


def test_pictures_are_shown_set_removed_reset_and_exported(
    index: Path, tag: Tag, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert tag("art", "--export", str(out), "--track", "1") == 0
    assert (out / "1-0.jpg").read_bytes() == b"\xff\xd8\xff picture"
    cover = tmp_path / "cover.png"
    cover.write_bytes(PNG)
    assert tag("art", "--set", str(cover), "--all") == 0
    versions = _one(index, "SELECT list(content_version) FROM track_versions")
    assert tag("art", "--set", str(cover), "--all") == 0
    assert _one(index, "SELECT list(content_version) FROM track_versions") == versions
    assert _one(index, "SELECT count(*) FROM art_data") == 1
    assert (
        _one(index, "SELECT list((width, height, length, depth)) FROM art")
        == [(640, 480, len(PNG), 24)] * 3
    )
    capsys.readouterr()
    tag("art", "--format", "json")
    assert [p["from"] for p in json.loads(capsys.readouterr().out)["pictures"]] == ["added"] * 3
    assert tag("art", "--export", str(out), "--track", "2") == 0
    assert (out / "2-0.png").read_bytes() == PNG
    assert tag("art", "--remove", "--track", "2") == 0
    assert _one(index, "SELECT count(*) FROM art") == 2
    assert tag("reset", "--all") == 0
    assert _one(index, "SELECT count(*) FROM art WHERE art_hash IS NULL") == 1
    assert tag("art", "--set", str(index), "--all") == ExitCode.USAGE


def test_undo_takes_back_pictures_in_their_turn(index: Path, tag: Tag, tmp_path: Path) -> None:
    art = "SELECT list(a ORDER BY track_id, ordinal) FROM art a"
    first = _one(index, art), _tags(index)
    cover = tmp_path / "cover.png"
    cover.write_bytes(PNG)
    tag("set", "title=X", "--track", "1")
    tag("art", "--set", str(cover), "--all")
    second = _one(index, art)
    tag("reset", "--track", "1")
    tag("undo")
    assert _one(index, art) == second
    assert _tags(index, "key = 'title' AND track_id = 1") == [(1, "title", "X")]
    tag("undo")
    assert _one(index, art) == first[0]
    tag("undo")
    assert (_one(index, art), _tags(index)) == first


def test_undo_takes_back_what_plain_sql_did_to_pictures(
    index: Path, tag: Tag, tmp_path: Path
) -> None:
    """Issue 3: one statement of any client is one change set, pictures included."""
    art = "SELECT list(a ORDER BY track_id, ordinal) FROM art a"
    cover = tmp_path / "cover.png"
    cover.write_bytes(PNG)
    tag("art", "--set", str(cover), "--track", "2", "--track", "3")
    states = [_one(index, art)]
    for statement in (
        "UPDATE art SET picture_type = 4, description = 'back' WHERE track_id <= 2",
        "INSERT INTO art SELECT * REPLACE (9 AS ordinal) FROM art",
        "UPDATE art SET track_id = 1 WHERE track_id = 3",
        "DELETE FROM art WHERE track_id = 1",
        "DELETE FROM art",
    ):
        with duckdb.connect(str(index)) as con:
            con.execute(statement)
        states.append(_one(index, art))
    for before in reversed(states[:-1]):
        tag("undo")
        assert _one(index, art) == before


def test_undo_brings_back_no_picture_whose_bytes_are_gone(
    index: Path, tag: Tag, tmp_path: Path
) -> None:
    cover = tmp_path / "cover.png"
    cover.write_bytes(PNG)
    tag("art", "--set", str(cover), "--track", "2")
    tag("art", "--remove", "--track", "2")
    with duckdb.connect(str(index)) as con:
        con.execute("DELETE FROM art_data")  # as the next scan does with what no track uses
    tag("undo")
    assert _one(index, "SELECT count(*) FROM art WHERE art_hash IS NOT NULL") == 0


@pytest.mark.expected_degradations(Counter.PICTURES_NOT_EXPORTED)
def test_an_original_that_changed_costs_its_own_picture(
    index: Path, tag: Tag, tmp_path: Path
) -> None:
    cover, out = tmp_path / "cover.png", tmp_path / "out"
    cover.write_bytes(PNG)
    tag("art", "--set", str(cover), "--track", "2")
    (tmp_path / "volume" / "Music" / "1.flac").write_bytes(b"other")
    assert tag("art", "--export", str(out), "--all") == ExitCode.PARTIAL
    assert [path.name for path in out.iterdir()] == ["2-0.png"]


def test_pictures_of_an_image_are_read_from_the_image(demo_index: Path, tmp_path: Path) -> None:
    """A volume that was scanned without a mounted root is read itself, as a mount reads it."""
    out = tmp_path / "out"
    words = ["--index", str(demo_index), "art", "--export", str(out), "--all"]
    assert main(Program(flags.TAG, plan_tag, run), words) == 0
    written = [path.read_bytes()[:8] for path in out.iterdir()]
    assert len(written) >= 4
    assert set(written) == {PNG[:8]}


def test_undo_says_that_there_is_nothing_left(tag: Tag, capsys: pytest.CaptureFixture[str]) -> None:
    assert tag("undo") == 0
    assert "nothing to undo" in capsys.readouterr().err


def test_quiet_changes_and_says_nothing(
    index: Path, tag: Tag, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cover = tmp_path / "cover.png"
    cover.write_bytes(PNG)
    assert tag("set", "-q", "genre=Jazz", "--all") == 0
    assert tag("art", "-q", "--set", str(cover), "--all") == 0
    assert tag("undo", "-q") == 0
    assert capsys.readouterr() == ("", "")
    assert _tags(index, "key = 'genre' AND track_id = 2") == [(2, "genre", "Jazz")]
    assert tag("get", "-q", "genre", "--track", "2") == 0
    assert "Jazz" in capsys.readouterr().out


def test_an_export_to_a_program_is_json_lines(tag: Tag, capsys: pytest.CaptureFixture[str]) -> None:
    assert tag("export", "--format", "json") == 0
    lines = [json.loads(line) for line in io.StringIO(capsys.readouterr().out)]
    assert [line["track_id"] for line in lines] == [1, 2, 3]
    assert tag("export", "--format", "json", "--as", "csv") == 0
    assert capsys.readouterr().out.startswith("track_id,")


@pytest.mark.parametrize(
    ("volume", "options", "why"),
    [
        ({"kind": "directory", "source": "/m", "root_path": "/m"}, "{}", "no audio .* found in /m"),
        ({"kind": "ntfs", "source": "/m"}, '{"tags": false}', "--no-tags"),
        ({"kind": "mft", "source": "/m"}, "{}", r"saved .MFT holds no audio.*--root"),
    ],
)
def test_an_index_without_tracks_says_why(
    volume: dict[str, str], options: str, why: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = tmp_path / "empty.duckdb"
    with IndexWriter(path) as writer:
        writer.append(VOLUMES, rows(VOLUMES, [volume]))
        writer.append(SCANS, rows(SCANS, [{"scan_id": "scan", "options": options}]))
        writer.publish("scan")
    for words in (["list"], ["get"], ["diff"], ["art"]):
        assert main(Program(flags.TAG, plan_tag, run), [*words, "--index", str(path)]) == 0
        out, err = capsys.readouterr()
        assert out == ""
        assert re.fullmatch(f"this index has no tracks: .*{why}.*\n", err)


def test_a_selection_of_nothing_is_said(tag: Tag, capsys: pytest.CaptureFixture[str]) -> None:
    tag("list", "--where", "artist = 'nobody'")
    assert capsys.readouterr() == ("", "no track matches the selection\n")
    tag("diff")
    assert "as the files say" in capsys.readouterr().err


def test_keys_written_in_capitals_by_other_clients_are_found(index: Path, tag: Tag) -> None:
    with duckdb.connect(str(index)) as con:
        con.execute("UPDATE tags SET key = 'TITLE' WHERE track_id = 1")
    assert tag("set", "title=Eins", "--track", "1") == 0
    assert _tags(index, "lower(key) = 'title' AND track_id = 1") == [(1, "title", "Eins")]


def test_get_shows_every_value(tag: Tag, capsys: pytest.CaptureFixture[str]) -> None:
    tag("get", "Artist", "--format", "ndjson")
    lines = [json.loads(line) for line in io.StringIO(capsys.readouterr().out)]
    assert [(line["track_id"], line["value"]) for line in lines] == [(1, "A"), (1, "B")]


def test_no_index_is_said_with_its_exit_code(tag: Tag, tmp_path: Path) -> None:
    assert tag("list", "--index", str(tmp_path / "none.duckdb")) == ExitCode.INDEX
