"""The template language (rows M3, M4; reference-mount.md §2)."""

import contextlib
from collections.abc import Mapping

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.library_rows import Tags, library
from support.plain_template import render_plain

from musefs.index.errors import TemplateError
from musefs.mount.template.functions import FILTERS
from musefs.mount.template.grammar import parse_template
from musefs.mount.template.render import CompiledTemplate, NamingRules
from musefs.mount.tree.components import normalise_path


def paths(template: str, *tracks: Tags, rules: NamingRules | None = None) -> list[str | None]:
    rendered = CompiledTemplate(template, rules).render(*library(*tracks))
    return rendered["path"].to_list()


def path(template: str, tags: Tags, **rules: object) -> str | None:
    (only,) = paths(template, tags, rules=NamingRules(**rules))  # type: ignore[arg-type]
    return only


MISC = {"fallbacks": {"genre": "Misc"}}
EXAMPLES: list[tuple[str, dict[str, str], str, Mapping[str, object], str | None]] = [
    ("$albumartist/${album}/$title",
     {"albumartist": "Pink Floyd", "album": "Animals", "title": "Pigs"}, "flac", {},
     "Pink Floyd/Animals/Pigs.flac"),
    ("$artist/$title", {"artist": "AC/DC", "title": "T.N.T."}, "mp3", {}, "AC_DC/T.N.T..mp3"),
    ("${albumartist|artist}/$title", {"artist": "Boards"}, "flac", {}, "Boards/Unknown.flac"),
    ("$genre/$title", {"title": "X"}, "mp3", MISC, "Misc/X.mp3"),
    ("${genre|style}/$title", {"title": "X", "style": "Jazz"}, "mp3", MISC, "Misc/X.mp3"),
    ("$album[ - CD $disc]/$title", {"album": "LP", "title": "T"}, "flac", {}, "LP/T.flac"),
    ("$album[ - CD $disc]/$title", {"album": "LP", "title": "T", "disc": "2"}, "flac", {},
     "LP - CD 2/T.flac"),
    ("$artist[/[$date - ]$album]/$title", {"artist": "A", "album": "B", "title": "T"}, "flac", {},
     "A/B/T.flac"),
    ("$artist[/[$date - ]$album]/$title",
     {"artist": "A", "album": "B", "title": "T", "date": "1999"}, "flac", {}, "A/1999 - B/T.flac"),
    ("$artist[/[$date - ]$album]/$title", {"artist": "A", "title": "T"}, "flac", {}, "A/T.flac"),
    ("$album[ $[$date$]]", {"album": "LP", "date": "1999"}, "flac", {}, "LP [1999].flac"),
    ("$album[ $[$date$]]", {"album": "LP"}, "flac", {}, "LP.flac"),
    ("$title]", {"title": "Song"}, "flac", {}, "Song].flac"),
    ("100$ bill/$title$", {"title": "Song"}, "mp3", {}, "100$ bill/Song$.mp3"),
    ("$!{p}", {"p": "a//../b/./c"}, "flac", {}, "a/b/c.flac"),
    ("$!{p}", {"p": ".."}, "flac", {}, "Unknown.flac"),
    ("$tracknumber - $title", {"tracknumber": "3/12", "title": "T"}, "mp3", {}, "3_12 - T.mp3"),
    ("$artist/$title", {"artist": "..", "title": "T"}, "flac", {}, "T.flac"),
    ("$title", {}, "flac", {"default_fallback": ""}, ".flac"),
    ("$albumartist/$album/$title", {"album": "B", "title": "T"}, "flac",
     {"skip_on_missing": True}, None),
]  # fmt: skip


@pytest.mark.parametrize(("template", "tags", "extension", "rules", "expected"), EXAMPLES)
def test_m3_m4_worked_examples(
    template: str,
    tags: dict[str, str],
    extension: str,
    rules: Mapping[str, object],
    expected: str | None,
) -> None:
    """M3, M4: every example of the reference, down to the names in the tree."""
    got = path(template, tags | {"@path": f"/x/original.{extension}"}, **rules)
    assert (None if got is None else normalise_path(got)) == expected


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("$album[ $disc]", True),
        ("${albumartist|artist}", True),
        ("$genre", True),
        ("$albumartist", False),
        ("$!{nothing}", False),
        ("[$albumartist/]$album", True),
    ],
)
def test_m3_skip_on_missing_is_about_top_level_fields(template: str, shown: bool) -> None:
    """M3: chains, per-field fallbacks and sections do not skip."""
    got = path(template, {"album": "B", "artist": "A"}, skip_on_missing=True, **MISC)
    assert (got is not None) is shown


