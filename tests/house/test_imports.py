"""The architecture as imports: pipeline → index ← mount, and nothing heavy before work begins."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"duckdb", "polars", "pyarrow", "numba", "numpy", "trio", "pyfuse3", "mutagen", "rich"}


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("index", ("musefs.pipeline", "musefs.mount")),
        ("pipeline", ("musefs.mount",)),
        ("mount", ("musefs.pipeline",)),
        ("index/backing", ("musefs.index.schema", "duckdb", "polars", "pyarrow")),
        ("index/media", ("musefs.index.schema", "duckdb", "polars", "pyarrow")),
        ("pipeline/ntfs", ("pyarrow", "threading", "duckdb", "polars")),
    ],
)
def test_rooms_import_only_what_they_may(folder: str, forbidden: tuple[str, ...]) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in _imported(path)
        if name.startswith(forbidden) and name.split(".")[0] in {f.split(".")[0] for f in forbidden}
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("module", "function", "name"),
    [
        ("musefs.pipeline.cli", "main", "musefs-scan"),
        ("musefs.pipeline.cli", "io_probe", "musefs-io-probe"),
        ("musefs.mount.cli", "main", "musefs-mount"),
        ("musefs.index.edit.cli", "main", "musefs-tag"),
    ],
)
@pytest.mark.parametrize("word", ["--help", "-h", "--version", "--completion=bash"])
def test_help_imports_nothing_heavy(module: str, function: str, name: str, word: str) -> None:
    program = (
        f"import sys, json; sys.argv = [{name!r}, {word!r}]\n"
        f"from {module} import {function}\n"
        f"code = {function}()\n"
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert name in done.stdout
    assert not HEAVY & set(json.loads(done.stderr.splitlines()[-1]))
