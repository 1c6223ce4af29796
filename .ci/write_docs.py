"""Write what is made from the code: whole pages, and marked parts of pages written by hand.

Whole: docs/flags-*.md, exit-codes.md, index-schema.md and man/. Parts stand between
`<!-- begin NAME -->` and `<!-- end NAME -->`.
"""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from musefs.index.command.common import with_common
from musefs.index.command.flagdocs import render_exit_codes, render_flags
from musefs.index.command.manpage import render_manpage
from musefs.index.edit.flags import TAG
from musefs.index.edit.vocabularydocs import render_vocabulary
from musefs.index.media.facts import AudioFormat, BlockKind
from musefs.index.read.questiondocs import render_cookbook
from musefs.index.schema.page import render_page
from musefs.mount.flags import MOUNT
from musefs.mount.formats.synthesise import SYNTHESISERS
from musefs.pipeline.flags import IO_PROBE, SCAN
from musefs.pipeline.tag.formats import EXTENSIONS, READERS

DOCS = Path(__file__).parent.parent / "docs"

MEDIA = Path(__file__).parent.parent / "index" / "media"

WALKERS: dict[AudioFormat, tuple[str, ...]] = {
    AudioFormat.FLAC: ("flac",),
    AudioFormat.MP3: ("id3",),
    AudioFormat.MP4: ("mp4", "mp4_tags"),
    AudioFormat.OGG_VORBIS: ("ogg",),
    AudioFormat.OGG_OPUS: ("ogg",),
    AudioFormat.OGG_SPEEX: ("ogg",),
    AudioFormat.OGG_FLAC: ("ogg_flac",),
    AudioFormat.WAV: ("riff", "iff", "id3"),
    AudioFormat.AIFF: ("aiff", "iff", "id3"),
}
"""The modules of index/media/ that say what a format carries over."""

CARRIED: dict[BlockKind, str] = {
    BlockKind.FLAC_BLOCK: "metadata blocks",
    BlockKind.ID3_FRAME: "ID3 frames that are no text",
    BlockKind.MP4_ATOM: "atoms",
    BlockKind.MP4_CHUNK_OFFSETS: "moved chunk offsets",
    BlockKind.MP4_TAG: "items that are no text",
    BlockKind.OGG_PACKET: "header packets",
    BlockKind.RIFF_CHUNK: "chunks",
}


def carried_over(format_: AudioFormat) -> list[BlockKind]:
    """Return the kinds of blocks that the walkers of a format make."""
    text = "".join((MEDIA / f"{name}.py").read_text("utf-8") for name in WALKERS.get(format_, ()))
    made = set(re.findall(r"BlockKind\.(\w+)", text))
    return [kind for kind in BlockKind if kind.name in made]


def render_formats() -> str:
    """Return the table of every format: how it is named, read and served."""
    lines = [
        "| format | extensions | tags are read | served with | carried over, besides pictures |",
        "|---|---|---|---|---|",
    ]
    for format_ in AudioFormat:
        if format_ is AudioFormat.UNKNOWN:
            continue
        names = ", ".join(f"`{name}`" for name, kinds in EXTENSIONS.items() if format_ in kinds)
        fresh = format_ in SYNTHESISERS
        kinds = (
            ", ".join(CARRIED[kind] for kind in carried_over(format_)) if fresh else "everything"
        )
        read = "yes" if format_ in READERS else "no"
        head = "a fresh head" if fresh else "the original's bytes"
        lines.append(f"| {format_.value} | {names} | {read} | {head} | {kinds} |")
    return "\n".join(lines) + "\n"


PARTS: dict[str, tuple[str, Callable[[], str]]] = {
    "cookbook": ("cookbook.md", render_cookbook),
    "formats": ("formats.md", render_formats),
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
    yield DOCS / "index-schema.md", render_page()
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
