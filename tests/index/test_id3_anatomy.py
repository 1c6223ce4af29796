"""The ID3 and MPEG walkers: every way to store a frame, served again as v2.4; hostile bytes."""

import io
import random
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.id3 import CHAP, ID3, TIT2
from support.contents import MemoryContent
from support.tracks import Tags, source_of

from musefs.index.counters import Counter, fresh_tally
from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Anatomy, Block, Encoding
from musefs.index.media.mpeg import find_first_frame, frame_length, read_anatomy
from musefs.mount.formats.layout import read_layout
from musefs.mount.formats.reading import ReadContext
from musefs.mount.formats.synthesise import synthesise

pytestmark = pytest.mark.expected_degradations(Counter.TAG_BLOCKS_DROPPED, Counter.PICTURES_DROPPED)

FRAME = b"\xff\xfb\x90\x00" + bytes(413)
"""An MPEG-1 layer 3 frame of 128 kbit/s at 44.1 kHz."""
AUDIO = FRAME * 3
PICTURE = b"\xff\xd8\xff\xe0" + bytes([0xFF, 0x00, 0xFF, 0xE1]) * 20 + b"\xff\xd9"


def synchsafe(size: int) -> bytes:
    return bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))


def tag(version: int, body: bytes, flags: int = 0, *, footer: bool = False) -> bytes:
    size = synchsafe(len(body))
    if not footer:
        return b"ID3" + bytes((version, 0, flags)) + size + body
    flags |= 0x10
    end = b"3DI" + bytes((version, 0, flags)) + size
    return b"ID3" + bytes((version, 0, flags)) + size + body + end


def frame_24(name: bytes, body: bytes, flags: int = 0, prefix: bytes = b"") -> bytes:
    stored = prefix + body
    return name + synchsafe(len(stored)) + bytes((0, flags)) + stored


def frame_23(name: bytes, body: bytes, flags: int = 0, prefix: bytes = b"") -> bytes:
    stored = prefix + body
    return name + len(stored).to_bytes(4, "big") + bytes((0, flags)) + stored


