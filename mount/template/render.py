"""Compile a template to expressions and render a whole library at once.

A million tracks are one pass over columns: nothing here runs once a track. What the expressions
have to say about each rule of the language is in docs/templates.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from musefs.mount.template.fields import (
    BUILTINS,
    all_values,
    first_value,
    tag_exists,
    tags_behind,
    with_tags,
)
from musefs.mount.template.grammar import (
    Candidate,
    Condition,
    Field,
    Literal,
    Part,
    Section,
    Template,
    parse_template,
)
from musefs.mount.template.safe_names import safe_paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_PIECES: Final = 64
"""Pieces of a path field that are used, as in the reference."""

_WITH_EXTENSION: Final = {"filename", "ext"}
"""Fields that bring the extension themselves; only for them is it looked for."""
_UNSAFE = r"[/\x00-\x1f]"
_UNSAFE_BUT_SLASH = r"[\x00-\x1f]"
_NUMBER = r"^\s*(-?\d+(?:\.\d+)?)"


@dataclass(frozen=True, slots=True)
class NamingRules:
    """What holds for every template of a mount."""

    fallbacks: Mapping[str, str] = field(default_factory=dict[str, str])
    """Field (lower case) → text for tracks without it."""
    default_fallback: str = "Unknown"
    skip_on_missing: bool = False
    safe_names: bool = False


def _fields(parts: tuple[Part, ...]) -> Iterator[Field]:
    for part in parts:
        if isinstance(part, Field):
            yield part
        elif isinstance(part, Section):
            yield from _fields(part.parts)


def _sections(parts: tuple[Part, ...]) -> Iterator[Section]:
    """Yield sections, inner ones before those that hold them."""
    for part in parts:
        if isinstance(part, Section):
            yield from _sections(part.parts)
            yield part


def _candidates(template: Template) -> Iterator[Candidate]:
    for part in _fields(template.parts):
        yield from part.candidates


def _name(candidate: Candidate) -> str:
    return candidate.condition.name if candidate.condition else candidate.name


def _wants_all(candidate: Candidate) -> bool:
    return candidate.each or any(call.takes_all_values for call in candidate.filters)


class CompiledTemplate:
    """A template with rules, ready to render columns."""

    def __init__(self, template: str | Template, rules: NamingRules | None = None) -> None:
        """Compile; raises TemplateError."""
        self.template = parse_template(template) if isinstance(template, str) else template
        self.rules = NamingRules() if rules is None else rules
        candidates = list(_candidates(self.template))
        self.names = frozenset(_name(candidate) for candidate in candidates)
        self._multiple = frozenset(_name(c) for c in candidates if _wants_all(c))
        self._columns = {
            part: f"field:{number}" for number, part in enumerate(_fields(self.template.parts))
        }
        sections = dict.fromkeys(_sections(self.template.parts))
        self._sections = {part: f"section:{number}" for number, part in enumerate(sections)}
        self._each = tuple(sorted({c.name for c in candidates if c.each}))

    @property
    def tag_keys(self) -> frozenset[str]:
        """Keys of all tags that rendering looks at; nothing else need be loaded."""
        return frozenset(key for name in self.names for key in tags_behind(name))

    @property
    def is_album_wide(self) -> bool:
        """Say whether a track's path may depend on other tracks."""
        return any(name in BUILTINS and BUILTINS[name].album_wide for name in self.names)

    def render(self, tracks: pl.DataFrame, tags: pl.DataFrame) -> pl.DataFrame:
        """Return (row, path, missing, excluded); a track may have several rows or a null path.

        `tracks` has the columns of the index's table, `tags` has track_id, key, ordinal, value.
        """
        every = {key for name in self._multiple for key in tags_behind(name)}
        frame = with_tags(tracks, tags, self.tag_keys, every).with_row_index("row")
        for name in self._each:
            frame = frame.with_columns(all_values(name).alias(f"each:{name}"))
        for name in self._each:
            frame = frame.explode(f"each:{name}", empty_as_null=True, keep_nulls=True)
        # a name and a field are computed once each, however often the text mentions them
        values = [first_value(name).alias(f"value:{name}") for name in self.names]
        fields = [self._field(part).alias(column) for part, column in self._columns.items()]
        extension = BUILTINS["ext"].build().alias("ext")
        # lazily, because only then are equal parts of different expressions computed once
        query = frame.lazy().with_columns(values).with_columns(fields)
        for section, column in self._sections.items():
            # one step each: an expression that held its inner sections would double at each level
            query = query.with_columns(self._section(section).alias(column))
        rendered = query.select(
            pl.col("row").cast(pl.Int32), *self._top_level(), extension
        ).collect()
        body = _without_extension() if self.names & _WITH_EXTENSION else pl.col("body")
        path = rendered.select(pl.concat_str(body, pl.lit("."), "ext")).to_series()
        if self.rules.safe_names:
            path = safe_paths(path)
        hidden = pl.col("excluded")
        if self.rules.skip_on_missing:
            hidden |= pl.col("missing")
        return rendered.select(
            "row", pl.when(~hidden).then(path).alias("path"), "missing", "excluded"
        )

    def reasons(self, tracks: pl.DataFrame, tags: pl.DataFrame) -> pl.DataFrame:
        """Return (row, reason) for each top-level field that hides a track, for a preview."""
        found: list[pl.DataFrame] = [pl.DataFrame(schema={"row": pl.Int32, "reason": pl.String})]
        for part in self.template.parts:
            if not isinstance(part, Field):
                continue
            alone = CompiledTemplate(Template(part.text, (part,)), self.rules)
            words = f"${{{part.text}}} does not hold" if part.is_guard else f"no {part.text}"
            rendered = alone.render(tracks, tags)
            hidden = rendered.filter("excluded" if part.is_guard else "missing")
            found.append(hidden.select("row", pl.lit(words).alias("reason")).unique())
        return pl.concat(found)

    def _top_level(self) -> list[pl.Expr]:
        texts: list[pl.Expr] = []
        missing: list[pl.Expr] = []
        excluded: list[pl.Expr] = []
        for part in self.template.parts:
            if isinstance(part, Literal):
                texts.append(pl.lit(part.text))
            elif isinstance(part, Section):
                texts.append(pl.col(self._sections[part]).fill_null(""))
            elif part.is_guard:
                excluded.append(pl.col(self._columns[part]).is_null())
            else:
                value = pl.col(self._columns[part])
                missing.append(value.is_null())
                texts.append(value.fill_null(self._default))
        return [
            (pl.concat_str(texts) if texts else pl.lit("")).alias("body"),
            _any(missing).alias("missing"),
            _any(excluded).alias("excluded"),
        ]

    @property
    def _default(self) -> pl.Expr:
        return pl.lit(self.rules.default_fallback).str.replace_all(_UNSAFE, "_")

    def _section(self, section: Section) -> pl.Expr:
        """Return the section's text; null where it is not shown."""
        texts: list[pl.Expr] = []
        resolved: list[pl.Expr] = []
        guards: list[pl.Expr] = []
        for part in section.parts:
            if isinstance(part, Literal):
                texts.append(pl.lit(part.text))
                continue
            value = pl.col(
                self._sections[part] if isinstance(part, Section) else self._columns[part]
            )
            if isinstance(part, Field) and part.is_guard:
                guards.append(value.is_not_null())
            texts.append(value.fill_null(""))
            resolved.append(value.is_not_null())
        if not resolved:
            return pl.lit(None, dtype=pl.String)
        shown = _any(resolved)
        if guards:
            shown &= pl.all_horizontal(guards)
        return pl.when(shown).then(pl.concat_str(texts))

    def _field(self, part: Field) -> pl.Expr:
        """Return the first candidate's value that there is; null if none."""
        one = self._path_candidate if part.is_path else self._plain_candidate
        return pl.coalesce([one(candidate) for candidate in part.candidates])

    def _plain_candidate(self, candidate: Candidate) -> pl.Expr:
        if candidate.condition is not None:
            return pl.when(_holds(candidate.condition)).then(pl.lit(""))
        value = self._filtered(candidate)
        return value.str.replace_all(_UNSAFE, "_")

    def _filtered(self, candidate: Candidate) -> pl.Expr:
        """Return the value after its filters, else the field's fallback; null if neither."""
        value = _value(candidate)
        for call in candidate.filters:
            value = call.apply(value)
        value = pl.when(value != "").then(value)
        fallback = self.rules.fallbacks.get(candidate.name, "")
        return value.fill_null(fallback) if fallback else value

    def _path_candidate(self, candidate: Candidate) -> pl.Expr:
        if candidate.condition is not None or candidate.filters or candidate.each:
            return _pieces(self._plain_source(candidate))
        # a value that exists but gives no piece blocks the name's own fallback
        value = pl.coalesce(tag_exists(candidate.name), pl.col(f"value:{candidate.name}"))
        fallback = self.rules.fallbacks.get(candidate.name)
        return _pieces(value if fallback is None else value.fill_null(fallback))

    def _plain_source(self, candidate: Candidate) -> pl.Expr:
        if candidate.condition is not None:
            return pl.when(_holds(candidate.condition)).then(pl.lit(""))
        return self._filtered(candidate)


