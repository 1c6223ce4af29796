"""What a name in a template stands for: a tag, or a fact about the file or the library.

A tag of that very name always wins, so a template that means a tag never changes its meaning. Tags
become columns `tag:KEY` (first value) and `all:KEY` (all values), only for keys that are needed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from musefs.index.edit.vocabulary import normalise

MAX_PLACES: Final = 64
"""Values of one tag for which a track may be placed: a guard against broken files."""

LOSSLESS_CODECS: Final = ("flac", "alac", "wavpack", "ape", "tta", "pcm", "dsd", "wav", "aiff")

_EXTENSIONS: Final = {
    "flac": "flac", "mp3": "mp3", "mp4": "m4a", "ogg_vorbis": "ogg", "ogg_opus": "opus",
    "ogg_flac": "oga", "ogg_speex": "spx", "wav": "wav", "aiff": "aiff", "ape": "ape",
    "wavpack": "wv", "musepack": "mpc", "tta": "tta", "dsf": "dsf", "dff": "dff", "asf": "wma",
    "aac": "aac", "ac3": "ac3", "matroska": "mka",
}  # fmt: skip
"""For originals whose name has no extension."""

_LONGEST_EXTENSION: Final = 10
"""Characters; what follows a last dot further away is no extension but part of the name."""


@dataclass(frozen=True, slots=True)
class Builtin:
    """A name that is no tag."""

    meaning: str
    build: Callable[[], pl.Expr]
    tags: tuple[str, ...] = ()
    """Keys whose first values it is made from."""
    album_wide: bool = False
    """Depends on the other tracks of the album."""


def tag_column(key: str) -> pl.Expr:
    """Return the first value of a tag; null if there is none or it is empty."""
    value = pl.col(f"tag:{key}")
    return pl.when(value != "").then(value)


def _before_slash(key: str) -> pl.Expr:
    return tag_column(key).str.extract(r"^\s*([^/]*?)\s*(?:/|$)")


def _after_slash(key: str) -> pl.Expr:
    return tag_column(key).str.extract(r"/\s*(.+?)\s*$")


def _year_of(*keys: str) -> pl.Expr:
    return pl.coalesce(tag_column(key).str.extract(r"(\d{4})") for key in keys)


def _text(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String)


def _file_name() -> pl.Expr:
    return pl.col("path").str.split("/").list.last()


def _stem() -> pl.Expr:
    return _file_name().str.replace(r"^(.+)\.[^.]*$", "$1")


def _extension() -> pl.Expr:
    usual = (
        pl.col("format")
        .cast(pl.String)
        .replace_strict(_EXTENSIONS, default=pl.lit("bin"), return_dtype=pl.String)
    )
    # the end only: a search from the start of every path costs five times as much
    end = pl.col("path").str.tail(_LONGEST_EXTENSION + 2)
    return pl.coalesce(end.str.extract(r"[^/]\.([^./]+)$").str.to_lowercase(), usual)


def _directory() -> pl.Expr:
    return pl.col("path").str.extract(r"^/?(.*)/[^/]*$")


def _path_without_extension() -> pl.Expr:
    return pl.col("path").str.strip_prefix("/").str.replace(r"^(.*[^/])\.[^./]*$", "$1")


def _khz() -> pl.Expr:
    hertz = pl.col("sample_rate")
    tenths = ((hertz + 50) // 100).cast(pl.Int64)
    whole = (tenths // 10).cast(pl.String)
    return (
        pl.when(tenths % 10 == 0).then(whole).otherwise(whole + "." + (tenths % 10).cast(pl.String))
    )


def _album() -> list[pl.Expr]:
    artist = pl.coalesce(tag_column("albumartist"), tag_column("artist"), pl.lit(""))
    return [tag_column("album"), artist]


def _several_discs() -> pl.Expr:
    disc = _before_slash("discnumber").str.strip_chars_start("0")
    declared = pl.coalesce(tag_column("totaldiscs"), _after_slash("discnumber"))
    several = (disc.drop_nulls().n_unique().over(_album()) > 1) | (
        declared.str.extract(r"^(\d+)").cast(pl.Int64).max().over(_album()) > 1
    )
    return pl.when(several & tag_column("album").is_not_null()).then(pl.lit("1"))


def _lossless() -> pl.Expr:
    names = (_text("codec").str.to_lowercase(), _text("format"))
    known = pl.any_horizontal(name.is_in(LOSSLESS_CODECS).fill_null(value=False) for name in names)
    return pl.when(known | _text("codec").str.starts_with("pcm")).then(pl.lit("1"))


_ALBUM_TAGS = ("album", "albumartist", "artist")

BUILTINS: Final[dict[str, Builtin]] = {
    "track": Builtin(
        "number of the track, without the total", lambda: _before_slash("tracknumber"),
        ("tracknumber",),
    ),
    "tracktotal": Builtin(
        "tracks on the disc", lambda: pl.coalesce(tag_column("totaltracks"),
        _after_slash("tracknumber")), ("totaltracks", "tracknumber"),
    ),
    "disc": Builtin(
        "number of the disc, without the total", lambda: _before_slash("discnumber"),
        ("discnumber",),
    ),
    "disctotal": Builtin(
        "discs of the album", lambda: pl.coalesce(tag_column("totaldiscs"),
        _after_slash("discnumber")), ("totaldiscs", "discnumber"),
    ),
    "multidisc": Builtin(
        "1 if the album has several discs", _several_discs,
        (*_ALBUM_TAGS, "discnumber", "totaldiscs"), album_wide=True,
    ),
    "year": Builtin(
        "year of the date, else of the original date",
        lambda: _year_of("date", "originaldate"), ("date", "originaldate"),
    ),
    "originalyear": Builtin(
        "year of the original date, else of the date",
        lambda: _year_of("originaldate", "date"), ("originaldate", "date"),
    ),
    "duration": Builtin(
        "playing time in whole seconds",
        lambda: pl.col("duration_seconds").round(0).cast(pl.Int64).cast(pl.String),
    ),
    "bitrate": Builtin(
        "thousands of bits per second", lambda: ((pl.col("bitrate") + 500) // 1000).cast(pl.String)
    ),
    "samplerate": Builtin("samples per second", lambda: _text("sample_rate")),
    "khz": Builtin("thousands of samples per second, such as 44.1", _khz),
    "bits": Builtin("bits per sample", lambda: _text("bits_per_sample")),
    "channels": Builtin("number of channels", lambda: _text("channels")),
    "codec": Builtin("codec, such as flac or aac", lambda: _text("codec")),
    "format": Builtin("container, such as flac or ogg_opus", lambda: _text("format")),
    "lossless": Builtin("1 if the codec loses nothing", _lossless),
    "filename": Builtin("name of the original", _file_name),
    "stem": Builtin("name of the original without its extension", _stem),
    "ext": Builtin("extension of the original, in lower case", _extension),
    "folder": Builtin(
        "name of the original's folder", lambda: _directory().str.split("/").list.last()
    ),
    "directory": Builtin("path of the original's folder", _directory),
    "originalpath": Builtin("path of the original without its extension", _path_without_extension),
    "trackid": Builtin("number of the track in the index", lambda: _text("track_id")),
}  # fmt: skip


def _canonical(name: str) -> str | None:
    """Return our key for another spelling of a tag, unless the name is a fact."""
    canonical = normalise(name)
    return None if name in BUILTINS or canonical == name else canonical


def tags_behind(name: str) -> tuple[str, ...]:
    """Return the keys that may give a name its value."""
    builtin = BUILTINS.get(name)
    canonical = _canonical(name)
    behind = builtin.tags if builtin else () if canonical is None else (canonical,)
    return tuple(dict.fromkeys((name, *behind)))


def first_value(name: str) -> pl.Expr:
    """Return what a name stands for; null where it has no value."""
    sources = [tag_column(name)]
    if (canonical := _canonical(name)) is not None:
        sources.append(tag_column(canonical))
    if builtin := BUILTINS.get(name):
        sources.append(builtin.build())
    value = pl.coalesce(sources)
    return pl.when(value != "").then(value)


def tag_exists(name: str) -> pl.Expr:
    """Return the value of a tag also if it is empty; path fields tell the two apart."""
    return pl.col(f"tag:{name}")


def all_values(name: str) -> pl.Expr:
    """Return the list of values, at most MAX_PLACES; a fact is a list of one."""
    values = pl.col(f"all:{name}")
    if (canonical := _canonical(name)) is not None:
        values = pl.coalesce(values, pl.col(f"all:{canonical}"))
    if builtin := BUILTINS.get(name):
        fact = builtin.build()
        values = pl.coalesce(values, pl.when(fact.is_not_null()).then(pl.concat_list(fact)))
    return values


def _first_of(rows: pl.DataFrame, key: str) -> pl.DataFrame:
    """Return (track_id, value): exact spelling of the key first in binary order, then ordinal."""
    if (rows["key"] == key).all():  # nobody wrote it in another case
        heads = rows.filter(pl.col("ordinal") == 0)
        if rows["track_id"].n_unique() == len(heads) == heads["track_id"].n_unique():
            return heads.select("track_id", "value")
    ordered = rows.sort(pl.col("key").cast(pl.Binary), "ordinal")
    return ordered.unique("track_id", keep="first", maintain_order=True).select("track_id", "value")


def _all_of(rows: pl.DataFrame) -> pl.DataFrame:
    ordered = rows.filter(pl.col("value") != "").sort(pl.col("key").cast(pl.Binary), "ordinal")
    values = pl.col("value").unique(maintain_order=True).head(MAX_PLACES)
    return ordered.group_by("track_id").agg(values)


def with_tags(
    tracks: pl.DataFrame, tags: pl.DataFrame, first: Iterable[str], every: Iterable[str]
) -> pl.DataFrame:
    """Add `tag:KEY` for each key of `first` and `all:KEY` for each of `every`."""
    wanted_first, wanted_all = sorted(set(first)), sorted(set(every))
    lowered = tags["key"].cast(pl.String)
    if lowered.str.contains("[A-Z]").any():  # only a user's own SQL writes keys like that
        lowered = lowered.str.to_lowercase()
    for key in sorted({*wanted_first, *wanted_all}):
        rows = tags.filter(lowered == key).with_columns(pl.col("key").cast(pl.String))
        if key in wanted_first:
            column = _first_of(rows, key).rename({"value": f"tag:{key}"})
            tracks = tracks.join(column, on="track_id", how="left", maintain_order="left")
        if key in wanted_all:
            column = _all_of(rows).rename({"value": f"all:{key}"})
            tracks = tracks.join(column, on="track_id", how="left", maintain_order="left")
    return tracks
