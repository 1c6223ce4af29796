"""MP4 as served: golden bytes, and real files read back by mutagen, ffmpeg and ffprobe."""

import io
import json
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.mp4 import MP4
from support.contents import MemoryContent
from support.read_back import mp4_tags
from support.tracks import (
    MANY_TAGS,
    Tags,
    any_picture,
    any_tags,
    check_parts,
    decoded_hash,
    serve,
    sizes_of,
    source_of,
)

from musefs.index.counters import Counter, fresh_tally
from musefs.index.edit.vocabulary import freeform_name
from musefs.index.errors import BackingChangedError, MediaFormatError
from musefs.index.media import mp4
from musefs.index.media.facts import Anatomy, AudioFormat, Block, BlockKind, Picture, Span
from musefs.mount.formats.layout import read_layout
from musefs.mount.formats.mp4_keys import Kind, atom_plan
from musefs.mount.formats.reading import ReadContext
from musefs.mount.formats.source import ServedPicture, TrackSource
from musefs.mount.formats.synthesise import synthesise

pytestmark = pytest.mark.expected_degradations(
    Counter.PICTURES_DROPPED, Counter.SERVED_UNTOUCHED, Counter.TAG_BLOCKS_DROPPED
)

NAMES = ("many.m4a", "faststart.m4a", "alac.m4a", "no-tags.m4a", "book.m4b")
BODY = bytes(range(200))


def anatomy_of(original: bytes) -> Anatomy:
    return mp4.read_anatomy(lambda offset, length: original[offset : offset + length],
                            len(original))  # fmt: skip


def small(
    tags: Tags | None = None,
    pictures: tuple[ServedPicture, ...] = (),
    blocks: tuple[Block, ...] = (),
) -> TrackSource:
    anatomy = Anatomy(AudioFormat.MP4, Span(100, 50), blocks)
    return source_of(anatomy, len(BODY), tags or {}, pictures=pictures)


def items_of(tags: Tags) -> bytes:
    """Return the content of ilst in a file that has nothing else."""
    served = serve(small(tags), BODY)
    assert served[4:8] == b"moov"
    assert int.from_bytes(served[:4], "big") == len(served) - 50
    return served[69:-50]


@pytest.mark.parametrize(
    ("tags", "golden"),
    [
        ({"title": ["Song"]}, "0000001c a96e616d 00000014 64617461 00000001 00000000 536f6e67"),
        (
            {"tracknumber": ["3/12"]},
            "00000020 74726b6e 00000018 64617461 0000000000000000 0000 0003 000c 0000",
        ),
        (
            {"discnumber": ["1/2"]},
            "0000001e 6469736b 00000016 64617461 0000000000000000 0000 0001 0002",
        ),
        ({"bpm": ["128"]}, "0000001a 746d706f 00000012 64617461 00000015 00000000 0080"),
    ],
)
def test_golden_items(tags: Tags, golden: str) -> None:
    assert items_of(tags) == bytes.fromhex(golden)


def test_user_data_without_tags_has_61_bytes() -> None:
    assert serve(small(), BODY)[8:-50] == bytes.fromhex(
        "0000003d75647461 000000356d657461 00000000 0000002168646c72 0000000000000000"
        "6d6469726170706c 000000000000000000 00000008696c7374"
    )


@pytest.mark.parametrize("name", NAMES)
def test_real_files_read_back(name: str, audio_library: Path, tmp_path: Path) -> None:
    path = audio_library / "mp4" / name
    original = path.read_bytes()
    anatomy = anatomy_of(original)
    source = source_of(anatomy, len(original), MANY_TAGS)
    layout = synthesise(source)
    served = serve(source, original)
    out = tmp_path / f"served{path.suffix}"
    out.write_bytes(served)

    assert mp4_tags(out) == MANY_TAGS
    before, after = MP4(path), MP4(out)
    assert (after.tags or {}).get("covr") == (before.tags or {}).get("covr")
    assert after.info.length == before.info.length
    assert served.endswith(original[anatomy.audio.offset :][: anatomy.audio.length])
    may_warn = bool(anatomy.pictures)  # a cover is a stream without a timescale to ffmpeg
    assert decoded_hash(out, may_warn=may_warn) == decoded_hash(path, may_warn=True)
    assert chapters_of(out) == chapters_of(path)
    assert sizes_of([source]) == [layout.size] == [len(served)]
    check_parts(layout, ReadContext(MemoryContent(original)), 997)
    read_anywhere(layout_of=source, original=original, served=served)
    again = source_of(anatomy_of(served), len(served), MANY_TAGS)
    assert serve(again, served) == served


def read_anywhere(layout_of: TrackSource, original: bytes, served: bytes) -> None:
    layout, context = synthesise(layout_of), ReadContext(MemoryContent(original))
    places = random.Random(7)
    for _ in range(300):
        offset, length = places.randrange(len(served)), places.randrange(1, 3000)
        assert read_layout(layout, offset, length, context) == served[offset : offset + length]


