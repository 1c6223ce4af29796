"""Names that SMB and Windows clients accept (--safe-names), over whole paths."""

from typing import Final

import polars as pl

_FORBIDDEN: Final = r'[<>:"\\|?*\x00-\x1f\x7f]'
_DEVICE: Final = (
    r"(?i)(^|/)(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\s*)(\.[^/]*)?(/|$)"
)
_ONLY_DOTS: Final = r"(^|/)[. ]+(/|$)"
_TRAILING: Final = r"[. ]+(/|$)"
_LEADING_SPACE: Final = r"(^|/) +"


def _twice(path: pl.Expr, pattern: str, replacement: str) -> pl.Expr:
    # a match consumes the slash that the next component's match would begin with
    once = path.str.replace_all(pattern, replacement)
    return once.str.replace_all(pattern, replacement)


_SUSPECT: Final = (
    rf"{_FORBIDDEN}|[. ](?:/|$)|(?:^|/) |[^\x00-\x7f]"
    r"|(?i:(?:^|/)(?:con|prn|aux|nul|com[0-9]|lpt[0-9]))"
)
"""Matches every path that `_safe` may change, and few others."""


def safe_paths(paths: pl.Series) -> pl.Series:
    """Return names that are safe everywhere; only paths that may need it are treated."""
    positions = paths.str.contains(_SUSPECT).fill_null(value=False).arg_true()
    if not len(positions):
        return paths
    treated = paths.gather(positions).to_frame("path").select(_safe(pl.col("path"))).to_series()
    return paths.clone().scatter(positions, treated)


def _safe(path: pl.Expr) -> pl.Expr:
    """Replace reserved characters, end dots and spaces, and device names; compose as NFC."""
    plain = path.str.normalize("NFC").str.replace_all(_FORBIDDEN, "_")
    plain = _twice(plain, _ONLY_DOTS, "${1}_${2}")
    plain = plain.str.replace_all(_LEADING_SPACE, "${1}")
    plain = plain.str.replace_all(_TRAILING, "${1}")
    return _twice(plain, _DEVICE, "${1}${2}_${3}${4}${5}")