@pytest.mark.parametrize(
    ("template", "column", "words"),
    [
        ("$a/${b", 4, "`${` is never closed"),
        ("$!{b", 1, "`$!{` is never closed"),
        ("x[y[z]", 2, "`[` is never closed"),
        ("a\tb", 2, "control character"),
        ("[" * 65 + "]" * 65, 65, "deeper than 64"),
        ("$a/${track:pad(x)}", 6, "takes a number"),
        ("${a:replace(x)}", 3, "replace(from,to)"),
        ("${a:upper:join(,)}", 3, "must be the first"),
        ("$a/${track:zz} $title", 12, "'zz' is no filter"),
        ("${title|Track:uper}", 15, "did you mean upper"),
        ("${track:zz:upper}", 9, "'zz' is no filter"),
        ("${*artist:pad(2):nothing(a:b)}", 18, "'nothing(a:b)' is no filter"),
        ("${genre:}", 9, "'' is no filter"),
    ],
)
def test_m4_bad_templates_fail_at_once_with_a_caret(template: str, column: int, words: str) -> None:
    """M4: the error names the column, and a caret stands below it."""
    with pytest.raises(TemplateError, match=f"column {column} ") as caught:
        CompiledTemplate(template)
    first, shown, caret = caught.value.message.split("\n")
    assert words in first
    assert len(caret) == column + 2
    assert len(shown) == len(template) + 2


@pytest.mark.parametrize(
    ("template", "original", "shown"),
    [
        ("$folder/$filename", "/M/Al/01 A.flac", "Al/01 A.flac"),
        ("$filename", "/M/01 A.FLAC", "01 A.flac"),
        ("$filename", "/M/no extension", "no extension.flac"),
        ("$filename", "/M/.flac", ".flac.flac"),
        ("$stem.$ext", "/M/a.flac", "a.flac"),
        ("$filename x", "/M/a.flac", "a.flac x.flac"),
        ("$title", "/M/a.flac", "T.flac.flac"),
    ],
)
def test_a_name_ends_in_its_extension_once(template: str, original: str, shown: str) -> None:
    """The extension is added; where the template brought it already, it is not there twice."""
    assert path(template, {"@path": original, "title": "T.flac"}) == shown


def test_m4_a_template_is_compiled_once() -> None:
    """M4: the same text gives the same parsed object."""
    assert parse_template("$a/[$b]") is parse_template("$a/[$b]")


def test_64_nested_sections_are_allowed() -> None:
    assert path("[" * 64 + "$title" + "]" * 64, {"title": "T"}) == "T.flac"


def test_the_upper_case_key_wins_and_the_first_value_counts() -> None:
    assert path("$artist", {"ARTIST": "up", "artist": "low"}) == "up.flac"
    assert path("$artist", {"artist": ["one", "two"]}) == "one.flac"


def test_path_fields_differ_from_plain_ones() -> None:
    """An existing but unusable value blocks that name's fallback, not the next name."""
    fallbacks = {"p": "F/G"}
    assert path("$!{p|q}", {"p": "..", "q": "a/b"}, fallbacks=fallbacks) == "a/b.flac"
    assert path("$!{p|q}", {"q": "a/b"}, fallbacks=fallbacks) == "F/G.flac"
    assert path("$!{p}", {"p": "/".join("abcdefgh" * 10)}) == "/".join("abcdefgh" * 8) + ".flac"


