"""Filters: what can be done to a value before it becomes part of a path.

A filter is one expression over a whole column of values; null goes in and comes out where a track
has no value. Each is listed in FILTERS with its signature and one sentence, from which the
language's documentation is checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

Expression = Callable[[pl.Expr], pl.Expr]

_ARTICLE: Final = r"(?i)^(the|an|a)\s+(\S.*)$"
_ARTICLE_CHARACTERS: Final = 8
"""Enough for an article, some spaces and what follows."""
_YEAR: Final = r"(\d{4})"

# letters whose plain form Unicode does not give by taking marks away
_PLAIN_LETTERS: Final = {
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O",
    "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ł": "l", "Ł": "L", "\u0131": "i",
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-",
    "\u2026": "...", "\u2010": "-", "\u2011": "-", "\u2212": "-", "\u00d7": "x",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of the language."""

    signature: str
    meaning: str
    arguments: int
    build: Callable[[tuple[str, ...]], Expression]
    """Makes the expression from the arguments."""
    takes_all_values: bool = False
    """Works on the list of values instead of the first one."""


@dataclass(frozen=True, slots=True)
class FilterCall:
    """A filter with its arguments."""

    name: str
    arguments: tuple[str, ...] = ()

    @property
    def takes_all_values(self) -> bool:
        """Say whether it works on the list of values."""
        return FILTERS[self.name].takes_all_values

    def apply(self, value: pl.Expr) -> pl.Expr:
        """Return the filtered column."""
        return FILTERS[self.name].build(self.arguments)(value)


def _pad(arguments: tuple[str, ...]) -> Expression:
    width = int(arguments[0])

    def build(value: pl.Expr) -> pl.Expr:
        digits = value.str.extract(r"^\s*(\d+)").str.strip_chars_start("0")
        return pl.coalesce(digits.str.zfill(width), value)

    return build


def _number(value: pl.Expr) -> pl.Expr:
    digits = value.str.extract(r"^\s*(\d+)")
    plain = digits.str.strip_chars_start("0")
    return pl.when(plain == "").then(pl.lit("0")).otherwise(plain)


def _year(value: pl.Expr) -> pl.Expr:
    return value.str.extract(_YEAR)


def _decade(value: pl.Expr) -> pl.Expr:
    return value.str.extract(_YEAR).str.head(3) + "0s"


def _plain_article(value: pl.Expr) -> pl.Expr:
    return value.str.replace(_ARTICLE, "$2")


def _ascii(value: pl.Expr) -> pl.Expr:
    plain = value.str.replace_many(_PLAIN_LETTERS).str.normalize("NFKD")
    return plain.str.replace_all(r"\p{M}", "").str.replace_all(r"[^\x00-\x7f]", "_")


def _initial(value: pl.Expr) -> pl.Expr:
    beginning = value.str.strip_chars().str.head(_ARTICLE_CHARACTERS)
    first = _plain_article(beginning).str.head(1).str.normalize("NFKD").str.head(1)
    letter = first.str.to_uppercase().str.head(1)
    return pl.when(letter.str.contains(r"\p{L}")).then(letter).when(letter != "").then(pl.lit("#"))


def _capitalise(value: pl.Expr) -> pl.Expr:
    return value.str.head(1).str.to_uppercase() + value.str.slice(1)


def _title(value: pl.Expr) -> pl.Expr:
    # str.to_titlecase would lower the rest of a word: R.E.M. and AC/DC must stay
    words = pl.element()
    return value.str.split(" ").list.eval(_capitalise(words)).list.join(" ")


