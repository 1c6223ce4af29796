"""Layouts: joining, validation, and that any part read equals that part of the whole."""

import base64
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contents import MemoryContent

from musefs.index.counters import Counter
from musefs.index.errors import BackingChangedError, ContentError, MediaFormatError
from musefs.index.media.facts import AudioFormat, Encoding, Span
from musefs.mount.formats.layout import (
    make_layout,
    plain_layout,
    plan_read,
    read_into,
    read_layout,
)
from musefs.mount.formats.reading import DecodedCache, ReadContext
from musefs.mount.formats.segments import (
    Encoded,
    Generated,
    OriginalRange,
    Patched,
    Segment,
    ShiftedOffsets,
    StoredArt,
)
from musefs.mount.formats.source import TrackSource
from musefs.mount.formats.synthesise import structure_only, synthesise

ORIGINAL = bytes(range(256)) * 8


class OneArt:
    """A provider with one picture."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.calls = 0

    def read_art(self, art_hash: str, offset: int, length: int) -> bytes:
        assert art_hash == "abc"
        self.calls += 1
        return self.data[offset : offset + length]


def segments() -> st.SearchStrategy[Segment]:
    ranges = st.builds(OriginalRange, st.integers(0, 1000), st.integers(0, len(ORIGINAL) - 1000))
    return st.one_of(
        ranges,
        st.builds(Generated, st.binary(max_size=30)),
        st.builds(
            lambda length, at, new: Patched(100, length, ((at, new),)),
            st.integers(12, 400),
            st.integers(0, 5),
            st.binary(max_size=6),
        ),
        st.builds(lambda length: StoredArt("abc", length), st.integers(1, 64)),
    )


@given(st.lists(segments(), max_size=8), st.data())
def test_any_part_equals_that_part_of_the_whole(parts: list[Segment], data: st.DataObject) -> None:
    layout = make_layout(parts, len(ORIGINAL))
    context = ReadContext(MemoryContent(ORIGINAL), OneArt(bytes(64)))
    whole = b"".join(part.read(0, part.length, context) for part in parts)
    assert layout.size == len(whole)
    assert read_layout(layout, 0, layout.size + 5, context) == whole
    offset = data.draw(st.integers(0, len(whole) + 3))
    length = data.draw(st.integers(0, len(whole) + 3))
    assert read_layout(layout, offset, length, context) == whole[offset : offset + length]
    buffer = bytearray(length)
    filled = read_into(layout, offset, memoryview(buffer), context)
    assert bytes(buffer[:filled]) == whole[offset : offset + length]


def test_ranges_go_straight_into_the_buffer(tmp_path: Path) -> None:
    path = tmp_path / "original"
    path.write_bytes(ORIGINAL)
    layout = make_layout([Generated(b"head"), OriginalRange(10, 500)], len(ORIGINAL))
    with path.open("rb") as opened:
        content = MemoryContent(ORIGINAL, opened.fileno())
        buffer = bytearray(600)
        assert read_into(layout, 0, memoryview(buffer), ReadContext(content)) == 504
    assert bytes(buffer[:504]) == b"head" + ORIGINAL[10:510]
    assert content.reads == []


def test_plan_names_the_ranges_of_the_original() -> None:
    layout = make_layout([Generated(b"head"), OriginalRange(10, 500)], len(ORIGINAL))
    pieces = plan_read(layout, 2, 100)
    assert [(p.destination, p.offset, p.length) for p in pieces] == [(0, 2, 2), (2, 0, 98)]
    assert pieces[1].segment == OriginalRange(10, 500)


def test_neighbours_are_joined_and_empty_parts_dropped() -> None:
    layout = make_layout(
        [Generated(b""), Generated(b"a"), OriginalRange(3, 0), Generated(b"b"),
         OriginalRange(5, 5), OriginalRange(10, 7)],
        len(ORIGINAL),
    )  # fmt: skip
    assert layout.segments == (Generated(b"ab"), OriginalRange(5, 12))
    assert layout.starts == (0, 2)


def test_structure_only_is_one_range_over_the_original() -> None:
    """M1: the structure-only mode serves the original's bytes verbatim."""
    source = TrackSource("/a.flac", AudioFormat.FLAC, Span(0, 10), len(ORIGINAL))
    layout = structure_only(source)
    assert layout.is_plain
    assert layout.segments == (OriginalRange(0, len(ORIGINAL)),)
    context = ReadContext(MemoryContent(ORIGINAL))
    assert read_layout(layout, 0, layout.size, context) == ORIGINAL


