"""Turn the bytes of a tag into text, readable whatever a tagger did, and say when it was mended.

Declared encodings are believed as long as they make sense; a file written by a program that put
its code page where UTF-8 belongs (or the other way round) stays readable and is counted.
"""

import codecs

from musefs.index.counters import Counter
from musefs.pipeline.tag.collected import Collected


def from_utf8(data: bytes, tags: Collected) -> str:
    """Decode UTF-8; what is none is read as the western Windows code page."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        tags.note(Counter.TAG_TEXT_REPAIRED, f"text is not UTF-8: {data[:40]!r}")
        return _from_code_page(data)


def from_latin1(data: bytes, tags: Collected) -> str:
    """Decode Latin-1; a text that is plain UTF-8 or uses the Windows code page is read as such."""
    if data.isascii():
        return data.decode("ascii")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
        if not any("\x80" <= character <= "\x9f" for character in text):
            return text
        text = _from_code_page(data)
    tags.note(Counter.TAG_TEXT_REPAIRED, f"text is not Latin-1: {data[:40]!r}")
    return text


def from_utf16(data: bytes, tags: Collected, default: str = "utf-16-le") -> str:
    """Decode UTF-16 with or without a byte order mark."""
    if data.startswith(codecs.BOM_UTF16_LE):
        data, default = data[2:], "utf-16-le"
    elif data.startswith(codecs.BOM_UTF16_BE):
        data, default = data[2:], "utf-16-be"
    try:
        return data.decode(default)
    except UnicodeDecodeError:
        tags.note(Counter.TAG_TEXT_REPAIRED, f"text is not UTF-16: {data[:40]!r}")
        return data.decode(default, "replace")


def _from_code_page(data: bytes) -> str:
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")
