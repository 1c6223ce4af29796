"""MP3 as served: golden bytes, and real files read back by mutagen and ffmpeg."""

import io
import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.id3 import ID3
from support.contents import MemoryContent
from support.read_back import id3_tags
from support.tracks import (
    MANY_TAGS,
    Tags,
    any_picture,
    any_tags,
    check_parts,
    columns_of,
    decoded_hash,
    serve,
    sizes_of,
    source_of,
)

from musefs.index.counters import Counter, fresh_tally
from musefs.index.edit.vocabulary import txxx_description
from musefs.index.errors import BackingChangedError, MediaFormatError
from musefs.index.media import mpeg
from musefs.index.media.facts import Anatomy, AudioFormat, Block, BlockKind, Picture, Span
from musefs.mount.formats.columns import LibraryColumns
from musefs.mount.formats.id3_keys import clean, frame_plan
from musefs.mount.formats.layout import read_layout
from musefs.mount.formats.reading import ReadContext
from musefs.mount.formats.sizes import served_sizes
from musefs.mount.formats.source import ServedPicture, TrackSource
from musefs.mount.formats.synthesise import synthesise

pytestmark = pytest.mark.expected_degradations(
    Counter.TAG_TEXT_REPAIRED, Counter.PICTURES_DROPPED, Counter.SERVED_UNTOUCHED
)

NAMES = (
    "v24-many", "v23-date", "v22", "v1-only", "ape-and-id3", "unsync", "chapters",
    "large-picture", "no-tags", "lame",
)  # fmt: skip
AUDIO = b"\xff\xfbaudio of some length, all that the tests need"


def anatomy_of(original: bytes) -> Anatomy:
    return mpeg.read_anatomy(lambda offset, length: original[offset : offset + length],
                             len(original))  # fmt: skip


def small(
    tags: Tags | None = None,
    pictures: tuple[ServedPicture, ...] = (),
    blocks: tuple[Block, ...] = (),
) -> TrackSource:
    anatomy = Anatomy(AudioFormat.MP3, Span(0, len(AUDIO)), blocks)
    return source_of(anatomy, len(AUDIO), tags or {}, pictures=pictures)


def tag_of(served: bytes) -> bytes:
    assert served.endswith(AUDIO)
    return served[: -len(AUDIO)]


@pytest.mark.parametrize(
    ("tags", "golden"),
    [
        ({}, "4944330400000000 0000"),
        (
            {"artist": ["Alice", "Bob"], "title": ["Song"]},
            "49443304000000000023 54504531 0000000a 0000 03 416c69636500426f62"
            "54495432 00000005 0000 03 536f6e67",
        ),
        ({"comment": ["hi"]}, "49443304000000000011 434f4d4d 00000007 0000 03 585858 00 6869"),
        (
            {"rating": ["196"], "playcount": ["7"]},
            "49443304000000000010 504f504d 00000006 0000 00 c4 00000007",
        ),
        (
            {"mixer": ["Al"], "performer": ["Bo (sax)"], "producer": ["Al", "Cy"]},
            "4944330400000000003c 5449504c 00000020 0000 03 6d697800416c00"
            "70726f647563657200416c00 70726f6475636572004379 00"
            "544d434c 00000008 0000 03 73617800426f00",
        ),
    ],
)
def test_golden_tags(tags: Tags, golden: str) -> None:
    assert tag_of(serve(small(tags), AUDIO)) == bytes.fromhex(golden)


@pytest.mark.parametrize("name", NAMES)
def test_real_files_read_back(name: str, audio_library: Path, tmp_path: Path) -> None:
    path = audio_library / "mp3" / f"{name}.mp3"
    original = path.read_bytes()
    anatomy = anatomy_of(original)
    source = source_of(anatomy, len(original), MANY_TAGS)
    layout = synthesise(source)
    served = serve(source, original)
    out = tmp_path / "served.mp3"
    out.write_bytes(served)

    assert id3_tags(out) == MANY_TAGS
    assert sorted_pictures(out) == sorted_pictures(path)
    assert served.endswith(original[anatomy.audio.offset :][: anatomy.audio.length])
    assert decoded_hash(out, may_warn=True) == decoded_hash(path, may_warn=True)
    assert sizes_of([source]) == [layout.size] == [len(served)]
    check_parts(layout, ReadContext(MemoryContent(original)), 997)
    read_anywhere(source, original, served)
    again = anatomy_of(served)
    assert again.audio == Span(len(served) - anatomy.audio.length, anatomy.audio.length)


