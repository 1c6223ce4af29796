"""Every notebook runs from start to end, in Jupyter and as a script, and draws no empty picture."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
ALL = sorted(NOTEBOOKS.glob("*.ipynb"))


@pytest.fixture
def with_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our commands on the PATH, as in an activated environment."""
    folder = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", folder + os.pathsep + os.environ["PATH"])


def test_there_are_four() -> None:
    assert [path.stem[:2] for path in ALL] == ["01", "02", "03", "04"]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_outputs_are_stripped_and_one_line_names_the_index(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    opening = [cell for cell in code if "# your index here" in "".join(cell["source"])]
    assert len(opening) == 1
    assert code[0] is opening[0]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_as_a_script(path: Path, demo_index: Path, tmp_path: Path, with_commands: None) -> None:
    command = [sys.executable, str(NOTEBOOKS / "run.py"), str(path), "--index", str(demo_index)]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    pictures = list(tmp_path.glob("*.png")) + list(tmp_path.glob("*.html"))
    assert pictures
    assert all(picture.stat().st_size > 3000 for picture in pictures)


def shown(notebook: Any) -> list[dict[str, Any]]:
    """What the cells of a run notebook show, as MIME bundles."""
    return [
        output["data"]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output["output_type"] in ("execute_result", "display_data")
    ]


@pytest.mark.ntfs
@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_in_jupyter(
    path: Path, drive_index: Path, monkeypatch: pytest.MonkeyPatch, with_commands: None
) -> None:
    monkeypatch.setenv("MUSEFS_INDEX", str(drive_index))
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=90,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
    client.execute()
    results = shown(notebook)
    drawing = [cell for cell in notebook.cells if cell.source.startswith("charts.")]
    pictures = [data["image/png"] for data in results if "image/png" in data]
    assert len(pictures) == len(drawing), "a chart without data gives a sentence"
    assert all(len(picture) > 8000 for picture in pictures)


def test_an_index_without_tracks_is_said_in_a_sentence(tmp_path: Path, demo_image: Path) -> None:
    from support.scanned import scan_into

    index = scan_into(demo_image, tmp_path / "index.duckdb", "--no-tags")
    command = [sys.executable, str(NOTEBOOKS / "run.py"), str(ALL[1]), "--index", str(index)]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "this index has no tracks" in done.stderr.splitlines()[-1]


@pytest.mark.fuse
def test_the_mount_follows_in_the_last_notebook(
    demo_index: Path, tmp_path: Path, with_commands: None
) -> None:
    """Issue 7: notebook 04 mounts the copy, edits it, and sees the folders of the mount change."""
    command = [sys.executable, str(NOTEBOOKS / "run.py"), str(ALL[3]), "--index", str(demo_index)]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seconds = re.search(r"the mount follows ([0-9.]+) s after the edit", done.stdout)
    assert seconds is not None, done.stdout
    assert float(seconds[1]) < 5
    assert re.search(r"Seen at once +┆ false +┆ true", done.stdout)
