"""Write what is made from the code: whole pages, and marked parts of pages written by hand.

Whole: docs/flags-*.md, docs/exit-codes.md, docs/man/. Parts stand between `<!-- begin NAME -->` and
`<!-- end NAME -->`.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from musefs.index.command.common import with_common
from musefs.index.command.flagdocs import render_exit_codes, render_flags
from musefs.index.command.manpage import render_manpage
from musefs.index.edit.flags import TAG
from musefs.index.edit.vocabularydocs import render_vocabulary
from musefs.index.read.questiondocs import render_cookbook
from musefs.mount.flags import MOUNT
from musefs.pipeline.flags import IO_PROBE, SCAN

DOCS = Path(__file__).parent.parent / "docs"

PARTS: dict[str, tuple[str, Callable[[], str]]] = {
    "cookbook": ("cookbook.md", render_cookbook),
    "vocabulary": ("tags.md", render_vocabulary),
}
"""Name of a part → its page, and what writes it."""


def with_parts(page: str, parts: dict[str, str]) -> str:
    """Return a page with the text between the marks of each part replaced."""
    for name, text in parts.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


def pages() -> Iterator[tuple[Path, str]]:
    """Yield every generated page and its text."""
    for bare in (SCAN, IO_PROBE, MOUNT, TAG):
        command = with_common(bare)
        yield DOCS / f"flags-{command.name}.md", render_flags(command)
        yield DOCS / "man" / f"{command.name}.1", render_manpage(command)
    yield DOCS / "exit-codes.md", render_exit_codes()
    for page in sorted({page for page, _ in PARTS.values()}):
        parts = {name: write() for name, (where, write) in PARTS.items() if where == page}
        yield DOCS / page, with_parts((DOCS / page).read_text(encoding="utf-8"), parts)


def main() -> None:
    """Write the pages that differ and name them."""
    for path, text in pages():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path.relative_to(DOCS.parent)}\n")


if __name__ == "__main__":
    main()