def read_anywhere(source: TrackSource, original: bytes, served: bytes) -> None:
    layout = synthesise(source)
    context = ReadContext(MemoryContent(original))
    places = random.Random(7)
    for _ in range(200):
        offset, length = places.randrange(len(served)), places.randrange(1, 5000)
        assert read_layout(layout, offset, length, context) == served[offset : offset + length]


def sorted_pictures(path: Path) -> list[tuple[object, ...]]:
    try:
        found = ID3(path).getall("APIC")
    except Exception:  # noqa: BLE001 - mutagen raises a class of its own for a file without a tag
        return []
    return [(p.type, p.mime, p.desc, p.data) for p in found]


def test_frames_that_are_no_text_are_carried(audio_library: Path, tmp_path: Path) -> None:
    path = audio_library / "mp3/v24-many.mp3"
    original = path.read_bytes()
    tags = {"rating": ["200"], "playcount": ["9"], "title": ["x"]}
    out = tmp_path / "served.mp3"
    out.write_bytes(serve(source_of(anatomy_of(original), len(original), tags), original))
    before, after = ID3(path), ID3(out)
    for name in ("PRIV", "GEOB", "SYLT", "WOAR"):
        assert [f._writeData() for f in after.getall(name)] == [
            f._writeData() for f in before.getall(name)
        ]
    (rating,) = after.getall("POPM")
    assert (rating.email, rating.rating, rating.count) == ("someone@example.org", 200, 9)
    assert not after.getall("UFID")


def test_chapters_stay(audio_library: Path, tmp_path: Path) -> None:
    path = audio_library / "mp3/chapters.mp3"
    original = path.read_bytes()
    out = tmp_path / "served.mp3"
    out.write_bytes(serve(source_of(anatomy_of(original), len(original), MANY_TAGS), original))
    for name in ("CHAP", "CTOC"):
        assert ID3(out).getall(name) == ID3(path).getall(name)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"tracknumber": ["3"], "totaltracks": ["12"]}, {"tracknumber": ["3/12"]}),
        (
            {"tracknumber": ["3/12"], "totaltracks": ["12"]},
            {"tracknumber": ["3/12"], "totaltracks": ["12"]},
        ),
        ({"totaldiscs": ["2"]}, {"totaldiscs": ["2"]}),
        ({"rating": ["five stars"]}, {"rating": ["five stars"]}),
        ({"rating": ["300"], "playcount": ["4"]}, {"rating": ["300"], "playcount": ["4"]}),
        ({"playcount": ["4"]}, {"playcount": ["4"]}),
        ({"playcount": ["0"], "rating": ["1"]}, {"rating": ["1"]}),
        ({"artist": ["A\0B"]}, {"artist": ["A", "B"]}),
        ({"comment": ["A\0B"]}, {"comment": ["A B"]}),
        ({"x\0y": ["1"]}, {"x y": ["1"]}),
        ({"artist": ["A", ""]}, {"artist": ["A", ""]}),
        ({"artist": [""]}, {"artist": [""]}),
        ({"comment:eng:mine": ["a"], "comment": ["b"]},
         {"comment:eng:mine": ["a"], "comment": ["b"]}),
        ({"lyrics": ["one", "two"]}, {"lyrics": ["one\ntwo"]}),
        ({"musicbrainz_trackid": ["f3e9b6e4"]}, {"musicbrainz_trackid": ["f3e9b6e4"]}),
        ({"musicbrainz_trackid": ["é"]}, {"musicbrainz_trackid": ["é"]}),
        ({"movementname": ["I"], "movement": ["1"], "movementtotal": ["4"]},
         {"movementname": ["I"], "movement": ["1/4"]}),
        ({"podcasturl": ["http://x.example"]}, {"podcasturl": ["http://x.example"]}),
        ({"podcast": ["1"]}, {"podcast": ["1"]}),
        ({"unheard of": ["x"] * 3}, {"unheard of": ["x"] * 3}),
        ({"djmixer": ["Ænima"], "producer": ["Ø", "", "Ø"], "writer": ["W"]},
         {"djmixer": ["Ænima"], "producer": ["Ø", "", "Ø"], "writer": ["W"]}),
        ({"producer": [""]}, {"producer": [""]}),
        ({"producer": ["A\0B"]}, {"producer": ["A B"]}),
        ({"performer": ["Bo", "Cy (bass (fretless))", "Di (x) (y)"]},
         {"performer": ["Bo", "Cy (bass (fretless))", "Di (x) (y)"]}),
        ({"performer": ["", "Bo (日本 flute)"]}, {"performer": ["", "Bo (日本 flute)"]}),
        ({"performer": ["(x)", "A ()", " (x)", "A (x", "A (x))", "A (x)\n"]},
         {"performer": ["(x)", "A ()", " (x)", "A (x", "A (x))", "A (x)\n"]}),
        ({"performer": ["A\0B (x)"]}, {"performer": ["A", "B (x)"]}),
    ],
)  # fmt: skip
def test_each_rule(tags: Tags, expected: Tags) -> None:
    source = small(tags)
    served = serve(source, AUDIO)
    assert id3_tags(ID3(io.BytesIO(served))) == expected
    assert sizes_of([source]) == [len(served)]