def chapters_of(path: Path) -> list[object]:
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-show_chapters", "-of", "json", str(path)],
        capture_output=True,
        check=True,
    )
    found = json.loads(done.stdout)["chapters"]
    assert isinstance(found, list)
    return found


def test_the_book_has_its_chapters(audio_library: Path) -> None:
    """Both kinds: Nero's in user data and QuickTime's in a track of their own."""
    path = audio_library / "mp4/book.m4b"
    assert len(chapters_of(path)) == 2
    keys = [(b.kind, b.key) for b in anatomy_of(path.read_bytes()).blocks]
    assert keys.count((BlockKind.MP4_CHUNK_OFFSETS, "stco")) == 2
    assert (BlockKind.MP4_ATOM, "udta") in keys


def test_items_that_are_no_text_are_carried(audio_library: Path, tmp_path: Path) -> None:
    original = (audio_library / "mp4/many.m4a").read_bytes()
    out = tmp_path / "served.m4a"
    tags = {"stik": ["1"], "rtng": ["1"], "compilation": ["1"], "gapless": ["1"], "bpm": ["128"]}
    out.write_bytes(serve(source_of(anatomy_of(original), len(original), tags), original))
    before, after = MP4(audio_library / "mp4/many.m4a").tags, MP4(out).tags
    assert before is not None
    assert after is not None
    for name in ("----:org.example:blob", "stik", "rtng", "cpil", "pgap", "tmpo"):
        assert after[name] == before[name]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"tracknumber": ["3"], "totaltracks": ["12"]}, {"tracknumber": ["3/12"]}),
        ({"tracknumber": ["A1"], "totaltracks": ["12"]},
         {"tracknumber": ["A1"], "totaltracks": ["12"]}),
        ({"tracknumber": ["3", "A1"]}, {"tracknumber": ["3", "A1"]}),
        ({"tracknumber": ["70000"]}, {"tracknumber": ["70000"]}),
        ({"totaltracks": ["12"]}, {"totaltracks": ["12"]}),
        ({"bpm": ["128.5"]}, {"bpm": ["128.5"]}),
        ({"bpm": ["128", "64"]}, {"bpm": ["128", "64"]}),
        ({"compilation": ["yes"]}, {"compilation": ["yes"]}),
        ({"movement": ["2"], "movementtotal": ["4"]}, {"movement": ["2"], "movementtotal": ["4"]}),
        ({"artist": ["A\0B", ""]}, {"artist": ["A\0B", ""]}),
        ({"mood": ["calm", "dark"]}, {"mood": ["calm", "dark"]}),
        ({"unheard of": ["x"]}, {"unheard of": ["x"]}),
    ],
)  # fmt: skip
def test_each_rule(tags: Tags, expected: Tags, audio_library: Path, tmp_path: Path) -> None:
    original = (audio_library / "mp4/no-tags.m4a").read_bytes()
    source = source_of(anatomy_of(original), len(original), tags)
    out = tmp_path / "served.m4a"
    out.write_bytes(serve(source, original))
    assert mp4_tags(out) == expected
    assert sizes_of([source]) == [out.stat().st_size]


def number_tags() -> st.SearchStrategy[Tags]:
    keys = ["tracknumber", "totaltracks", "discnumber", "totaldiscs", "bpm", "compilation",
            "gapless", "movement", "movementtotal", "stik", "plid", "tvsn", "©xyz", "apid",
            "podcast", "narrator"]  # fmt: skip
    values = st.sampled_from(
        ["", "0", "1", "3/12", "3/", "/4", "007", "255", "256", "70000", "99999", "-1", "٣", "1\n",
         "9" * 18, "32768"]
    )  # fmt: skip
    return st.dictionaries(st.sampled_from(keys), st.lists(values, min_size=1, max_size=3))


def any_blocks() -> st.SearchStrategy[tuple[Block, ...]]:
    made = [
        Block(BlockKind.MP4_ATOM, "ftyp", 20, (Span(0, 20),)),
        Block(BlockKind.MP4_ATOM, "moov", 30, (Span(20, 30),)),
        Block(BlockKind.MP4_ATOM, "udta", 7, (Span(20, 7),)),
        Block(BlockKind.MP4_ATOM, "meta", 9, (Span(20, 9),)),
        Block(BlockKind.MP4_ATOM, "top", 9, (Span(20, 9),)),
        Block(BlockKind.MP4_ATOM, "mdat", 8, (Span(92, 8),)),
        Block(BlockKind.MP4_CHUNK_OFFSETS, "stco", 8, (Span(40, 8),)),
        Block(BlockKind.MP4_CHUNK_OFFSETS, "co64", 16, (Span(40, 16),)),
        Block(BlockKind.MP4_TAG, "abcd", 5, (Span(40, 5),)),
        Block(BlockKind.MP4_TAG, "©abc", 5, (Span(40, 5),)),
        Block(BlockKind.MP4_TAG, "----:org:é:x", 5, (Span(40, 5),)),
    ]
    return st.lists(st.sampled_from(made), max_size=8).map(tuple)