NEW: list[tuple[str, Tags, str]] = [
    ("${track:02} $title", {"tracknumber": "3/12", "title": "T"}, "03 T"),
    ("${track:03}", {"tracknumber": "07"}, "007"),
    ("${tracknumber:02}", {"tracknumber": "A1"}, "A1"),
    ("${date:year}/${date:decade}", {"date": "1994-05-01"}, "1994/1990s"),
    ("$year", {"date": "released 1994"}, "1994"),
    ("${artist:initial}/${artist:sort}", {"artist": "The Beatles"}, "B/Beatles, The"),
    ("${artist:initial}", {"artist": "Ängie"}, "A"),
    ("${artist:initial}", {"artist": "50 Cent"}, "#"),
    ("${artist:upper}${artist:lower}${artist:capitalise}", {"artist": "aB"}, "ABabAB"),
    ("${artist:title}", {"artist": "R.E.M. and the others"}, "R.E.M. And The Others"),
    ("${artist:replace(/, & )}", {"artist": "AC/DC"}, "AC & DC"),
    ("${artist:shorten(4)}", {"artist": "one two"}, "one"),
    ("${artist:left(2)}${artist:right(2)}", {"artist": "abcdef"}, "abef"),
    ("${artist:ascii}", {"artist": "Björk \u2013 Æsir ßü 東"}, "Bjork - AEsir ssu _"),
    ("${genre:default(None)}", {}, "None"),
    ("${artist:join(; )}", {"artist": ["A", "B"]}, "A; B"),
    ("${artist:value(2)|artist}", {"artist": ["A", "B"]}, "B"),
    ("${artist:value(2)|artist}", {"artist": "A"}, "A"),
    ("${artist:count}", {"artist": ["A", "B"]}, "2"),
    ("${nothing|artist::upper}", {"artist": "a"}, "A"),
    ("${comment:eng:title::upper}", {"comment:eng:title": "x"}, "X"),
    ("a[${if:genre=jazz}!]", {"genre": "Jazz"}, "a!"),
    ("a[${if:genre=jazz}!]", {"genre": "Rock"}, "a"),
    ("a[${if:disc>1}-$disc]", {"discnumber": "2/2"}, "a-2"),
    ("a[${if:disc>1}-$disc]", {"discnumber": "1/2"}, "a"),
    ("a[${if:!genre}?]", {}, "a?"),
    ("a[${if:genre~az}?]", {"genre": "Jazz"}, "a?"),
    ("a[${if:genre!=Jazz}${if:artist}?]", {"artist": "x"}, "a?"),
    ("$ext/$stem/$folder/$filename", {"@path": "/M/Al b/x.y.FLAC"}, "flac/x.y/Al b/x.y"),
    ("$!{originalpath}", {"@path": "/M/Al b/x.y.flac"}, "M/Al b/x.y"),
    ("${mytag:zz}", {"mytag:zz": "x"}, "x"),
    ("$!{directory}", {"@path": "/M/Al b/x.y.flac"}, "M/Al b"),
    ("$stem", {"@path": "/.hidden.flac"}, ".hidden"),
    ("${album artist}", {"albumartist": "X"}, "X"),
]


@pytest.mark.parametrize(("template", "tags", "expected"), NEW)
def test_beyond_the_reference(template: str, tags: Tags, expected: str) -> None:
    """D12: filters, guards, facts about files."""
    assert path(template, tags) == expected + ".flac"


def test_technical_fields() -> None:
    frames = library(
        {}, codec="flac", duration_seconds=245.4, bitrate=912_345, sample_rate=44_100,
        bits_per_sample=16, channels=2,
    )  # fmt: skip
    template = (
        "$codec $format ${duration:clock} $bitrate $samplerate $khz $bits $channels $lossless"
    )
    rendered = CompiledTemplate(template).render(*frames)
    assert rendered["path"].to_list() == ["flac flac 4.05 912 44100 44.1 16 2 1.flac"]


def test_disc_folders_only_where_an_album_has_several() -> None:
    tracks: list[Tags] = [
        {"album": "One", "title": "a", "discnumber": "1"},
        {"album": "Two", "title": "b", "discnumber": "1"},
        {"album": "Two", "title": "c", "discnumber": "02"},
        {"album": "Three", "title": "d", "discnumber": "1/2"},
        {"title": "e", "discnumber": "1"},
        {"title": "f", "discnumber": "2"},
    ]
    template = "$album/[${if:multidisc}Disc $disc/]$title"
    assert paths(template, *tracks) == [
        "One/a.flac", "Two/Disc 1/b.flac", "Two/Disc 02/c.flac", "Three/Disc 1/d.flac",
        "Unknown/e.flac", "Unknown/f.flac",
    ]  # fmt: skip
    assert CompiledTemplate(template).is_album_wide
    assert not CompiledTemplate("$album/$title").is_album_wide