def _clock(value: pl.Expr) -> pl.Expr:
    seconds = value.str.extract(r"^(\d+)").cast(pl.Int64)
    return (seconds // 60).cast(pl.String) + "." + (seconds % 60).cast(pl.String).str.zfill(2)


def _shorten(arguments: tuple[str, ...]) -> Expression:
    limit = int(arguments[0])
    return lambda value: (
        pl.when(value.str.len_chars() > limit)
        .then(value.str.head(limit).str.strip_chars_end())
        .otherwise(value)
    )


def _plain(build: Expression) -> Callable[[tuple[str, ...]], Expression]:
    return lambda _: build


FILTERS: Final[dict[str, Filter]] = {
    "pad": Filter("pad(2), or just 02", "zero-pad the number at the beginning", 1, _pad),
    "number": Filter(
        "number", "the number at the beginning, without zeros in front", 0, _plain(_number)
    ),
    "year": Filter("year", "the first four digits in a row", 0, _plain(_year)),
    "decade": Filter("decade", "such as 1990s", 0, _plain(_decade)),
    "initial": Filter(
        "initial",
        "first letter in upper case, no accent, English articles aside; # if it is no letter",
        0,
        _plain(_initial),
    ),
    "sort": Filter(
        "sort",
        "English article to the end: Beatles, The",
        0,
        _plain(lambda value: value.str.replace(_ARTICLE, "${2}, ${1}")),
    ),
    "noarticle": Filter("noarticle", "without an English article", 0, _plain(_plain_article)),
    "upper": Filter(
        "upper", "upper case", 0, _plain(lambda value: value.str.to_uppercase())
    ),
    "lower": Filter(
        "lower", "lower case", 0, _plain(lambda value: value.str.to_lowercase())
    ),
    "title": Filter("title", "first letter of each word in upper case", 0, _plain(_title)),
    "capitalise": Filter("capitalise", "first letter in upper case", 0, _plain(_capitalise)),
    "ascii": Filter("ascii", "accents away, other letters that are not ASCII become _", 0,
                    _plain(_ascii)),
    "trim": Filter(
        "trim", "no spaces at either end", 0, _plain(lambda value: value.str.strip_chars())
    ),
    "left": Filter(
        "left(3)", "the first characters", 1,
        lambda args: lambda value: value.str.head(int(args[0])),
    ),
    "right": Filter(
        "right(3)", "the last characters", 1,
        lambda args: lambda value: value.str.tail(int(args[0])),
    ),
    "shorten": Filter(
        "shorten(40)", "at most so many characters, no space at the end", 1, _shorten
    ),
    "replace": Filter(
        "replace(from,to)",
        "replace a text wherever it occurs",
        2,
        lambda args: lambda value: value.str.replace_all(args[0], args[1], literal=True),
    ),
    "default": Filter(
        "default(text)", "this text if there is no value", 1,
        lambda args: lambda value: value.fill_null(args[0]),
    ),
    "clock": Filter("clock", "seconds as minutes and seconds: 245 is 4.05", 0, _plain(_clock)),
    "join": Filter(
        "join(; )", "all values with this between them", 1,
        lambda args: lambda values: values.list.join(args[0]), takes_all_values=True,
    ),
    "value": Filter(
        "value(2)", "the second value, and so on", 1,
        lambda args: lambda values: values.list.get(int(args[0]) - 1, null_on_oob=True),
        takes_all_values=True,
    ),
    "count": Filter(
        "count", "how many values there are", 0,
        _plain(lambda values: values.list.len().cast(pl.String)), takes_all_values=True,
    ),
}  # fmt: skip

_NUMERIC: Final = {"pad", "left", "right", "shorten", "value"}
_CALL = re.compile(r"(?P<name>[a-z]+)(?:\((?P<arguments>[^)]*)\))?(?::|$)")
_WIDTH = re.compile(r"0(?P<width>[1-9])(?::|$)")


def parse_filters(text: str) -> tuple[FilterCall, ...] | None:
    """Read a chain of filters; None if it is not one. ValueError if one is used wrongly."""
    calls: list[FilterCall] = []
    position = 0
    while position < len(text):
        if width := _WIDTH.match(text, position):
            calls.append(FilterCall("pad", (width["width"],)))
            position = width.end()
            continue
        match = _CALL.match(text, position)
        if match is None or match["name"] not in FILTERS:
            return None
        calls.append(_checked(match["name"], match["arguments"], first=not calls))
        position = match.end()
    return tuple(calls) or None


def filter_texts(text: str) -> Iterator[tuple[int, str]]:
    """Yield (position, text) of each link of a chain; colons inside brackets do not part it."""
    for match in re.finditer(r"[^:(]*(?:\([^)]*\)?)?[^:]*", text):
        if match[0] or match.start() == 0:
            yield match.start(), match[0]


def _arguments(text: str | None, count: int) -> list[str]:
    if text is None:
        return []
    return text.split(",", count - 1) if count > 1 else [text]


def _checked(name: str, text: str | None, *, first: bool) -> FilterCall:
    declared = FILTERS[name]
    arguments = _arguments(text, declared.arguments)
    if len(arguments) != declared.arguments:
        raise ValueError(f"filter {name} is written {declared.signature}")
    # nine digits: more than any name has, and it fits every integer in the engine
    if name in _NUMERIC and re.fullmatch(r"[0-9]{1,9}", arguments[0]) is None:
        raise ValueError(f"filter {name} takes a number")
    if name == "value" and int(arguments[0]) < 1:
        raise ValueError("filter value counts from 1")
    if declared.takes_all_values and not first:
        raise ValueError(f"filter {name} takes all values, so it must be the first")
    return FilterCall(name, tuple(arguments))