def frame_22(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(3, "big") + body


def stuffed(data: bytes) -> bytes:
    return data.replace(b"\xff", b"\xff\x00")


def read(original: bytes) -> Anatomy:
    return read_anatomy(lambda offset, length: original[offset : offset + length], len(original))


def served(original: bytes, tags: Tags | None = None) -> bytes:
    layout = synthesise(source_of(read(original), len(original), tags or {}))
    return read_layout(layout, 0, layout.size, ReadContext(MemoryContent(original)))


def read_back(original: bytes) -> ID3:
    return ID3(io.BytesIO(served(original)), translate=False)


APIC = b"\x00image/jpeg\x00\x03front\x00" + PICTURE
PRIV = b"owner\x00" + bytes([0xFF, 0xFF, 0x00, 0xFF]) * 30

STORED = {
    "2.2": tag(2, frame_22(b"PIC", b"\x00JPG\x03front\x00" + PICTURE)),
    "2.3": tag(3, frame_23(b"APIC", APIC) + frame_23(b"PRIV", PRIV)),
    "2.4": tag(4, frame_24(b"APIC", APIC) + frame_24(b"PRIV", PRIV)),
    "2.3 unsynchronised": tag(
        3, stuffed(frame_23(b"APIC", APIC) + frame_23(b"PRIV", PRIV)), 0x80
    ),
    "2.2 unsynchronised": tag(
        2, stuffed(frame_22(b"PIC", b"\x00JPG\x03front\x00" + PICTURE)), 0x80
    ),
    "2.4 unsynchronised frames": tag(
        4, frame_24(b"APIC", stuffed(APIC), 2) + frame_24(b"PRIV", stuffed(PRIV), 2)
    ),
    "2.4 unsynchronised with lengths": tag(
        4,
        frame_24(b"APIC", stuffed(APIC), 3, synchsafe(len(APIC)))
        + frame_24(b"PRIV", stuffed(PRIV), 3, synchsafe(len(PRIV))),
        0x80,
    ),
    "2.4 compressed": tag(
        4,
        frame_24(b"APIC", zlib.compress(APIC), 9, synchsafe(len(APIC)))
        + frame_24(b"PRIV", zlib.compress(PRIV), 9, synchsafe(len(PRIV))),
    ),
    "2.3 compressed": tag(
        3,
        frame_23(b"APIC", zlib.compress(APIC), 0x80, len(APIC).to_bytes(4, "big"))
        + frame_23(b"PRIV", zlib.compress(PRIV), 0x80, len(PRIV).to_bytes(4, "big")),
    ),
    "2.4 compressed and unsynchronised": tag(
        4,
        frame_24(b"APIC", stuffed(zlib.compress(APIC)), 11, synchsafe(len(APIC)))
        + frame_24(b"PRIV", stuffed(zlib.compress(PRIV)), 11, synchsafe(len(PRIV))),
    ),
    "2.4 with group bytes": tag(
        4, frame_24(b"APIC", APIC, 0x40, b"g") + frame_24(b"PRIV", PRIV, 0x40, b"g")
    ),
    "2.3 with group bytes": tag(
        3, frame_23(b"APIC", APIC, 0x20, b"g") + frame_23(b"PRIV", PRIV, 0x20, b"g")
    ),
    "2.4 with an extended header": tag(
        4, synchsafe(6) + b"\x01\x00" + frame_24(b"APIC", APIC) + frame_24(b"PRIV", PRIV), 0x40
    ),
    "2.3 with an extended header": tag(
        3,
        (6).to_bytes(4, "big") + bytes(6) + frame_23(b"APIC", APIC) + frame_23(b"PRIV", PRIV),
        0x40,
    ),
    "2.4 with a footer": tag(
        4, frame_24(b"APIC", APIC) + frame_24(b"PRIV", PRIV), footer=True
    ),
    "2.4 with padding": tag(4, frame_24(b"APIC", APIC) + frame_24(b"PRIV", PRIV) + bytes(500)),
    "2.4 with the sizes of 2.3": tag(
        4, frame_23(b"TIT2", b"\x03" + b"x" * 199) + frame_23(b"APIC", APIC)
        + frame_23(b"PRIV", PRIV)
    ),
    "two tags": tag(3, frame_23(b"APIC", APIC)) + tag(4, frame_24(b"PRIV", PRIV)),
    "zeros behind the tag": tag(4, frame_24(b"APIC", APIC) + frame_24(b"PRIV", PRIV)) + bytes(999),
}  # fmt: skip


@pytest.mark.parametrize("name", STORED)
def test_every_way_to_store_a_frame(name: str) -> None:
    original = STORED[name] + AUDIO
    anatomy = read(original)
    assert (anatomy.audio.offset, anatomy.audio.length) == (len(STORED[name]), len(AUDIO))
    back = read_back(original)
    (picture,) = back.getall("APIC")
    assert (picture.type, picture.mime, picture.desc) == (3, "image/jpeg", "front")
    assert picture.data == PICTURE
    if "2.2" not in name:
        (private,) = back.getall("PRIV")
        assert (private.owner + "\0").encode() + private.data == PRIV
    assert served(original).endswith(AUDIO)


def test_a_tag_at_the_end_is_read_and_no_audio() -> None:
    original = AUDIO + tag(4, frame_24(b"PRIV", PRIV), footer=True) + b"TAG" + bytes(125)
    anatomy = read(original)
    assert anatomy.audio.length == len(AUDIO)
    assert [block.key for block in anatomy.blocks] == ["PRIV"]


def test_names_of_22_become_those_of_24() -> None:
    body = frame_22(b"WAR", b"http://a.example") + frame_22(b"POP", b"me\0\x40\x00\x05")
    body += frame_22(b"CNT", b"\0\0\0\x09") + frame_22(b"UFI", b"owner\0id")
    original = tag(2, body + frame_22(b"LNK", b"TT2x\0") + frame_22(b"XYZ", b"a")) + AUDIO
    with fresh_tally() as tally:
        anatomy = read(original)
    assert [block.key for block in anatomy.blocks] == ["WOAR", "rating", "PCNT", "UFID"]
    assert tally[Counter.TAG_BLOCKS_DROPPED] == 2
    assert block_of(anatomy, "rating").body == b"me\0\x40\x00\x00\x00\x05"


def block_of(anatomy: Anatomy, key: str) -> Block:
    return next(block for block in anatomy.blocks if block.key == key)


def test_text_is_left_to_the_readers_of_tags() -> None:
    names = (b"TIT2", b"TXXX", b"COMM", b"USLT", b"TIPL", b"SEEK", b"ASPI")
    mine = frame_24(b"UFID", b"http://musicbrainz.org\0abc")
    original = tag(4, b"".join(frame_24(n, b"\x00XXXa\0b") for n in names) + mine) + AUDIO
    assert read(original).blocks == ()


def test_encrypted_frames_keep_their_flags_and_bytes() -> None:
    in_24 = frame_24(b"GEOB", b"secret", 0x45, b"gm" + synchsafe(90))
    in_23 = frame_23(b"GEOB", b"secret", 0xE0, (90).to_bytes(4, "big") + b"mg")
    for original in (tag(4, in_24), tag(3, in_23)):
        (block,) = read(original + AUDIO).blocks
        flags = 0x45 if original[3] == 4 else 0x4D
        assert block.key == f"GEOB:{flags:02x}"
        assert block.body == b"gm" + synchsafe(90) + b"secret"
        assert (
            served(original + AUDIO)[10:30]
            == frame_24(b"GEOB", b"secret", flags, b"gm" + synchsafe(90))[:20]
        )


def test_chapters_of_23_are_converted() -> None:
    title = frame_23(b"TIT2", b"\x00" + b"T" * 200)
    chapter = b"c1\0" + bytes(4) + (5000).to_bytes(4, "big") + bytes(8) + title
    contents = b"toc\0\x03\x01c1\0" + title
    original = tag(3, frame_23(b"CHAP", chapter) + frame_23(b"CTOC", contents)) + AUDIO
    back = read_back(original)
    (found,) = back.getall("CHAP")
    assert found == CHAP(
        element_id="c1", start_time=0, end_time=5000, start_offset=0xFFFFFFFF,
        end_offset=0xFFFFFFFF, sub_frames=[TIT2(encoding=0, text=["T" * 200])],
    )  # fmt: skip
    assert back.getall("CTOC")[0].sub_frames["TIT2"].text == ["T" * 200]


@pytest.mark.parametrize(
    "name", ["v24-many", "v23-date", "chapters", "large-picture", "unsync", "v22", "ape-and-id3"]
)
def test_pictures_are_not_read(name: str, audio_library: Path) -> None:
    original = (audio_library / "mp3" / f"{name}.mp3").read_bytes()
    count = 0

    def read_at(offset: int, length: int) -> bytes:
        nonlocal count
        count += len(original[offset : offset + length])
        return original[offset : offset + length]

    anatomy = read_anatomy(read_at, len(original))
    assert count < 8192
    assert frame_length(original[anatomy.audio.offset :][:4])


def test_junk_before_the_first_frame_is_no_audio() -> None:
    junk = b"\xff\xfb\x90\x00" + b"\xff" * 500 + b"\xff\xe2\x00"
    assert read(tag(4, b"") + junk + AUDIO).audio.length == len(AUDIO)


def test_a_free_format_stream_is_audio_right_behind_the_tag() -> None:
    free = b"\xff\xfb\x00\x00" + bytes(300)
    assert read(tag(4, b"") + free).audio.offset == 10


@pytest.mark.parametrize("original", [b"", b"ID3", bytes(100), tag(4, b"") + b"fLaC" + bytes(80)])
def test_what_has_no_frame_is_an_error(original: bytes) -> None:
    with pytest.raises(MediaFormatError, match="no MPEG audio frame"):
        read(original)


def test_the_search_for_a_frame_is_bounded() -> None:
    count = 0

    def read_at(_offset: int, length: int) -> bytes:
        nonlocal count
        count += 1
        return b"\xff\xfb\x90\x00" * (length // 4)

    with pytest.raises(MediaFormatError):
        find_first_frame(lambda _o, length: bytes(length), 0, 1 << 40)
    find_first_frame(read_at, 0, 1 << 40)
    assert count < 10


@given(st.data())
def test_any_damage_ends_in_an_anatomy_or_an_error(data: st.DataObject) -> None:
    whole = bytearray(STORED[data.draw(st.sampled_from(sorted(STORED)))] + AUDIO)
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    original = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        anatomy = read(original)
    except MediaFormatError:
        return
    check_within(anatomy, len(original))
    layout = synthesise(source_of(anatomy, len(original), {"title": ["x"]}))
    read_layout(layout, 0, layout.size, ReadContext(MemoryContent(original)))


def check_within(anatomy: Anatomy, size: int) -> None:
    assert 0 <= anatomy.audio.offset <= anatomy.audio.offset + anatomy.audio.length <= size
    for part in (*anatomy.blocks, *anatomy.pictures):
        for span in part.spans:
            assert 0 <= span.offset <= span.offset + span.length <= size
        if part.encoding is Encoding.RAW and part.spans:
            assert part.length == sum(span.length for span in part.spans)


@given(st.binary(max_size=300), st.sampled_from([2, 3, 4]), st.integers(0, 255))
def test_any_bytes_as_a_tag(noise: bytes, version: int, flags: int) -> None:
    original = tag(version, noise, flags) + (noise[:10] if flags & 0x10 else b"") + AUDIO
    try:
        check_within(read(original), len(original))
    except MediaFormatError:
        return


def test_thousands_of_frames_are_bounded() -> None:
    body = frame_24(b"WXXX", b"\0a\0b") * 20_000
    anatomy = read(tag(4, body) + AUDIO)
    assert len(anatomy.blocks) == 4096


def test_read_places_do_not_matter() -> None:
    """Encoded frames read in any order and part give the same bytes."""
    original = STORED["2.3 unsynchronised"] + AUDIO
    layout = synthesise(source_of(read(original), len(original), {}))
    context, whole = ReadContext(MemoryContent(original)), served(original)
    places = random.Random(3)
    for _ in range(300):
        offset, length = places.randrange(len(whole)), places.randrange(1, 200)
        assert read_layout(layout, offset, length, context) == whole[offset : offset + length]


def test_frames_that_unpack_to_much_are_bounded() -> None:
    """Sixteen kilobytes that stand for sixteen megabytes, a thousand times: two are believed."""
    bomb = zlib.compress(bytes((16 << 20) - 1), 9)
    frame = frame_24(b"PRIV", bomb, 9, synchsafe((16 << 20) - 1))
    with fresh_tally() as tally:
        anatomy = read(tag(4, frame * 1000) + AUDIO)
    assert len(anatomy.blocks) == 2
    assert tally[Counter.TAG_BLOCKS_DROPPED] == 998
