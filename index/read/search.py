r"""The search language: words, quotes, `|`, `!`, wildcards and filters become one SQL condition.

    word "two words"        all of them, anywhere in the name; small letters match any case
    a|b  !c                 either; not
    *.flac  track0?         with * or ? the pattern is for the whole name
    Music/Jazz              a slash or backslash looks at the whole path
    ext:flac;mp3  path:old  extension; part of the path
    size:1mb..2gb  size:>=10mb  size:empty
    dm:2024  dm:today  dm:>=2024-05-01  dm:2024-01..2024-03      day of last change, local time
    regex:^\d+  file:  folder:                                    (the two last: only such)
    artist:björk  genre:jazz                                      a tag of a track, any known name

Values go to DuckDB as parameters, never as SQL. Limits keep one query from costing minutes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from musefs.index.edit.vocabulary import normalise
from musefs.index.errors import SelectionError

MAX_QUERY_CHARACTERS = 4096
MAX_OR_GROUPS = 32
MAX_TERMS = 128
MAX_REGEXES = 8

_UNITS = {"": 1, "b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}
_TOKEN = re.compile(r'\||!*(?:[\w]+:)?(?:"[^"]*"|[^\s"|])+')
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?b?)", re.IGNORECASE)
_COMPARED = re.compile(r"(>=|<=|>|<|=)?(.*)", re.DOTALL)


@dataclass(slots=True)
class Condition:
    """An SQL condition over the view files, and its parameters."""

    sql: str = "true"
    parameters: dict[str, object] = field(default_factory=dict[str, object])


@dataclass(slots=True)
class _Compiler:
    now: Callable[[], datetime]
    parameters: dict[str, object] = field(default_factory=dict[str, object])
    regexes: int = 0

    def parameter(self, value: object) -> str:
        """Add a parameter and return how SQL names it."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"${name}"


def compile_search(
    query: str, *, hidden: bool = False, now: Callable[[], datetime] = datetime.now
) -> Condition:
    """Return the condition of a query; `hidden` also finds hidden and system files."""
    if len(query) > MAX_QUERY_CHARACTERS:
        raise SelectionError(f"the query is longer than {MAX_QUERY_CHARACTERS} characters")
    compiler = _Compiler(now)
    groups: list[list[str]] = [[]]
    tokens = _TOKEN.findall(query)
    if len(tokens) > MAX_TERMS:
        raise SelectionError(f"the query has more than {MAX_TERMS} terms")
    for term in tokens:
        if term == "|":
            groups.append([])
        else:
            groups[-1].append(_term(compiler, term))
    if len(groups) > MAX_OR_GROUPS:
        raise SelectionError(f"the query has more than {MAX_OR_GROUPS} alternatives")
    wanted = " OR ".join(f"({' AND '.join(group)})" for group in groups if group) or "true"
    visible = "" if hidden else " AND NOT hidden"
    return Condition(f"({wanted}){visible}", compiler.parameters)


def _term(compiler: _Compiler, term: str) -> str:
    plain = term.lstrip("!")
    negated = (len(term) - len(plain)) % 2 == 1
    name, colon, value = plain.partition(":")
    if colon and not plain.startswith('"'):
        sql = _filter(compiler, name.lower(), value.replace('"', ""))
    else:
        sql = _name(compiler, plain.replace('"', ""))
    return f"NOT coalesce({sql}, false)" if negated else sql


def _filter(compiler: _Compiler, name: str, value: str) -> str:
    simple = _FILTERS.get(name)
    if simple is not None:
        return simple(compiler, value)
    if not value:
        raise SelectionError(f"{name}: says nothing", hint="Write it as name:value, without space.")
    key = compiler.parameter(normalise(name))
    return (
        "entry_id IN (SELECT t.entry_id FROM tracks t JOIN tags g USING (track_id) "
        f"WHERE g.key = {key} AND {_contains(compiler, 'g.value', value)})"
    )


def _smart(column: str, needle: str) -> str:
    """Return the column as it is compared: small letters in the needle match any case."""
    return column if needle != needle.lower() else f"lower({column})"


def _contains(compiler: _Compiler, column: str, needle: str) -> str:
    return f"contains({_smart(column, needle)}, {compiler.parameter(needle)})"


