"""Small modules and small functions, as CONTRIBUTING promises."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULE_LINES = 400
FUNCTION_LINES = 60


def _modules() -> list[Path]:
    return sorted(
        path for top in ("pipeline", "index", "mount") for path in (ROOT / top).rglob("*.py")
    )


def test_no_module_is_longer_than_its_one_idea() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in _modules()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MODULE_LINES
    }
    assert long == {}


def test_no_function_body_is_longer_than_a_screen() -> None:
    long: list[str] = []
    for path in _modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.body[0].lineno + 1
                if lines > FUNCTION_LINES:
                    long.append(f"{path.relative_to(ROOT)}:{node.name} has {lines} lines")
    assert long == []


def test_no_module_is_named_after_nothing() -> None:
    vague = {"utils", "util", "helpers", "helper", "common_utils", "misc", "manager"}
    assert [path for path in _modules() if path.stem in vague] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [p for p in _modules() if not ast.get_docstring(ast.parse(p.read_text("utf-8")))]
    assert silent == []