def test_formats_without_a_synthesiser_are_plain() -> None:
    """M1: what cannot be synthesised is served as it is."""
    source = TrackSource("/a.mka", AudioFormat.MATROSKA, Span(0, 10), len(ORIGINAL))
    assert synthesise(source).is_plain


def test_an_empty_original_has_an_empty_layout() -> None:
    layout = plain_layout(0)
    assert (layout.size, layout.is_plain, plan_read(layout, 0, 10)) == (0, True, [])


def test_only_layouts_with_added_pictures_use_the_index() -> None:
    """M20, M21: a layout without added pictures never asks the provider on a read."""
    art = OneArt(b"picture!")
    context = ReadContext(MemoryContent(ORIGINAL), art)
    without = make_layout([Generated(b"x"), OriginalRange(0, 9)], len(ORIGINAL))
    read_layout(without, 0, without.size, context)
    assert (without.uses_art, art.calls) == (False, 0)
    with_art = make_layout([Generated(b"x"), StoredArt("abc", 8)], len(ORIGINAL))
    assert read_layout(with_art, 3, 3, context) == b"ctu"
    assert (with_art.uses_art, art.calls) == (True, 1)


@pytest.mark.parametrize(
    "bad",
    [
        OriginalRange(0, len(ORIGINAL) + 1),
        OriginalRange(-1, 4),
        Encoded((Span(len(ORIGINAL) - 2, 8),), Encoding.BASE64, 0, 6),
        StoredArt("abc", -3),
        StoredArt("abc", 1 << 63),
    ],
)
def test_ranges_outside_of_the_original_are_refused(bad: Segment) -> None:
    with pytest.raises(MediaFormatError):
        make_layout([Generated(b"x"), bad], len(ORIGINAL))


def test_a_truncated_original_is_noticed(tmp_path: Path) -> None:
    layout = make_layout([Generated(b"x"), OriginalRange(10, 500)], len(ORIGINAL))
    context = ReadContext(MemoryContent(ORIGINAL[:300]))
    with pytest.raises(BackingChangedError, match="ends at byte 300"):
        read_layout(layout, 0, 600, context)
    short = tmp_path / "short"
    short.write_bytes(ORIGINAL[:300])
    with short.open("rb") as opened:
        on_disk = ReadContext(MemoryContent(ORIGINAL, opened.fileno()))
        with pytest.raises(BackingChangedError, match="ends at byte 300"):
            read_into(layout, 0, memoryview(bytearray(600)), on_disk)


def test_a_stored_picture_that_is_gone_or_short_is_an_error() -> None:
    layout = make_layout([StoredArt("abc", 8)], 0)
    with pytest.raises(ContentError, match="no stored picture abc"):
        read_layout(layout, 0, 8, ReadContext(MemoryContent(b"")))
    with pytest.raises(MediaFormatError, match="has not 8 bytes"):
        read_layout(layout, 0, 8, ReadContext(MemoryContent(b""), OneArt(b"1234")))


@given(st.binary(min_size=1, max_size=300), st.data())
def test_base64_is_decoded_where_asked(body: bytes, data: st.DataObject) -> None:
    text = base64.b64encode(body)
    cut = data.draw(st.integers(0, len(text)))
    original = text[:cut] + b"PAGEHEADER" + text[cut:]
    spans = (Span(0, cut), Span(cut + 10, len(text) - cut))
    skip = data.draw(st.integers(0, len(body) - 1))
    segment = Encoded(spans, Encoding.BASE64, skip, len(body) - skip)
    context = ReadContext(MemoryContent(original))
    offset = data.draw(st.integers(0, segment.length - 1))
    length = data.draw(st.integers(1, segment.length - offset))
    assert segment.read(offset, length, context) == body[skip:][offset : offset + length]