def _name(compiler: _Compiler, text: str) -> str:
    needle = text.replace("\\", "/")
    column = "path" if "/" in needle else "name"
    if "*" not in needle and "?" not in needle:
        return _contains(compiler, column, needle)
    pattern = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in needle)
    if column == "path" and not needle.startswith(("/", "*")):
        pattern = ".*" + pattern
    return f"regexp_full_match({_smart(column, needle)}, {compiler.parameter(pattern)}, 's')"


def _extension(compiler: _Compiler, value: str) -> str:
    wanted = [part.lower().lstrip(".") for part in value.split(";")]
    return f"(NOT is_directory AND extension IN (SELECT unnest({compiler.parameter(wanted)})))"


def _regex(compiler: _Compiler, value: str) -> str:
    compiler.regexes += 1
    if compiler.regexes > MAX_REGEXES:
        raise SelectionError(f"the query has more than {MAX_REGEXES} regular expressions")
    flags = "'i'" if value == value.lower() else "''"
    return f"regexp_matches(name, {compiler.parameter(value)}, {flags})"


def _size(compiler: _Compiler, value: str) -> str:
    if value.lower() == "empty":
        return "size = 0"
    low, dots, high = value.partition("..")
    if dots:
        parts = [f"size >= {_bytes(low)}"] if low else []
        return " AND ".join(parts + ([f"size <= {_bytes(high)}"] if high else [])) or "true"
    match = _COMPARED.fullmatch(value)
    sign, amount = (match[1], match[2]) if match else (None, value)
    return f"size {sign or '='} {_bytes(amount)}"


def _bytes(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise SelectionError(f"size: {text!r} is not a size", hint="Write 300, 10kb, 1.5mb or 2gb.")
    unit = match[2].lower()
    return int(float(match[1]) * _UNITS[unit if unit.endswith("b") or not unit else unit + "b"])


def _modified(compiler: _Compiler, value: str) -> str:
    low, dots, high = value.partition("..")
    if dots:
        parts = [f"modified >= {_at(compiler, _day(compiler, low)[0])}"] if low else []
        if high:
            parts.append(f"modified < {_at(compiler, _day(compiler, high)[1])}")
        return " AND ".join(parts) or "true"
    match = _COMPARED.fullmatch(value)
    sign, text = (match[1], match[2]) if match else (None, value)
    start, end = _day(compiler, text)
    match sign:
        case ">=":
            return f"modified >= {_at(compiler, start)}"
        case ">":
            return f"modified >= {_at(compiler, end)}"
        case "<":
            return f"modified < {_at(compiler, start)}"
        case "<=":
            return f"modified < {_at(compiler, end)}"
        case _:
            return f"modified >= {_at(compiler, start)} AND modified < {_at(compiler, end)}"


def _at(compiler: _Compiler, moment: datetime) -> str:
    return compiler.parameter(moment.astimezone(UTC).replace(tzinfo=None))


def _day(compiler: _Compiler, text: str) -> tuple[datetime, datetime]:
    """Return begin and end, in local time, of a day, month or year."""
    today = compiler.now().replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"today": 0, "yesterday": 1}.get(text.lower())
    if named is not None:
        start = today - timedelta(days=named)
        return start, start + timedelta(days=1)
    try:
        numbers = [int(part) for part in text.split("-")]
        year, month, day = [*numbers, 1, 1][:3]
        start = datetime(year, month, day)
        if len(numbers) == 1:
            return start, start.replace(year=start.year + 1)
        if len(numbers) == 2:
            return start, (start.replace(day=28) + timedelta(days=4)).replace(day=1)
        if len(numbers) == 3:
            return start, start + timedelta(days=1)
    except (ValueError, TypeError, OverflowError) as error:
        raise SelectionError(f"dm: {text!r} is not a day: {error}") from error
    raise SelectionError(f"dm: {text!r} is not a day", hint="Write 2024, 2024-05 or 2024-05-31.")


def _kind(folder: str) -> Callable[[_Compiler, str], str]:
    def compile_kind(compiler: _Compiler, value: str) -> str:
        named = f" AND {_name(compiler, value)}" if value else ""
        return f"({folder} is_directory{named})"

    return compile_kind


_FILTERS: dict[str, Callable[[_Compiler, str], str]] = {
    "ext": _extension,
    "path": lambda compiler, value: _contains(compiler, "path", value.replace("\\", "/")),
    "size": _size,
    "dm": _modified,
    "regex": _regex,
    "file": _kind("NOT"),
    "folder": _kind(""),
}
