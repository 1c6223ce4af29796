"""What the docs tell people to type works: SQL, Python, flags, and the tutorial from end to end."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.media_check import decodes

from musefs.index.command.common import with_common
from musefs.index.command.parse import parse_words
from musefs.index.edit.flags import TAG
from musefs.index.read.attach import attached
from musefs.mount.flags import MOUNT
from musefs.pipeline.flags import IO_PROBE, SCAN

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
COMMANDS = {command.name: with_common(command) for command in (SCAN, IO_PROBE, MOUNT, TAG)}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

OURS = re.compile(r"(?:\$ )?(?:sudo )?(?:\S*/)?(musefs-(?:scan|mount|tag|io-probe)) (.*)")


def blocks(kind: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, match in enumerate(BLOCK.finditer(page.read_text(encoding="utf-8"))):
            if match[1] == kind:
                yield f"{page.name}-{number}", match[2]


SQL, PYTHON = dict(blocks("sql")), dict(blocks("python"))


@pytest.fixture(scope="module")
def scratch_index(demo_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that examples may write to."""
    copy = tmp_path_factory.mktemp("docs") / "index.duckdb"
    shutil.copyfile(demo_index, copy)
    return copy


@pytest.mark.parametrize("name", SQL)
def test_sql_runs(name: str, scratch_index: Path) -> None:
    with attached(scratch_index, read_only=False) as con:
        con.execute("BEGIN")
        for statement in con.extract_statements(SQL[name]):
            con.execute(statement)
        con.execute("ROLLBACK")


@pytest.mark.parametrize("name", PYTHON)
def test_python_runs(name: str, scratch_index: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PYTHON[name]],
        cwd=scratch_index.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def command_lines() -> Iterator[tuple[str, str]]:
    """Every line of a console or plain block that calls one of our commands."""
    for page in PAGES:
        for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
            if match[1] not in ("", "console", "sh"):
                continue
            for line in match[2].replace("\\\n", " ").splitlines():
                found = OURS.match(line)
                if found and "[flags]" not in line:
                    yield found[1], found[2]


LINES = sorted(set(command_lines()))


@pytest.mark.parametrize(("name", "rest"), LINES, ids=lambda text: text[:60])
def test_flags_that_are_shown_exist(name: str, rest: str) -> None:
    words = shlex.split(rest, comments=True)
    while words and words[-1] in ("&", "|", ">"):
        words.pop()
    parse_words(COMMANDS[name], words)


def test_the_docs_show_the_commands() -> None:
    assert {name for name, _ in LINES} >= {"musefs-scan", "musefs-mount", "musefs-tag"}


def tutorial_commands() -> list[str]:
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    marked = re.findall(r"<!-- run -->\n```console\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return [line[2:] for block in marked for line in block.splitlines() if line[:2] == "$ "]


@pytest.mark.fuse
def test_the_tutorial_leads_to_a_playing_album(tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    commands = tutorial_commands()
    assert len(commands) == 11
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    music = tmp_path / "music"
    try:
        for command in commands:
            if command.startswith("fusermount3"):
                songs = sorted(music.glob("The Paper Lanterns/2005 - Slow Water/*.mp3"))
                assert [song.name for song in songs] == [
                    "01 Bridges.mp3", "02 AC_DC Adapter.mp3", "03 Undertow.mp3",
                ]  # fmt: skip
                assert all(decodes(song) for song in songs)
            with (tmp_path / "log").open("a", encoding="utf-8") as log:  # a daemon keeps its end
                done = subprocess.run(
                    ["/bin/sh", "-c", command],
                    cwd=tmp_path,
                    env={"PATH": path, "HOME": str(Path.home()), "LC_ALL": "C.UTF-8"},
                    stdout=log,
                    stderr=log,
                    check=False,
                    timeout=100,
                )
            expected = (0, 10) if command.startswith("musefs-scan") else (0,)
            assert done.returncode in expected, f"{command}\n{(tmp_path / 'log').read_text()}"
    finally:
        subprocess.run(["umount", "-l", str(music)], capture_output=True, check=False)