def test_multi_valued_fields_place_a_track_several_times() -> None:
    tracks: list[Tags] = [{"genre": ["Rock", "Pop", "Rock"], "title": "x"}, {"title": "y"}]
    assert paths("${*genre:initial}/${*genre}/$title", *tracks) == [
        "R/Rock/x.flac", "P/Pop/x.flac", "Unknown/Unknown/y.flac",
    ]  # fmt: skip


def test_a_guard_outside_sections_decides_whether_a_track_is_shown() -> None:
    assert paths("${if:genre=Jazz}$title", {"genre": "Jazz", "title": "a"}, {"title": "b"}) == [
        "a.flac",
        None,
    ]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ('a:b<c>"d\\e|f?g*', "a_b_c__d_e_f_g_"),
        ("dots...", "dots"),
        ("con", "con_"),
        ("Aux.b", "Aux_.b"),
        ("COM1", "COM1_"),
        ("console", "console"),
        ("e\u0301", "\u00e9"),
        ("...", "_"),
        (" x ", "x"),
        ("a b.c", "a b.c"),
    ],
)
def test_safe_names(title: str, expected: str) -> None:
    """D11: acceptable to SMB and Windows clients."""
    got = path("$title/$title", {"title": title}, safe_names=True)
    assert got is not None
    folder, leaf = got.split("/")
    assert folder == expected
    assert normalise_path(got) == got
    assert leaf.endswith(".flac")


def test_original_extension_is_served() -> None:
    """D11: the original's extension, the container's usual one if it has none."""
    assert path("$title", {"title": "T", "@path": "/a/b.Ogg"}) == "T.ogg"
    assert path("$title", {"title": "T", "@path": "/a.b/c"}) == "T.flac"
    assert path("$title", {"title": "T", "@path": "/a/.x"}) == "T.flac"


def test_only_needed_tags_are_named() -> None:
    assert CompiledTemplate("$a/${b|c:upper}/[${if:d=1}$e]").tag_keys == set("abcde")
    assert CompiledTemplate("${track:02}").tag_keys == {"track", "tracknumber"}


def test_every_filter_has_a_sentence_and_keeps_null() -> None:
    values = pl.DataFrame({"v": [None]}, schema={"v": pl.String})
    lists = pl.DataFrame({"v": [None]}, schema={"v": pl.List(pl.String)})
    for name, declared in FILTERS.items():
        assert declared.signature.startswith(name)
        assert declared.meaning
        arguments = ("2", "2")[: declared.arguments]
        build = declared.build(arguments)
        frame = lists if declared.takes_all_values else values
        (result,) = frame.select(build(pl.col("v"))).to_series()
        assert result == ("2" if name == "default" else None)


TEXT = st.text(st.sampled_from("ab/.$[]{}|! \x01é"), max_size=6)
PIECE = st.one_of(
    st.sampled_from(["$a", "$b", "${a|b}", "${c}", "$!{a|c}", "$!{b}", "$[", "$]", "/", "x", "$ "]),
)
TEMPLATES = st.recursive(
    st.lists(PIECE, max_size=4).map("".join),
    lambda inner: st.lists(st.one_of(PIECE, inner.map(lambda t: f"[{t}]")), max_size=4).map(
        "".join
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    template=TEMPLATES,
    tags=st.dictionaries(st.sampled_from("abc"), TEXT, max_size=3),
    fallbacks=st.dictionaries(st.sampled_from("abc"), TEXT, max_size=2),
    default=TEXT,
)
def test_m3_equals_the_plain_renderer(
    template: str, tags: dict[str, str], fallbacks: dict[str, str], default: str
) -> None:
    """M3: columns render what the rules say, for any template."""
    expected, missing = render_plain(template, tags, fallbacks=fallbacks, default=default)
    rules = NamingRules(fallbacks=fallbacks, default_fallback=default)
    rendered = CompiledTemplate(template, rules).render(*library(tags))
    assert rendered["path"].to_list() == [expected + ".flac"]
    assert rendered["missing"].to_list() == [missing]


@settings(max_examples=500, deadline=None)
@given(st.text(st.sampled_from("ab$[]{}|!:*=()02 if\x01"), max_size=30))
def test_m4_any_text_parses_or_is_refused(text: str) -> None:
    """M4: nothing but TemplateError comes out of the parser."""
    with contextlib.suppress(TemplateError):
        CompiledTemplate(text)