def blocks_of_every_kind() -> st.SearchStrategy[tuple[Block, ...]]:
    body = b"someone\0\xc4\0\0\0\7"
    made = [
        Block(BlockKind.ID3_FRAME, "rating", len(body), body=body),
        Block(BlockKind.ID3_FRAME, "POPM", 10, (Span(3, 10),)),
        Block(BlockKind.ID3_FRAME, "PCNT", 4, (Span(1, 4),)),
        Block(BlockKind.ID3_FRAME, "MVNM", 4, (Span(1, 4),)),
        Block(BlockKind.ID3_FRAME, "PRIV", 20, (Span(1, 20),)),
        Block(BlockKind.ID3_FRAME, "GEOB:04", 20, (Span(1, 20),)),
    ]
    return st.lists(st.sampled_from(made), max_size=5).map(tuple)


def special_tags() -> st.SearchStrategy[Tags]:
    keys = ["rating", "playcount", "tracknumber", "totaltracks", "discnumber", "totaldiscs",
            "podcast", "musicbrainz_trackid", "movementname", "movement", "movementtotal", "date",
            "comment", "lyrics", "comment:eng:x", "performer", "producer", "mixer"]  # fmt: skip
    values = st.sampled_from(["", "0", "1", "5/9", "007", "255", "256", "-1", "٣", "a\0b", "x\n",
                              "é (ü)", "a (b (c))", "a (b\0c)", "a (b)\n"])  # fmt: skip
    return st.dictionaries(st.sampled_from(keys), st.lists(values, min_size=1, max_size=3))


@given(
    st.builds(lambda a, b: a | b, any_tags(), special_tags()),
    st.lists(any_picture(AUDIO), max_size=3),
    blocks_of_every_kind(),
)
def test_any_tags_have_the_size_of_the_columns_and_read_back(
    tags: Tags, pictures: list[Picture], blocks: tuple[Block, ...]
) -> None:
    source = small(tags, tuple(ServedPicture(picture) for picture in pictures), blocks)
    layout = synthesise(source)
    served = read_layout(layout, 0, layout.size, ReadContext(MemoryContent(AUDIO)))
    assert sizes_of([source]) == [layout.size] == [len(served)]
    assert frame_ids(tag_of(served)).count("APIC") == sum(p.length > 0 for p in pictures)


