"""What a user can meet is in the docs, and what is generated is what the code says."""

import re
import runpy
from pathlib import Path

import pytest

from musefs.index.command.common import with_common
from musefs.index.command.flag import Command
from musefs.index.command.flagdocs import all_errors
from musefs.index.counters import Counter
from musefs.index.edit.flags import TAG
from musefs.index.errors import EXIT_CODE_MEANINGS, ExitCode
from musefs.index.media.facts import BlockKind
from musefs.mount.flags import MOUNT
from musefs.pipeline.flags import IO_PROBE, SCAN

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_generated_pages_are_what_the_code_says() -> None:
    pages = runpy.run_path(str(ROOT / ".ci" / "write_docs.py"))["pages"]
    stale = [path.name for path, text in pages() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `make docs`"


def test_the_table_of_formats_knows_every_kind_of_block() -> None:
    page = runpy.run_path(str(ROOT / ".ci" / "write_docs.py"))
    kinds = {kind for format_ in page["WALKERS"] for kind in page["carried_over"](format_)}
    assert kinds == set(BlockKind) == set(page["CARRIED"])
    assert set(page["WALKERS"]) == set(page["SYNTHESISERS"])


@pytest.mark.parametrize("bare", [SCAN, IO_PROBE, MOUNT, TAG], ids=lambda command: command.name)
def test_every_flag_and_variable_is_documented(bare: Command) -> None:
    command = with_common(bare)
    page = (DOCS / f"flags-{command.name}.md").read_text(encoding="utf-8")
    for flag in command.all_flags():
        word = flag.name.upper().replace("-", "_") if flag.positional else flag.name
        assert word in page
        if flag.variable is not None:
            assert f"`{flag.variable}`" in page


def test_every_exit_code_is_documented() -> None:
    page = (DOCS / "exit-codes.md").read_text(encoding="utf-8")
    assert set(EXIT_CODE_MEANINGS) == set(ExitCode)
    assert all(f"| {int(code)} |" in page for code in ExitCode)


def test_counters_on_the_page_are_the_counters_of_the_code() -> None:
    page = (DOCS / "counters.md").read_text(encoding="utf-8")
    written = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.MULTILINE))
    assert set(written) == {counter.value for counter in Counter}
    assert all(words.strip() for words in written.values())


def test_every_error_class_has_its_section_in_troubleshooting() -> None:
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^### (\w+)$", page, re.MULTILINE))
    assert headings == {cls.__name__ for cls in all_errors()}


def test_the_error_tree_is_drawn_as_it_is() -> None:
    import musefs.index.errors as errors

    drawn = re.findall(r"(\w+Error)\s+(\d+)$", errors.__doc__ or "", re.MULTILINE)
    assert {(cls.__name__, int(cls.exit_code)) for cls in all_errors()} == {
        (name, int(code)) for name, code in drawn
    }


def test_the_drawing_names_the_folders_that_exist() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    block = page.split("<!-- folders -->")[1]
    drawn = set(re.findall(r"^([a-z_]+/[a-z_]+)/ ", block, re.MULTILINE))
    real = {
        f"{top}/{path.parent.name}"
        for top in ("pipeline", "index", "mount")
        for path in (ROOT / top).glob("*/__init__.py")
    }
    assert drawn == real


def test_every_link_inside_the_docs_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in (*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md")
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
