"""The path template language: text in, parts out, errors with the place they are about.

The reference's grammar, character by character and with no look-back, is kept whole; what is new
lives inside braces, where the reference takes everything as the name of a field:

    ${name:filter:filter(argument)|other::filter}   ${*name}   ${if:condition}

A `:` begins filters only if everything behind it is known as filters, so names with colons, such
as `id3:comm:eng:`, still mean tags. Behind a name that is known, what is no filter is an error.
docs/templates.md is the user's page.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from musefs.index.edit.vocabulary import BY_KEY, normalise
from musefs.index.errors import TemplateError
from musefs.mount.template.fields import BUILTINS
from musefs.mount.template.functions import FILTERS, FilterCall, filter_texts, parse_filters

MAX_DEPTH: Final = 64
"""Sections in sections; deeper ones are refused, as in the reference."""

_NAME = re.compile(r"[A-Za-z0-9_]*")
_FIRST_PRINTABLE: Final = " "
_QUALIFIED_NAMES: Final = ("comment:", "lyrics:", "id3:", "----:")
"""Names of tags that contain colons themselves; filters on them are written behind `::`."""
_CONDITION = re.compile(r"(?P<negated>!?)(?P<name>[^!=<>~]+)(?P<operator>!=|>=|<=|=|>|<|~)?")


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that is taken as it stands; slashes in it make folders."""

    text: str


@dataclass(frozen=True, slots=True)
class Condition:
    """`name`, `!name`, or `name` compared with `operand`."""

    name: str
    operator: str
    operand: str
    negated: bool

    @property
    def text(self) -> str:
        """Return the condition as it is written."""
        return f"{'!' if self.negated else ''}{self.name}{self.operator}{self.operand}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the names that a field tries in order."""

    name: str
    filters: tuple[FilterCall, ...] = ()
    each: bool = False
    """Place the track once for each value."""
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A value: of the first candidate that has one."""

    candidates: tuple[Candidate, ...]
    is_path: bool = False
    """Slashes in the value stay separators."""

    @property
    def text(self) -> str:
        """Return the names it tries, as people write them."""
        return "|".join(
            f"if:{c.condition.text}" if c.condition else c.name for c in self.candidates
        )

    @property
    def is_guard(self) -> bool:
        """Say whether the field only asks a question."""
        return all(candidate.condition is not None for candidate in self.candidates)


@dataclass(frozen=True, slots=True)
class Section:
    """A bracketed part that is shown only if something in it has a value."""

    parts: tuple[Part, ...]


Part = Literal | Field | Section


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template."""

    source: str
    parts: tuple[Part, ...]


def _lower_ascii(text: str) -> str:
    return text.lower() if text.isascii() else re.sub("[A-Z]", lambda m: m[0].lower(), text)


