"""The reference's template rules, one track at a time, in plain Python. An oracle."""

from collections.abc import Mapping

from musefs.mount.template.grammar import Field, Literal, Part, Section, parse_template


def clean(text: str, *, keep_slash: bool = False) -> str:
    return "".join("_" if c < " " or (c == "/" and not keep_slash) else c for c in text)


def render_plain(
    template: str,
    tags: Mapping[str, str],
    *,
    fallbacks: Mapping[str, str] | None = None,
    default: str = "Unknown",
) -> tuple[str, bool]:
    """Return the path without its extension, and whether a top-level field was missing."""
    fallbacks = fallbacks or {}

    def field_value(part: Field) -> str | None:
        for candidate in part.candidates:
            name = candidate.name
            if part.is_path:
                value = tags[name] if name in tags else fallbacks.get(name, "")
                pieces = [p for p in value.split("/") if p not in ("", ".", "..")][:64]
                if pieces:
                    return clean("/".join(pieces), keep_slash=True)
            elif value := tags.get(name) or fallbacks.get(name):
                return clean(value)
        return None

    def section(parts: tuple[Part, ...]) -> str | None:
        texts, resolved = [], False
        for part in parts:
            if isinstance(part, Literal):
                texts.append(part.text)
                continue
            value = section(part.parts) if isinstance(part, Section) else field_value(part)
            resolved |= value is not None
            texts.append(value or "")
        return "".join(texts) if resolved else None

    path, missing = "", False
    for part in parse_template(template).parts:
        if isinstance(part, Literal):
            path += part.text
        elif isinstance(part, Section):
            path += section(part.parts) or ""
        else:
            value = field_value(part)
            missing |= value is None
            path += clean(default) if value is None else value
    return path, missing