def _without_extension() -> pl.Expr:
    """Return the body without the extension that is added to it: a name ends in it once."""
    body = pl.col("body")
    dotted = pl.concat_str(pl.lit("."), "ext")
    stem = body.str.head(body.str.len_chars() - dotted.str.len_chars())
    ends_in_it = body.str.to_lowercase().str.ends_with(dotted) & stem.str.contains(r"[^/]$")
    return pl.when(ends_in_it).then(stem).otherwise(body)


def _any(conditions: list[pl.Expr]) -> pl.Expr:
    return pl.any_horizontal(conditions) if conditions else pl.lit(value=False)


def _value(candidate: Candidate) -> pl.Expr:
    if candidate.each:
        return pl.col(f"each:{candidate.name}")
    if _wants_all(candidate):
        return all_values(candidate.name)
    return pl.col(f"value:{candidate.name}")


def _pieces(value: pl.Expr) -> pl.Expr:
    """Return the usable pieces of a path value with slashes between them; null if there is none."""
    pieces = value.str.split("/").list.eval(
        pl.element().filter(~pl.element().is_in(["", ".", ".."]))
    )
    joined = pieces.list.head(MAX_PIECES).list.join("/").str.replace_all(_UNSAFE_BUT_SLASH, "_")
    return pl.when(joined != "").then(joined)


def _number(value: pl.Expr) -> pl.Expr:
    return value.str.extract(_NUMBER).cast(pl.Float64)


def _holds(condition: Condition) -> pl.Expr:
    """Return whether a condition is true; a comparison with no value is false, != is true."""
    value = pl.col(f"value:{condition.name}")
    if not condition.operator:
        return value.is_null() if condition.negated else value.is_not_null()
    result = _compared(value, condition.operator, condition.operand)
    result = result.fill_null(value=condition.operator == "!=")
    return ~result if condition.negated else result


def _compared(value: pl.Expr, operator: str, operand: str) -> pl.Expr:
    lowered, text = value.str.to_lowercase(), operand.lower()
    if operator == "~":
        return lowered.str.contains(text, literal=True)
    if operator in ("=", "!="):
        return lowered == text if operator == "=" else lowered != text
    try:
        number = float(operand)
    except ValueError:
        left, right = lowered, pl.lit(text)
    else:
        left, right = _number(value), pl.lit(number)
    match operator:
        case ">":
            return left > right
        case ">=":
            return left >= right
        case "<":
            return left < right
        case _:
            return left <= right
