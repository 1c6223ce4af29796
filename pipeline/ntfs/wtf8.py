"""Names on NTFS are any 16-bit units; here they become exact bytes and a text for people.

Exact bytes are WTF-8: UTF-8 in which a lone surrogate is encoded like any other code point. The
display text escapes a lone surrogate as a backslash, u and four hex digits, so that it is valid
UTF-8: one name that Arrow or DuckDB refuses would cost its whole batch.
"""


def to_code_points(utf16: bytes) -> str:
    """Decode UTF-16LE, joining pairs and keeping lone surrogates as they are."""
    return utf16.decode("utf-16-le", "surrogatepass")


def display_text(utf16: bytes) -> str:
    """Return valid text for `utf16`, lone surrogates escaped."""
    return to_code_points(utf16).encode("utf-8", "backslashreplace").decode("utf-8")


def exact_bytes(utf16: bytes) -> bytes:
    """Return `utf16` as WTF-8; equal for no two different names."""
    return to_code_points(utf16).encode("utf-8", "surrogatepass")


def exact_where_different(utf16: bytes) -> bytes | None:
    """Return the exact bytes if the display text does not say it all."""
    exact = exact_bytes(utf16)
    return None if exact == display_text(utf16).encode() else exact
