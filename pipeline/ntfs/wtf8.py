"""Names on NTFS are any 16-bit units; here they become exact bytes and a text for people.

Exact bytes are WTF-8: UTF-8 in which a lone surrogate is encoded like any other code point. The
display text escapes a lone surrogate as a backslash, u and four hex digits, so that it is valid
UTF-8: one name that Arrow or DuckDB refuses would cost its whole batch.
"""

from codecs import utf_16_le_decode


def to_code_points(utf16: bytes) -> str:
    """Decode UTF-16LE, joining pairs and keeping lone surrogates as they are."""
    return utf_16_le_decode(utf16, "surrogatepass", True)[0]


def display_text(utf16: bytes) -> str:
    """Return valid text for `utf16`, lone surrogates escaped."""
    text = to_code_points(utf16)
    return text if _is_unicode(text) else text.encode("utf-8", "backslashreplace").decode("utf-8")


def exact_bytes(utf16: bytes) -> bytes:
    """Return `utf16` as WTF-8; equal for no two different names."""
    return to_code_points(utf16).encode("utf-8", "surrogatepass")


def exact_where_different(utf16: bytes) -> bytes | None:
    """Return the exact bytes if the display text does not say it all."""
    text = to_code_points(utf16)
    return None if _is_unicode(text) else text.encode("utf-8", "surrogatepass")


def _is_unicode(text: str) -> bool:
    """Say whether no surrogate stands alone."""
    return text.isascii() or not any("\ud800" <= unit <= "\udfff" for unit in text)