@given(st.binary(min_size=1, max_size=300), st.sampled_from(list(Encoding)[2:]))
def test_whole_bodies_are_decoded_once(body: bytes, encoding: Encoding) -> None:
    stored = body if encoding is Encoding.UNSYNC else zlib.compress(body)
    if encoding is not Encoding.ZLIB:
        stored = stored.replace(b"\xff", b"\xff\x00")
    segment = Encoded((Span(0, len(stored)),), encoding, 0, len(body))
    content = MemoryContent(stored)
    context = ReadContext(content)
    assert b"".join(segment.read(i, 1, context) for i in range(len(body))) == body
    assert len(content.reads) == 1


def test_a_bomb_is_not_inflated() -> None:
    stored = zlib.compress(bytes(50_000_000))
    segment = Encoded((Span(0, len(stored)),), Encoding.ZLIB, 0, 1000)
    assert segment.read(0, 1000, ReadContext(MemoryContent(stored))) == bytes(1000)
    huge = Encoded((Span(0, len(stored)),), Encoding.ZLIB, 0, 65 << 20)
    with pytest.raises(MediaFormatError, match="too large to decode"):
        huge.read(0, 1, ReadContext(MemoryContent(stored)))


def test_damaged_encodings_are_errors() -> None:
    for encoding in (Encoding.ZLIB, Encoding.UNSYNC):
        segment = Encoded((Span(0, 5),), encoding, 0, 9)
        with pytest.raises(MediaFormatError):
            segment.read(0, 9, ReadContext(MemoryContent(b"\x01!!!!")))


@pytest.mark.expected_degradations(Counter.PICTURES_DROPPED)
@given(st.binary(min_size=1, max_size=90), st.data())
def test_damaged_base64_costs_only_the_groups_it_is_in(body: bytes, data: st.DataObject) -> None:
    text = bytearray(base64.b64encode(body))
    damaged = data.draw(st.sets(st.integers(0, len(text) - 1), min_size=1, max_size=4))
    for at in damaged:
        text[at] = data.draw(st.sampled_from(b"\n=\0\xff-"))
    context = ReadContext(MemoryContent(bytes(text)))
    segment = Encoded((Span(0, len(text)),), Encoding.BASE64, 0, len(body))
    whole = segment.read(0, len(body), context)
    assert len(whole) == len(body)
    groups = {at // 4 for at in damaged}
    for at, (was, now) in enumerate(zip(body, whole, strict=True)):
        assert was == now or at // 3 in groups
        assert segment.read(at, 1, context)[0] == now


@pytest.mark.parametrize("width", [4, 8])
def test_chunk_offsets_are_shifted(width: int) -> None:
    entries = [0, 5, 1000, 70_000, (1 << 32) - 200]
    stored = b"".join(entry.to_bytes(width, "big") for entry in entries)
    wanted = b"".join((entry + 100).to_bytes(width, "big") for entry in entries)
    segment = ShiftedOffsets(3, len(stored), width, 100)
    context = ReadContext(MemoryContent(b"xxx" + stored))
    for offset in range(len(stored)):
        for length in (1, 3, len(stored) - offset):
            take = min(length, len(stored) - offset)
            assert segment.read(offset, take, context) == wanted[offset : offset + take]


def test_a_chunk_offset_that_does_not_fit_is_an_error() -> None:
    context = ReadContext(MemoryContent(b"\xff\xff\xff\xff"))
    with pytest.raises(MediaFormatError, match="32 bits"):
        ShiftedOffsets(0, 4, 4, 1).read(0, 4, context)


def test_decoded_bytes_are_bounded() -> None:
    """M33: the cache of decoded bytes has a budget, and says its hits, misses, entries, bytes."""
    cache = DecodedCache(limit_bytes=25)
    for key in ("a", "b", "c"):
        cache.get(key, lambda: bytes(10))
    cache.get("c", lambda: pytest.fail("kept"))
    cache.get("huge", lambda: bytes(26))
    assert cache.statistics() == {
        "hits": 1, "misses": 4, "entries": 2, "bytes": 20, "limit_bytes": 25,
    }  # fmt: skip
    assert cache.get("a", lambda: b"again") == b"again"
