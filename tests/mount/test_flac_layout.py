"""FLAC as served: golden bytes, and real files read back by mutagen, ffmpeg and flac itself."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.flac import FLAC
from support.contents import MemoryContent
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
from musefs.index.errors import MediaFormatError
from musefs.index.media import flac as walker
from musefs.index.media.facts import Anatomy, AudioFormat, Block, BlockKind, Picture, Span
from musefs.mount.formats.layout import read_layout
from musefs.mount.formats.reading import ReadContext
from musefs.mount.formats.source import ServedPicture, TrackSource
from musefs.mount.formats.synthesise import synthesise

NAMES = ("many-tags", "no-tags", "large-picture", "blocks", "leading-id3", "hires", "mono")
STREAMINFO = bytes(range(34))
SMALL = b"fLaC" + b"\x80\x00\x00\x22" + STREAMINFO + b"\xff\xf8audio"


def anatomy_of(original: bytes) -> Anatomy:
    return walker.read_anatomy(lambda offset, length: original[offset : offset + length],
                               len(original))  # fmt: skip


def small_source(tags: Tags | None = None, pictures: tuple[ServedPicture, ...] = ()) -> TrackSource:
    return source_of(anatomy_of(SMALL), len(SMALL), tags or {}, pictures=pictures)


def test_a_file_without_tags_has_sixty_bytes_before_its_audio() -> None:
    served = serve(small_source(), SMALL)
    assert served[:42] == b"fLaC\x00\x00\x00\x22" + STREAMINFO
    assert served[42:60] == bytes.fromhex("8400000e 06000000 6d7573656673 00000000")
    assert served[60:] == b"\xff\xf8audio"


def test_blocks_are_ordered_and_only_the_last_is_marked() -> None:
    seek, cue, app = b"s" * 18, b"c" * 9, b"appl"
    original = b"xxxx" + seek + cue + app + STREAMINFO + b"PICTURE" + b"frames"
    at = {}
    for name in (seek, cue, app, STREAMINFO, b"PICTURE", b"frames"):
        at[name] = Span(original.index(name), len(name))

    def block(key: str, body: bytes) -> Block:
        return Block(BlockKind.FLAC_BLOCK, key, len(body), (at[body],), body=body)

    anatomy = Anatomy(
        AudioFormat.FLAC,
        at[b"frames"],
        (block("5", cue), block("3", seek), block("2", app), block("0", STREAMINFO)),
        (Picture(7, (at[b"PICTURE"],), mime="image/png", description="d", width=3, height=4),),
    )
    served = serve(source_of(anatomy, len(original), {"title": ["x"]}), original)
    kinds = []
    offset = 4
    while True:
        kinds.append(served[offset])
        offset += 4 + int.from_bytes(served[offset + 1 : offset + 4], "big")
        if kinds[-1] & 0x80:
            break
    assert kinds == [0, 3, 4, 5, 2, 0x86]
    assert served[offset:] == b"frames"
    assert served[offset - 7 : offset] == b"PICTURE"


@pytest.mark.parametrize("name", NAMES)
def test_real_files_read_back(name: str, audio_library: Path, tmp_path: Path) -> None:
    path = audio_library / "flac" / f"{name}.flac"
    original = path.read_bytes()
    anatomy = anatomy_of(original)
    source = source_of(anatomy, len(original), MANY_TAGS)
    layout = synthesise(source)
    served = serve(source, original)
    out = tmp_path / "served.flac"
    out.write_bytes(served)

    back = FLAC(out)
    assert back.tags is not None
    assert {key: back[key] for key in back} == MANY_TAGS
    assert back.tags.vendor == "musefs"
    assert [_facts(p) for p in back.pictures] == [_facts(p) for p in FLAC(path).pictures]
    audio = original[anatomy.audio.offset :][: anatomy.audio.length]
    assert served.endswith(audio)
    assert decoded_hash(out) == decoded_hash(path, may_warn=True)
    subprocess.run(["flac", "-t", "-s", "-w", str(out)], check=True, capture_output=True)
    assert sizes_of([source]) == [layout.size] == [len(served)]
    check_parts(layout, ReadContext(MemoryContent(original)), 997)
    assert serve(source, original) == served


def test_every_block_that_is_not_text_is_carried(audio_library: Path, tmp_path: Path) -> None:
    original = (audio_library / "flac/blocks.flac").read_bytes()
    out = tmp_path / "served.flac"
    out.write_bytes(serve(source_of(anatomy_of(original), len(original), MANY_TAGS), original))
    before = {b.code: b.write() for b in FLAC(audio_library / "flac/blocks.flac").metadata_blocks}
    after = {b.code: b.write() for b in FLAC(out).metadata_blocks}
    assert set(before) - {1} == set(after)
    assert {code: body for code, body in before.items() if code not in (1, 4)} == {
        code: body for code, body in after.items() if code != 4
    }


def test_a_probe_of_the_head_needs_one_read_of_the_original(audio_library: Path) -> None:
    """The head, with STREAMINFO and SEEKTABLE, is one range; the comment comes from memory."""
    original = (audio_library / "flac/many-tags.flac").read_bytes()
    layout = synthesise(source_of(anatomy_of(original), len(original), MANY_TAGS, pictures=[]))
    content = MemoryContent(original)
    read_layout(layout, 0, 400, ReadContext(content))
    assert len(content.reads) == 1


@pytest.mark.expected_degradations(Counter.PICTURES_DROPPED, Counter.TAG_VALUES_DROPPED)
@given(any_tags(), st.lists(any_picture(SMALL), max_size=3))
def test_any_tags_read_back_and_have_the_size_of_the_columns(
    tags: Tags, pictures: list[Picture]
) -> None:
    source = small_source(tags, tuple(ServedPicture(picture) for picture in pictures))
    with fresh_tally() as tally:
        layout = synthesise(source)
    served = read_layout(layout, 0, layout.size, ReadContext(MemoryContent(SMALL)))
    assert sizes_of([source]) == [layout.size] == [len(served)]
    assert served.endswith(b"\xff\xf8audio")
    wanted, dropped = split_valid(tags)
    assert tally[Counter.TAG_VALUES_DROPPED] == dropped
    assert comment_entries(served) == wanted


def split_valid(tags: Tags) -> tuple[list[str], int]:
    wanted: list[str] = []
    dropped = 0
    for key in sorted(tags):
        if key and all(0x20 <= ord(c) <= 0x7D and c != "=" for c in key):
            wanted += [f"{key.upper()}={value}" for value in tags[key]]
        else:
            dropped += len(tags[key])
    return wanted, dropped


def comment_entries(served: bytes) -> list[str]:
    assert served[42] & 0x7F == 4
    offset = 46 + 10
    entries = []
    for _ in range(int.from_bytes(served[offset : offset + 4], "little")):
        length = int.from_bytes(served[offset + 4 : offset + 8], "little")
        entries.append(served[offset + 8 : offset + 8 + length].decode())
        offset += 4 + length
    return entries


@pytest.mark.expected_degradations(Counter.SERVED_UNTOUCHED)
def test_tags_too_large_for_the_format_are_counted_and_the_file_served_as_it_is() -> None:
    """M1: never an error for the reader, never a broken file."""
    source = small_source({"comment": ["x" * (1 << 24)]})
    with fresh_tally() as tally:
        layout = synthesise(source)
    assert layout.is_plain
    assert tally[Counter.SERVED_UNTOUCHED] == 1
    assert sizes_of([source]) == [layout.size] == [len(SMALL)]


@pytest.mark.expected_degradations(Counter.PICTURES_DROPPED)
def test_an_added_picture_too_large_for_a_block_is_dropped_and_counted() -> None:
    huge = ServedPicture(Picture(1 << 24, ()), art_hash="abc")
    fits = ServedPicture(Picture((1 << 24) - 1 - 32 - len("image/jpeg"), ()), art_hash="abc")
    source = small_source({}, (huge, fits))
    with fresh_tally() as tally:
        layout = synthesise(source)
    assert tally[Counter.PICTURES_DROPPED] == 1
    assert sizes_of([source]) == [layout.size]
    assert layout.uses_art


def test_art_outside_of_the_original_is_an_error_with_its_path() -> None:
    outside = ServedPicture(Picture(100, (Span(len(SMALL) - 50, 100),)))
    with pytest.raises(MediaFormatError, match=r"^/track: bytes .* outside of the original"):
        synthesise(small_source({}, (outside,)))


def test_an_index_without_streaminfo_is_an_error() -> None:
    source = TrackSource("/track", AudioFormat.FLAC, Span(0, 4), len(SMALL))
    with pytest.raises(MediaFormatError, match="STREAMINFO"):
        synthesise(source)


def _facts(picture: object) -> tuple[object, ...]:
    names = ("type", "mime", "desc", "width", "height", "depth", "colors", "data")
    return tuple(getattr(picture, name) for name in names)
