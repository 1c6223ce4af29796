"""The FLAC walker: equal to mutagen on real files, bounded, and firm on damage."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.flac import FLAC, Picture
from support.contents import MemoryContent

from musefs.index.counters import Counter, fresh_tally
from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Anatomy
from musefs.index.media.flac import read_anatomy
from musefs.index.media.foreign_tags import trim_trailing_tags
from musefs.mount.formats.layout import make_layout, read_layout
from musefs.mount.formats.reading import ReadContext
from musefs.mount.formats.source import ServedPicture

STREAMINFO = b"\x00\x00\x00\x22" + bytes(34)
ID3 = b"ID3\x04\x00\x00\x00\x00\x00\x05hello"
TAG_V1 = b"TAG" + bytes(125)


def ape(items: bytes, *, header: bool) -> bytes:
    size = (32 + len(items)).to_bytes(4, "little")
    rest = size + bytes(4) + (0x80000000 if header else 0).to_bytes(4, "little") + bytes(8)
    footer = b"APETAGEX" + (2000).to_bytes(4, "little") + rest
    return (footer if header else b"") + items + footer


def read(original: bytes) -> Anatomy:
    return read_anatomy(lambda offset, length: original[offset : offset + length], len(original))


class CountingReader:
    """A positioned reader that knows how much was asked of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read_bytes = 0

    def __call__(self, offset: int, length: int) -> bytes:
        self.read_bytes += length
        return self.data[offset : offset + length]


@pytest.mark.parametrize(
    "name", ["many-tags", "no-tags", "large-picture", "blocks", "leading-id3", "hires", "mono"]
)
def test_walker_agrees_with_mutagen(name: str, audio_library: Path) -> None:
    path = audio_library / "flac" / f"{name}.flac"
    original = path.read_bytes()
    reader = CountingReader(original)
    anatomy = read_anatomy(reader, len(original))
    oracle = FLAC(path)
    assert reader.read_bytes < 4096
    carried = [(str(b.code), b.write()) for b in oracle.metadata_blocks if b.code not in (1, 4, 6)]
    assert [(b.key, original[b.spans[0].offset :][: b.length]) for b in anatomy.blocks] == carried
    assert [original[p.spans[0].offset :][: p.length] for p in anatomy.pictures] == [
        p.data for p in oracle.pictures
    ]
    assert [(p.mime, p.description, p.picture_type, p.width) for p in anatomy.pictures] == [
        (p.mime, p.desc, p.type, p.width) for p in oracle.pictures
    ]
    assert original[anatomy.audio.offset :][:2] in (b"\xff\xf8", b"\xff\xf9")


@pytest.mark.parametrize(
    "tail",
    [
        TAG_V1,
        ape(b"items", header=True),
        ape(b"items", header=False) + TAG_V1,
        b"LYRICSBEGINwords" + b"000016LYRICS200" + TAG_V1,
        b"3DI"[::-1] + b"\x04\x00\x10\x00\x00\x00\x02xx" + b"3DI\x04\x00\x10\x00\x00\x00\x02",
    ],
)
def test_tags_around_the_audio_are_not_audio(tail: bytes) -> None:
    front = ID3 + ID3 + b"fLaC\x80" + STREAMINFO[1:]
    audio = b"\xff\xf8" + b"a" * 300
    anatomy = read(front + audio + tail)
    assert (anatomy.audio.offset, anatomy.audio.length) == (len(front), len(audio))


def test_a_tail_never_reaches_into_the_metadata() -> None:
    claims_too_much = ape(b"", header=False).replace(b"\x20\x00\x00\x00", b"\xff\xff\xff\x00", 1)
    original = b"fLaC\x80" + STREAMINFO[1:] + b"aa" + claims_too_much
    assert read(original).audio.length == 2 + 32
    data = b"x" * 10 + TAG_V1
    assert trim_trailing_tags(lambda o, n: data[o : o + n], 100, len(data)) == len(data)