@given(
    st.builds(lambda a, b: a | b, any_tags(), number_tags()),
    st.lists(any_picture(BODY), max_size=3),
    any_blocks(),
)
def test_any_tags_have_the_size_of_the_columns(
    tags: Tags, pictures: list[Picture], blocks: tuple[Block, ...]
) -> None:
    source = small(tags, tuple(ServedPicture(picture) for picture in pictures), blocks)
    assert sizes_of([source]) == [synthesise(source).size]


@given(tags=any_tags())
def test_any_tags_read_back(tags: Tags, audio_library: Path) -> None:
    original = (audio_library / "mp4/no-tags.m4a").read_bytes()
    served = serve(source_of(anatomy_of(original), len(original), tags), original)
    found = MP4(io.BytesIO(served)).tags or {}
    wanted: dict[str, list[str]] = {}
    for key in sorted(tags):
        plan = atom_plan(key)
        if plan.kind is Kind.TEXT:
            wanted[plan.atom.decode("latin-1")] = tags[key]
        elif plan.kind is Kind.FREEFORM:
            name = freeform_name(key).encode().decode("latin-1")
            wanted.setdefault(f"----:com.apple.iTunes:{name}", []).extend(tags[key])
    for name, values in wanted.items():
        assert [v if isinstance(v, str) else v.decode() for v in found[name]] == values


@given(any_tags())
def test_any_tags_are_whole_items(tags: Tags) -> None:
    items = items_of(tags)
    offset, values = 0, 0
    while offset < len(items):
        size = int.from_bytes(items[offset : offset + 4], "big")
        values += items[offset : offset + size].count(b"data")
        offset += size
    assert offset == len(items)
    assert values >= sum(len(found) for found in tags.values())


def test_offsets_that_outgrow_32_bits_leave_the_file_as_it_is() -> None:
    """The tables could be made wider, but then every size above them changes: refused, counted."""
    audio_bytes = (1 << 32) - 500
    table = Block(BlockKind.MP4_CHUNK_OFFSETS, "stco", 4, (Span(40, 4),))
    anatomy = Anatomy(AudioFormat.MP4, Span(100, audio_bytes), (table,))
    source = source_of(anatomy, audio_bytes + 100, {"comment": ["x" * 1000]})
    with fresh_tally() as tally:
        assert synthesise(source).is_plain
    assert tally[Counter.SERVED_UNTOUCHED] == 1
    assert sizes_of([source]) == [source.size]
    wide = Block(BlockKind.MP4_CHUNK_OFFSETS, "co64", 8, (Span(40, 8),))
    source = source_of(
        Anatomy(AudioFormat.MP4, Span(100, audio_bytes), (wide,)), audio_bytes + 100,
        {"comment": ["x" * 1000]},
    )  # fmt: skip
    assert not synthesise(source).is_plain
    assert sizes_of([source]) == [synthesise(source).size]


def test_a_table_that_is_none_is_an_error() -> None:
    table = Block(BlockKind.MP4_CHUNK_OFFSETS, "stco", 5, (Span(40, 5),))
    with pytest.raises(MediaFormatError, match=r"^/track: the index has a table"):
        synthesise(small({}, (), (table,)))


def test_a_picture_outside_of_the_original_is_an_error_with_its_path() -> None:
    outside = ServedPicture(Picture(100, (Span(len(BODY) - 50, 100),)))
    with pytest.raises(MediaFormatError, match=r"^/track: bytes .* outside of the original"):
        synthesise(small({}, (outside,)))


def test_an_original_that_became_shorter_is_an_error_and_never_zeros() -> None:
    table = Block(BlockKind.MP4_CHUNK_OFFSETS, "stco", 8, (Span(180, 8),))
    layout = synthesise(small({}, (), (table,)))
    context = ReadContext(MemoryContent(BODY[:181]))
    with pytest.raises(BackingChangedError):
        read_layout(layout, 0, layout.size, context)


def test_an_offset_that_its_table_cannot_hold_is_an_error() -> None:
    """The index says one thing and the original another: an error, not a wrong offset."""
    table = Block(BlockKind.MP4_CHUNK_OFFSETS, "stco", 8, (Span(180, 8),))
    layout = synthesise(small({"title": ["x" * 99]}, (), (table,)))
    context = ReadContext(MemoryContent(BODY[:180] + b"\xff" * 20))
    with pytest.raises(MediaFormatError, match="does not fit"):
        read_layout(layout, 0, layout.size, context)