class _Parser:
    """Walks the text once; `_position` is the only state besides the open section."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0

    def template(self) -> Template:
        return Template(self._source, self._parts(depth=0, opened=0))

    def _error(self, message: str, position: int) -> TemplateError:
        shown = "".join(c if c >= _FIRST_PRINTABLE else "?" for c in self._source)
        return TemplateError(
            f"{message} at column {position + 1} of the template\n  {shown}\n  {' ' * position}^"
        )

    def _parts(self, depth: int, opened: int) -> tuple[Part, ...]:
        """Read up to the end of the section that was opened, or of the text."""
        if depth > MAX_DEPTH:
            raise self._error(f"sections are nested deeper than {MAX_DEPTH}", opened)
        parts: list[Part] = []
        text: list[str] = []
        while self._position < len(self._source):
            character = self._source[self._position]
            if character == "]" and depth:
                return self._flushed(parts, text)
            part = self._next(character, depth)
            if isinstance(part, str):
                text.append(part)
            else:
                self._flushed(parts, text)
                text = []
                parts.append(part)
        if depth:
            raise self._error("`[` is never closed", opened)
        return self._flushed(parts, text)

    @staticmethod
    def _flushed(parts: list[Part], text: list[str]) -> tuple[Part, ...]:
        if text:
            parts.append(Literal("".join(text)))
        return tuple(parts)

    def _next(self, character: str, depth: int) -> str | Part:
        start = self._position
        self._position += 1
        if character == "$":
            return self._dollar()
        if character == "[":
            inner = self._parts(depth + 1, start)
            self._position += 1
            return Section(inner)
        if character < _FIRST_PRINTABLE:
            raise self._error("a control character cannot be part of a path", start)
        return character

    def _dollar(self) -> str | Part:
        following = self._source[self._position : self._position + 1]
        if following in ("[", "]") and following:
            self._position += 1
            return following
        if following == "{":
            return self._braces(self._position + 1, is_path=False)
        if self._source.startswith("!{", self._position):
            return self._braces(self._position + 2, is_path=True)
        match = _NAME.match(self._source, self._position)
        if match is None or not match[0]:
            return "$"
        self._position = match.end()
        return Field((Candidate(_lower_ascii(match[0])),))

    def _braces(self, start: int, *, is_path: bool) -> Field:
        end = self._source.find("}", start)
        if end < 0:
            opening = "$!{" if is_path else "${"
            raise self._error(f"`{opening}` is never closed", start - len(opening))
        self._position = end + 1
        content = self._source[start:end]
        common: tuple[FilterCall, ...] = ()
        head, separator, tail = content.rpartition("::")
        if separator and (found := self._filters(tail, start)) is not None:
            content, common = head, found
        candidates: list[Candidate] = []
        for text in content.split("|"):
            candidates.append(self._candidate(text, common, start))
            start += len(text) + 1
        return Field(tuple(candidates), is_path)

    def _filters(self, text: str, start: int) -> tuple[FilterCall, ...] | None:
        try:
            return parse_filters(text)
        except ValueError as error:
            raise self._error(str(error), start) from error

    def _candidate(self, text: str, common: tuple[FilterCall, ...], start: int) -> Candidate:
        if text.startswith("if:") and (condition := _condition(text[3:])) is not None:
            return Candidate("", condition=condition)
        each = len(text) > 1 and text.startswith("*")
        name = text[1:] if each else text
        filters: tuple[FilterCall, ...] = ()
        colon = -1 if name.startswith(_QUALIFIED_NAMES) else name.find(":", 1)
        while colon > 0:
            found = self._filters(name[colon + 1 :], start)
            if found is not None:
                name, filters = name[:colon], found
                break
            colon = name.find(":", colon + 1)
        self._refuse_mistyped_filter(name, start + each)
        return Candidate(_lower_ascii(name), filters + common, each)

    def _refuse_mistyped_filter(self, name: str, start: int) -> None:
        """Refuse what follows a field that everybody knows and is no filter: it is a slip.

        Any other name may hold colons, and is the name of a tag.
        """
        head, colon, tail = name.partition(":")
        known = head.lower() in BUILTINS or normalise(head) in BY_KEY
        if not colon or not known or name.startswith(_QUALIFIED_NAMES):
            return
        for place, text in filter_texts(tail):
            if parse_filters(text) is None:
                near = difflib.get_close_matches(text.partition("(")[0], FILTERS, n=1)
                wanted = f"; did you mean {FILTERS[near[0]].signature}?" if near else ""
                message = f"{text!r} is no filter{wanted}"
                raise self._error(message, start + len(head) + 1 + place)


def _condition(text: str) -> Condition | None:
    match = _CONDITION.match(text)
    if match is None or (match["operator"] is None and match.end() != len(text)):
        return None
    return Condition(
        _lower_ascii(match["name"]),
        match["operator"] or "",
        text[match.end() :],
        negated=bool(match["negated"]),
    )


@cache
def parse_template(source: str) -> Template:
    """Parse; raises TemplateError with the column and a caret below it."""
    return _Parser(source).template()
