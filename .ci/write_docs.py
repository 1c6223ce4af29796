"""Write the pages that are made from the code: docs/flags-*.md, docs/exit-codes.md, docs/man/."""

import sys
from collections.abc import Iterator
from pathlib import Path

from musefs.index.command.common import with_common
from musefs.index.command.flagdocs import render_exit_codes, render_flags
from musefs.index.command.manpage import render_manpage
from musefs.index.edit.flags import TAG
from musefs.mount.flags import MOUNT
from musefs.pipeline.flags import IO_PROBE, SCAN

DOCS = Path(__file__).parent.parent / "docs"


def pages() -> Iterator[tuple[Path, str]]:
    """Yield every generated page and its text."""
    for bare in (SCAN, IO_PROBE, MOUNT, TAG):
        command = with_common(bare)
        yield DOCS / f"flags-{command.name}.md", render_flags(command)
        yield DOCS / "man" / f"{command.name}.1", render_manpage(command)
    yield DOCS / "exit-codes.md", render_exit_codes()


def main() -> None:
    """Write the pages that differ and name them."""
    for path, text in pages():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path.relative_to(DOCS.parent)}\n")


if __name__ == "__main__":
    main()
