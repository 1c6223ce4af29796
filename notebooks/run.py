"""Run notebooks as plain scripts, without Jupyter, and keep their pictures.

    python notebooks/run.py [--out FOLDER] [--index INDEX] [NOTEBOOK …]

Frames are printed; each picture becomes a PNG where vl-convert-python is installed, else an HTML
page that a browser draws. Without names all notebooks run.
"""

import argparse
import ast
import importlib.util
import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent


def code_cells(notebook: Path) -> list[str]:
    """Return the source of each code cell."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def run_cell(source: str, namespace: dict[str, object]) -> object:
    """Run one cell and return the value of its last line, as a notebook shows it."""
    tree = ast.parse(source)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        exec(compile(tree, "<cell>", "exec"), namespace)
        return None
    exec(compile(ast.Module(tree.body[:-1], []), "<cell>", "exec"), namespace)
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)


def show(value: object, name: str, out: Path) -> None:
    """Print a value, or save it if it is a picture."""
    save = getattr(value, "save", None)
    if save is None:
        print(value)
        return
    kind = "png" if importlib.util.find_spec("vl_convert") else "html"
    target = out / f"{name}.{kind}"
    save(str(target), **({"scale_factor": 1.5} if kind == "png" else {}))
    print(target)


def run(notebook: Path, out: Path) -> None:
    """Run one notebook from start to end."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for number, source in enumerate(code_cells(notebook), 1):
        value = run_cell(source, namespace)
        if value is not None:
            show(value, f"{notebook.stem}-{number:02}", out)


def main() -> None:
    """Run the named notebooks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="folder for pictures")
    parser.add_argument("--index", type=Path, help="the index to use in place of index.duckdb")
    chosen = parser.parse_args()
    if chosen.index is not None:
        os.environ["MUSEFS_INDEX"] = str(chosen.index)
    sys.path.insert(0, str(HERE))
    chosen.out.mkdir(parents=True, exist_ok=True)
    for notebook in chosen.notebooks or sorted(HERE.glob("*.ipynb")):
        print(f"== {notebook.stem}")
        run(notebook, chosen.out)


if __name__ == "__main__":
    main()