@pytest.mark.parametrize(
    "original",
    [
        b"",
        b"fLaC",
        b"fLaC\x80\x00\x00\x22" + bytes(10),
        b"fLaC" + STREAMINFO + b"\x81\x00\x00\x10abc",
        b"fLaC" + STREAMINFO + b"\xff\x00\x00\x00",
        b"fLaC\x84\x00\x00\x00",
        b"fLaC" + STREAMINFO + b"\x80" + STREAMINFO[1:],
        b"fLaC\x80\x00\x00\x21" + bytes(33),
        b"fLaC" + STREAMINFO + b"\x01\x00\x00\x00" * 9000,
    ],
)
def test_damage_is_an_error(original: bytes) -> None:
    with pytest.raises(MediaFormatError):
        read(original)


@pytest.mark.expected_degradations(Counter.PICTURES_DROPPED)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(31),
        bytes(4) + b"\xff\xff\xff\xff" + bytes(40),
        bytes(8) + b"\x7f\xff\xff\xff" + bytes(40),
        bytes(32),
        bytes(28) + b"\x00\x00\x00\x09" + b"12345678",
    ],
)
def test_a_broken_picture_costs_only_itself(body: bytes) -> None:
    block = b"\x86" + len(body).to_bytes(3, "big") + body
    with fresh_tally() as tally:
        anatomy = read(b"fLaC" + STREAMINFO + block + b"audio")
    assert anatomy.pictures == ()
    assert anatomy.audio.length == 5
    assert tally[Counter.PICTURES_DROPPED] == 1


@pytest.mark.parametrize("filler", [0, 9000])
def test_pictures_that_stand_among_the_tags_are_found(filler: int) -> None:
    """Mutagen calls them tags; they are served as pictures, and never lost."""
    made = Picture()
    made.data, made.mime, made.type = b"image bytes", "image/png", 4
    jpeg = b"\xff\xd8\xff" + b"jpeg" * 9
    entries = [
        b"TITLE=" + b"x" * filler,
        b"metadata_block_picture=" + base64.b64encode(made.write()),
        b"COVERART=" + base64.b64encode(jpeg),
        b"COVERARTMIME=image/jpeg",
    ]
    body = bytes(4) + len(entries).to_bytes(4, "little")
    body += b"".join(len(entry).to_bytes(4, "little") + entry for entry in entries)
    block = b"\x84" + len(body).to_bytes(3, "big") + body
    original = b"fLaC" + STREAMINFO + block + b"audio"
    pictures = [ServedPicture(picture) for picture in read(original).pictures]
    assert [(p.picture.mime, p.picture.picture_type) for p in pictures] == [
        ("image/png", 4),
        ("image/jpeg", 3),
    ]
    context = ReadContext(MemoryContent(original))
    served = [make_layout(p.segments(), len(original)) for p in pictures]
    assert [read_layout(layout, 0, 99, context) for layout in served] == [b"image bytes", jpeg]


@pytest.mark.expected_degradations(Counter.TAG_BLOCKS_DROPPED)
def test_a_broken_comment_costs_no_picture_and_no_audio() -> None:
    block = b"\x84\x00\x00\x20" + b"\xff" * 9 + b"COVERART=" + b"\xff" * 14
    with fresh_tally() as tally:
        anatomy = read(b"fLaC" + STREAMINFO + block + b"audio")
    assert anatomy.audio.length == 5
    assert tally[Counter.TAG_BLOCKS_DROPPED] == 1


@given(st.binary(max_size=120))
def test_any_bytes_end_in_an_anatomy_or_an_error(noise: bytes) -> None:
    for original in (noise, b"fLaC" + STREAMINFO + noise):
        try:
            anatomy = read(original)
        except MediaFormatError:
            continue
        assert 0 <= anatomy.audio.offset <= anatomy.audio.offset + anatomy.audio.length
        assert anatomy.audio.offset + anatomy.audio.length <= len(original)
