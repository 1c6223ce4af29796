"""The WAV and AIFF walkers: lengths that lie, padding that is missing, forms that are refused."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contents import MemoryContent
from support.tracks import source_of

from musefs.index.counters import Counter
from musefs.index.errors import MediaFormatError
from musefs.index.media import aiff, riff
from musefs.index.media.facts import Anatomy, BlockKind, Span
from musefs.mount.formats.layout import read_layout
from musefs.mount.formats.reading import ReadContext
from musefs.mount.formats.synthesise import synthesise

pytestmark = pytest.mark.expected_degradations(Counter.TAG_BLOCKS_DROPPED, Counter.PICTURES_DROPPED)

FMT = struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8)
SOUND = bytes(range(1, 101))
ID3 = b"ID3\x04\0\0\0\0\0\x13PRIV\0\0\0\x09\0\0owner\0abc"


def chunk(name: bytes, body: bytes, length: int = -1, order: str = "<") -> bytes:
    told = struct.pack(order + "I", len(body) if length < 0 else length)
    return name + told + body + b"\0" * (len(body) & 1)


def wave(*chunks: bytes, form: bytes = b"RIFF", length: int = -1) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return form + struct.pack("<I", len(body) if length < 0 else length) + body


def big(name: bytes, body: bytes) -> bytes:
    return chunk(name, body, order=">")


def iff(*chunks: bytes, kind: bytes = b"AIFF") -> bytes:
    body = kind + b"".join(chunks)
    return b"FORM" + struct.pack(">I", len(body)) + body


def read(original: bytes) -> Anatomy:
    walker = aiff if original[:4] == b"FORM" else riff
    return walker.read_anatomy(lambda offset, n: original[offset : offset + n], len(original))


def keys(anatomy: Anatomy) -> list[str]:
    return [block.key for block in anatomy.blocks if block.kind is BlockKind.RIFF_CHUNK]


def served(original: bytes) -> bytes:
    layout = synthesise(source_of(read(original), len(original), {"title": ["x"]}))
    return read_layout(layout, 0, layout.size, ReadContext(MemoryContent(original)))


HEAD = chunk(b"fmt ", FMT)
DATA = chunk(b"data", SOUND)


def test_chunks_keep_their_side_of_the_audio() -> None:
    original = wave(
        chunk(b"JUNK", bytes(9)), chunk(b"bext", b"b" * 11), HEAD, chunk(b"LIST", b"INFOx"), DATA,
        chunk(b"LIST", b"adtlx"), chunk(b"id3 ", ID3), chunk(b"PEAK", b"p"),
    )  # fmt: skip
    anatomy = read(original)
    assert keys(anatomy) == ["bext", "fmt ", "after:LIST", "after:PEAK"]
    assert [b.key for b in anatomy.blocks if b.kind is BlockKind.ID3_FRAME] == ["PRIV"]
    after = served(original)
    assert after.index(b"bext") < after.index(b"fmt ") < after.index(b"id3 ")
    assert after.index(b"id3 ") < after.index(SOUND) < after.index(b"adtl") < after.index(b"PEAK")
    assert read(after).audio.length == len(SOUND)


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF])
def test_a_recording_that_was_cut_off_is_read_to_its_end(length: int) -> None:
    original = wave(HEAD, b"data" + struct.pack("<I", length) + b"\xfe" * 500, length=length)
    assert read(original).audio == Span(44, 500)
    assert int.from_bytes(served(original)[4:8], "little") == len(served(original)) - 8


def test_a_length_beyond_the_end_is_cut() -> None:
    original = wave(HEAD, chunk(b"data", SOUND, 5000), length=9999)
    assert read(original).audio == Span(44, len(SOUND))


def test_an_empty_data_chunk_is_one_if_a_chunk_follows() -> None:
    assert read(wave(HEAD, chunk(b"data", b""), chunk(b"cue ", b"abcd"))).audio.length == 0
    assert read(wave(HEAD, chunk(b"data", b""))).audio.length == 0


def test_missing_padding_is_noticed() -> None:
    odd = b"bext" + struct.pack("<I", 3) + b"abc"
    assert keys(read(wave(odd, HEAD, DATA))) == ["bext", "fmt "]


@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
def test_wide_forms_keep_their_form(form: bytes) -> None:
    lengths = struct.pack("<QQQI", 0, len(SOUND), 777, 0)
    original = wave(
        chunk(b"ds64", lengths), HEAD, chunk(b"data", SOUND, 0xFFFFFFFF), chunk(b"axml", b"<x/>"),
        form=form, length=0xFFFFFFFF,
    )  # fmt: skip
    anatomy = read(original)
    assert keys(anatomy) == ["FORM", "ds64", "fmt ", "after:axml"]
    assert anatomy.audio.length == len(SOUND)
    after = served(original)
    assert after[:8] == form + b"\xff\xff\xff\xff"
    assert struct.unpack_from("<QQQI", after, 20) == (len(after) - 8, len(SOUND), 777, 0)
    assert read(after).audio.length == len(SOUND)


@pytest.mark.parametrize(
    ("original", "words"),
    [
        (b"", "cut off"),
        (b"RIFX" + wave(HEAD, DATA)[4:], "big-endian RIFX"),
        (b"RIFF\0\0\0\0AVI ", "no RIFF/WAVE"),
        (wave(HEAD), "no data chunk"),
        (wave(DATA), "no fmt chunk"),
        (wave(HEAD, DATA, form=b"RF64"), "without a ds64"),
        (wave(*[chunk(b"cue ", b"")] * 5000), "more than 4096 chunks"),
        (iff(big(b"COMM", bytes(18))), "no SSND"),
        (iff(big(b"SSND", SOUND)), "no COMM"),
        (iff(kind=b"8SVX"), "no FORM/AIFF"),
        (b"FORM\0\0", "cut off"),
    ],
)
def test_refusals_name_their_reason(original: bytes, words: str) -> None:
    with pytest.raises(MediaFormatError, match=words):
        read(original)


def test_aiff_chunks_are_carried_and_texts_are_tags() -> None:
    original = iff(
        big(b"FVER", bytes(4)), big(b"COMM", bytes(23)), big(b"NAME", b"old"), big(b"MARK", b"mmm"),
        big(b"SSND", SOUND), big(b"ID3 ", ID3), big(b"INST", bytes(20)), big(b"ANNO", b"old"),
        kind=b"AIFC",
    )  # fmt: skip
    anatomy = read(original)
    assert keys(anatomy) == ["FORM", "FVER", "COMM", "MARK", "after:INST"]
    after = served(original)
    assert after[8:12] == b"AIFC"
    assert b"old" not in after
    assert read(after).audio.length == len(SOUND)
    assert int.from_bytes(after[4:8], "big") == len(after) - 8


@pytest.mark.parametrize("name", ["wav/info.wav", "wav/rf64.wav", "wav/id3.wav", "aiff/id3.aiff"])
def test_little_is_read(name: str, audio_library: Path) -> None:
    original = (audio_library / name).read_bytes()
    count = 0

    def read_at(offset: int, length: int) -> bytes:
        nonlocal count
        count += len(original[offset : offset + length])
        return original[offset : offset + length]

    (aiff if name.startswith("aiff") else riff).read_anatomy(read_at, len(original))
    assert count < 8192


@given(st.data())
def test_any_damage_ends_in_an_anatomy_or_an_error(data: st.DataObject) -> None:
    lengths = struct.pack("<QQQI", 0, len(SOUND), 777, 0)
    whole = bytearray(data.draw(st.sampled_from([
        wave(chunk(b"bext", b"abc"), HEAD, DATA, chunk(b"id3 ", ID3)),
        wave(chunk(b"ds64", lengths), HEAD, chunk(b"data", SOUND, 0xFFFFFFFF), form=b"RF64"),
        iff(big(b"COMM", bytes(18)), big(b"SSND", SOUND), big(b"ID3 ", ID3)),
    ])))  # fmt: skip
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    original = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        anatomy = read(original)
    except MediaFormatError:
        return
    assert anatomy.audio.offset + anatomy.audio.length <= len(original)
    for part in (*anatomy.blocks, *anatomy.pictures):
        for span in part.spans:
            assert 0 <= span.offset <= span.offset + span.length <= len(original)
    layout = synthesise(source_of(anatomy, len(original), {"title": ["x"]}))
    read_layout(layout, 0, layout.size, ReadContext(MemoryContent(original)))


def test_the_first_id3_chunk_is_the_one() -> None:
    anatomy = read(wave(HEAD, DATA, chunk(b"id3 ", ID3), *[chunk(b"ID3 ", ID3)] * 50))
    assert len(anatomy.blocks) == 2
