"""The table of tag names for docs/tags.md, made from the vocabulary."""

from musefs.index.edit.vocabulary import FREEFORM_MEAN, PERFORMER, WORDS, Word

INSTRUMENT = "instrument"
"""Stands for whatever is played."""


def _names(*names: str) -> str:
    return ", ".join(f"`{name}`" for name in names if name) or "-"


def _id3(word: Word) -> str:
    if word.role:
        return f"`TIPL:{word.role}`"
    if word.key == PERFORMER:
        return f"`TMCL:{INSTRUMENT}`, `TXXX:{word.txxx}`"
    return f"`{word.id3}`" if word.id3 else f"`TXXX:{word.txxx}`"


def _mp4(word: Word) -> str:
    return f"`{word.mp4}`" if word.mp4 else f"`----:{word.freeform}`"


def render_vocabulary() -> str:
    """Return the Markdown table of every key and its names in each container."""
    lines = [
        f"`TXXX:` is followed by a description, `----:` by a name under `{FREEFORM_MEAN}`, "
        "`TIPL:` by a role, `TMCL:` by the instrument that `performer` ends in: "
        "`Miles Davis (trumpet)`; a performer without one is a `TXXX`. "
        "RIFF has few names; WAV files carry an ID3 tag beside them.",
        "",
        "| key | ID3v2.4 | MP4 | Vorbis, Opus, FLAC | APE | ASF | RIFF | also read as |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for word in WORDS:
        cells = [
            _names(word.key),
            _id3(word),
            _mp4(word),
            *(_names(name) for name in (word.vorbis, word.ape, word.asf, word.riff or "")),
            _names(*word.aliases) if word.aliases else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
