"""docs/templates.md: every example is run, every filter and field is listed (row M4)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.library_rows import library

from musefs.mount.template.fields import BUILTINS
from musefs.mount.template.functions import FILTERS
from musefs.mount.template.render import CompiledTemplate
from musefs.mount.tree.components import normalise_path

PAGE = Path(__file__).parents[2] / "docs" / "templates.md"
HIDDEN = "(not shown)"


def examples() -> Iterator[tuple[str, str, str]]:
    for block in re.findall(r"```template\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        template = ""
        for line in block.splitlines():
            if not line.startswith("    "):
                template = line
                continue
            tags, _, result = line.strip().partition(" => ")
            yield template, tags, result


@pytest.mark.parametrize(("template", "tags", "result"), list(examples()))
def test_m4_examples_render_as_written(template: str, tags: str, result: str) -> None:
    """M4: the page says what the program does."""
    values: dict[str, list[str]] = {}
    for pair in tags.split("; "):
        key, _, value = pair.partition("=")
        values.setdefault(key, []).append(value)
    path = values.pop("@path", ["/x.flac"])[0]
    rendered = CompiledTemplate(template).render(*library({"@path": path, **values}))
    shown = [HIDDEN if p is None else normalise_path(p) for p in rendered["path"]]
    assert ", ".join(str(path) for path in shown) == result


def test_the_page_names_every_filter_and_field() -> None:
    code = " ".join(re.findall(r"`[^`\n]+`", PAGE.read_text(encoding="utf-8")))
    words = set(re.findall(r"[a-z]+", code))
    assert words >= set(FILTERS)
    assert words >= set(BUILTINS)
