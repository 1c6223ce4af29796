"""Kinds of value that a flag can take: how text becomes a value, and what is allowed.

A kind knows nothing of flags. It turns one text into one typed value or raises ValueError with
the reason; `flag` adds the flag's name, so every refusal names flag, value and what is allowed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=StrEnum)


class Completion(Enum):
    """What a shell offers for a value."""

    NOTHING = "nothing"
    CHOICES = "choices"
    FILE = "file"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """One kind of value."""

    metavar: str
    allowed: str
    """What is accepted, as words that follow "expected"."""
    parse: Callable[[str], T_co]
    choices: tuple[str, ...] = ()
    completion: Completion = Completion.NOTHING


_SIZE_UNITS = {
    "": 1, "b": 1,
    "k": 1 << 10, "kib": 1 << 10, "kb": 10**3,
    "m": 1 << 20, "mib": 1 << 20, "mb": 10**6,
    "g": 1 << 30, "gib": 1 << 30, "gb": 10**9,
    "t": 1 << 40, "tib": 1 << 40, "tb": 10**12,
}  # fmt: skip
_DURATION_UNITS_S = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})
_FALSE = frozenset({"n", "no", "f", "false", "off", "0"})


def _quantity(text: str) -> tuple[float, str]:
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*", text)
    if match is None:
        raise ValueError("it does not start with a number")
    return float(match[1]), match[2].lower()


def parse_size(text: str) -> int:
    """Return the bytes that `text` means: 64MiB, 64M, 64 MB, 65536."""
    number, unit = _quantity(text)
    if unit not in _SIZE_UNITS:
        raise ValueError(f"{unit!r} is no unit of size")
    return int(number * _SIZE_UNITS[unit])


def parse_duration(text: str) -> float:
    """Return the seconds that `text` means: 1s, 500ms, 2m, 0."""
    number, unit = _quantity(text)
    if unit not in _DURATION_UNITS_S:
        raise ValueError(f"{unit!r} is no unit of time")
    return number * _DURATION_UNITS_S[unit]


def parse_boolean(text: str) -> bool:
    """Return the truth of a strict boolean word, in any case."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("it is neither a yes nor a no")


def _parse_pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError("there is no '='")
    if not key.strip():
        raise ValueError("nothing stands before the '='")
    return key.strip(), value


def _parse_mode(text: str) -> int:
    if re.fullmatch(r"[0-7]{1,4}", text) is None:
        raise ValueError("it is not one to four octal digits")
    return int(text, 8)


def _parse_path(text: str) -> Path:
    if not text:
        raise ValueError("it is empty")
    return Path(text).expanduser()


TEXT: Kind[str] = Kind("TEXT", "any text", str)
SIZE: Kind[int] = Kind("SIZE", "a size such as 512KiB, 64MiB or 1048576", parse_size)
DURATION: Kind[float] = Kind("TIME", "a time such as 500ms, 1s, 2m or 0", parse_duration)
BOOLEAN: Kind[bool] = Kind(
    "BOOL", "one of yes, true, on, 1, no, false, off, 0", parse_boolean, ("true", "false")
)
FILE: Kind[Path] = Kind("FILE", "a path", _parse_path, completion=Completion.FILE)
DIRECTORY: Kind[Path] = Kind("DIR", "a path", _parse_path, completion=Completion.DIRECTORY)
MODE: Kind[int] = Kind("OCTAL", "octal digits from 0 to 7777, such as 444", _parse_mode)
PAIR: Kind[tuple[str, str]] = Kind("KEY=VALUE", "KEY=VALUE", _parse_pair)


def integer(minimum: int = 0, maximum: int | None = None) -> Kind[int]:
    """Return the kind of whole numbers from `minimum` to `maximum`, both allowed."""
    allowed = f"a whole number from {minimum}" + ("" if maximum is None else f" to {maximum}")

    def parse(text: str) -> int:
        if re.fullmatch(r"\s*[+-]?[0-9]+\s*", text) is None:
            raise ValueError("it is not a whole number")
        number = int(text)
        if number < minimum or (maximum is not None and number > maximum):
            raise ValueError("it is out of range")
        return number

    return Kind("N", allowed, parse)


def choice(members: type[E], metavar: str = "WORD") -> Kind[E]:
    """Return the kind whose values are the members of a text enumeration."""
    words = tuple(member.value for member in members)

    def parse(text: str) -> E:
        try:
            return members(text.strip().lower())
        except ValueError:
            raise ValueError("it is none of them") from None

    return Kind(metavar, f"one of {', '.join(words)}", parse, words, Completion.CHOICES)
