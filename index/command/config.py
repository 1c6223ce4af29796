"""Environment variables and config.toml: the two layers below the command line.

`/etc/musefs/config.toml` is read first, the user's file over it; `--config FILE` is read in place
of both. Keys are flag names. Flags that all commands share may stand at the top of the file; the
flags of one command stand in its table: `[scan]`, `[mount]`, `[tag]`, `[io-probe]`. A repeatable
flag is a list, and one with KEY=VALUE may be a table. A file that cannot be used is ConfigError:
a setting that somebody wrote is never silently ignored.
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeGuard

from musefs.index.command.flag import Command, Count, Flag, Switch
from musefs.index.command.settings import Given, Settings
from musefs.index.errors import ConfigError

SYSTEM_FILE = Path("/etc/musefs/config.toml")
SECTIONS = frozenset({"scan", "mount", "tag", "io-probe"})


def user_file() -> Path:
    """Return where this user's config.toml belongs on this system."""
    import platformdirs

    return Path(platformdirs.user_config_dir("musefs", appauthor=False, roaming=True)) / (
        "config.toml"
    )


def read_environment(command: Command, environment: Mapping[str, str]) -> dict[str, Given]:
    """Return what MUSEFS_* variables say; an empty variable says nothing."""
    found: dict[str, Given] = {}
    for flag in command.all_flags():
        variable = flag.variable
        if variable is not None and environment.get(variable):
            found[flag.name] = Given((environment[variable],), f"environment {variable}")
    return found


def read_config(command: Command, chosen: Path | None, common: frozenset[str]) -> dict[str, Given]:
    """Return what the configuration says; `common` names the flags allowed at the top."""
    if chosen is not None:
        if not chosen.exists():
            raise ConfigError("the configuration file does not exist", path=chosen)
        return _read_file(command, chosen, common)
    found: dict[str, Given] = {}
    for path in (SYSTEM_FILE, user_file()):
        if path.exists():
            found.update(_read_file(command, path, common))
    return found


def _load(path: Path) -> dict[str, object]:
    import tomllib

    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML: {error}", path=path) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(
            f"the configuration cannot be read: {reason}",
            path=path,
            hint="Make it readable, or name another one with --config FILE.",
        ) from error


def _read_file(command: Command, path: Path, common: frozenset[str]) -> dict[str, Given]:
    flags = {flag.name: flag for flag in command.all_flags() if flag.environment}
    top = {name: flag for name, flag in flags.items() if name in common}
    found: dict[str, Given] = {}
    document = _load(path)
    for key, value in document.items():
        if key not in SECTIONS:
            if key not in top:
                raise _unknown_at_the_top(key, command, top, path)
            found[key] = _given(top[key], value, path)
    section = document.get(command.section, {})
    if not _is_table(section):
        raise ConfigError(f"[{command.section}] must be a table", path=path)
    for key, value in section.items():
        where = f" in [{command.section}]"
        found[key] = _given(_known(key, flags, path, where), value, path)
    return found


def _is_table(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)  # TOML has no other keys than text


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _known(key: str, flags: Mapping[str, Flag[object]], path: Path, where: str) -> Flag[object]:
    if key in flags:
        return flags[key]
    near = difflib.get_close_matches(key, flags, n=3)
    wanted = f"; did you mean {' or '.join(near)}?" if near else ""
    raise ConfigError(
        f"unknown key {key!r}{where}{wanted}",
        path=path,
        hint=f"Allowed{where}: {', '.join(sorted(flags))}.",
    )


def _unknown_at_the_top(
    key: str, command: Command, top: Mapping[str, Flag[object]], path: Path
) -> ConfigError:
    """Return the error for a key outside all tables, with what was probably meant."""
    own = {flag.name for flag in command.all_flags() if flag.environment} - set(top)
    hint = f"Allowed outside tables: {', '.join(sorted(top))}."
    if key in own:
        return ConfigError(f"{key!r} belongs into the table [{command.section}]", path=path)
    near = difflib.get_close_matches(key, [*top, *own, *sorted(SECTIONS)], n=1)
    if not near:
        return ConfigError(f"unknown key {key!r}", path=path, hint=hint)
    if near[0] in own:
        meant = f"{near[0]} in the table [{command.section}]"
    else:
        meant = f"the table [{near[0]}]" if near[0] in SECTIONS else near[0]
    return ConfigError(f"unknown key {key!r}; did you mean {meant}?", path=path, hint=hint)


def _given(flag: Flag[object], value: object, path: Path) -> Given:
    origin = f"configuration {path}"
    if flag.repeatable:
        if _is_list(value):
            return Given(tuple(_scalar(flag, item, path) for item in value), origin)
        if _is_table(value) and flag.metavar == "KEY=VALUE":
            texts = (f"{key}={_scalar(flag, item, path)}" for key, item in value.items())
            return Given(tuple(texts), origin)
        raise ConfigError(f"{flag.name} must be a list of {flag.kind.allowed}", path=path)
    return Given((_scalar(flag, value, path),), origin)


def _scalar(flag: Flag[object], value: object, path: Path) -> str:
    if isinstance(value, bool):
        if not isinstance(flag, Switch | Count) and not flag.kind.choices:
            raise ConfigError(
                f"{flag.name} = {value} cannot be used; expected {flag.kind.allowed}", path=path
            )
        return ("true" if value else "false") if isinstance(flag, Switch) else str(int(value))
    if isinstance(value, str | int | float):
        return str(value)
    raise ConfigError(f"{flag.name} must be {flag.kind.allowed}, as one value", path=path)


def describe(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield (flag, value as text, where it came from) for --print-config."""
    for flag in settings.flags():
        source = settings.source(flag)
        yield flag.option, " ".join(source.texts) if source.texts else "(not set)", source.origin


def chosen_file(given: Mapping[str, Given]) -> Path | None:
    """Return the --config file of the command line or the environment."""
    source = given.get("config")
    return None if source is None else Path(source.texts[-1]).expanduser()


def process_environment() -> Mapping[str, str]:
    """Return this process's environment."""
    return os.environ