def frame_ids(tag: bytes) -> list[str]:
    """Walk the frames by the letter of the standard; they must fill the tag exactly."""
    offset, found = 10, []
    assert size_at(tag, 6) == len(tag) - 10
    while offset < len(tag):
        found.append(tag[offset : offset + 4].decode("ascii"))
        offset += 10 + size_at(tag, offset + 4)
    assert offset == len(tag)
    return found


def size_at(tag: bytes, offset: int) -> int:
    assert max(tag[offset : offset + 4]) < 128
    return int("".join(f"{byte:07b}" for byte in tag[offset : offset + 4]), 2)


@given(any_tags())
def test_any_tags_read_back(tags: Tags) -> None:
    """Every value of every key arrives; NUL is a border between values, as ID3 has it."""
    served = serve(small(tags), AUDIO)
    found = ID3(io.BytesIO(served), translate=False) if tags else {}
    wanted: dict[str, list[str]] = {}
    for key, values in tags.items():
        plan = frame_plan(key)
        name = plan.frame_id.decode("ascii")
        if name == "TXXX":
            name += ":" + clean(txxx_description(key))
        wanted.setdefault(name, []).extend("\0".join(values).split("\0"))
    for name, values in wanted.items():
        if name.startswith(("TD", "WFED")):  # mutagen shows what it understood of a date
            continue
        texts = [str(text) for text in found[name].text]
        assert set(texts) | {""} == set(values) | {""}
        if name in ("TIT2", "TPE1"):
            assert "\0".join(texts).rstrip("\0") == "\0".join(values).rstrip("\0")


def test_a_nul_in_a_value_is_counted_and_never_an_error() -> None:
    with fresh_tally() as tally:
        serve(small({"artist": ["A\0B"], "title": ["fine"]}), AUDIO)
    assert tally[Counter.TAG_TEXT_REPAIRED] == 1


def test_a_tag_too_large_is_counted_and_the_file_served_as_it_is() -> None:
    """M1: never an error for the reader, never a broken file."""
    original_bytes = 1 << 30
    pictures = tuple(ServedPicture(Picture(0x0FFF_FF00, (Span(0, 0x0FFF_FF00),))) for _ in range(2))
    source = TrackSource("/track", AudioFormat.MP3, Span(0, 10), original_bytes, pictures=pictures)
    with fresh_tally() as tally:
        layout = synthesise(source)
    assert layout.is_plain
    assert tally[Counter.SERVED_UNTOUCHED] == 1
    assert sizes_of([source]) == [layout.size]


def test_a_picture_outside_of_the_original_is_an_error_with_its_path() -> None:
    outside = ServedPicture(Picture(100, (Span(len(AUDIO) - 50, 100),)))
    with pytest.raises(MediaFormatError, match=r"^/track: bytes .* outside of the original"):
        synthesise(small({}, (outside,)))


def test_an_original_that_became_shorter_is_an_error_and_never_zeros() -> None:
    """The fault that a mount meets when somebody writes to the original."""
    source = small({"title": ["x"]})
    layout = synthesise(source)
    context = ReadContext(MemoryContent(AUDIO[:-5]))
    assert read_layout(layout, 0, layout.size - 5, context)
    with pytest.raises(BackingChangedError):
        read_layout(layout, 0, layout.size, context)


def test_keys_of_categories_cost_the_same() -> None:
    """The loader of the index gives categories where tests give text."""
    source = small({**MANY_TAGS, "rating": ["9"], "movementname": ["I"]})
    columns = columns_of([source])
    categories = LibraryColumns(
        columns.tracks,
        columns.tags.with_columns(pl.col("key").cast(pl.Categorical)),
        columns.blocks.with_columns(pl.col("kind", "key").cast(pl.Categorical)),
        columns.art,
    )
    assert served_sizes(categories).to_list() == [synthesise(source).size]
