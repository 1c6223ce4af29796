"""Hostile and damaged files: every limit holds, reading stays bounded, nothing crashes."""

import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.readings import CountingBytes, words

from musefs.index.counters import Counter, fresh_tally
from musefs.index.errors import MusefsError
from musefs.pipeline.tag import limits
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.formats import EXTENSIONS
from musefs.pipeline.tag.media import Reading, read_media
from musefs.pipeline.tag.text import from_latin1, from_utf8, from_utf16
from musefs.pipeline.tag.vorbis_comments import read_comments

DROPPED = Counter.TAG_VALUES_DROPPED.value
REPAIRED = Counter.TAG_TEXT_REPAIRED.value
STREAM = struct.pack(">HH", 4096, 4096) + bytes(6) + (
    (44100 << 44) | (1 << 41) | (15 << 36) | 44100
).to_bytes(8) + bytes(16)  # fmt: skip

ROAD = "\u0414\u043e\u0440\u043e\u0433\u0430"

quiet = pytest.mark.expected_degradations(*Counter)


def flac(*blocks: tuple[int, bytes], audio: bytes = b"\xff\xf8" + bytes(6000)) -> bytes:
    parts = [(0, STREAM), *blocks]
    body = b"".join(
        bytes([kind | (128 if n == len(parts) - 1 else 0)]) + len(data).to_bytes(3) + data
        for n, (kind, data) in enumerate(parts)
    )
    return b"fLaC" + body + audio


def comments(*entries: bytes, count: int | None = None) -> bytes:
    number = len(entries) if count is None else count
    body = b"".join(struct.pack("<I", len(entry)) + entry for entry in entries)
    return struct.pack("<I", 0) + struct.pack("<I", number) + body


def id3(*frames: bytes, version: int = 4, flags: int = 0) -> bytes:
    body = b"".join(frames)
    size = bytes((len(body) >> shift) & 127 for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([version, 0, flags]) + size + body


def frame(name: bytes, content: bytes, flags: int = 0, size: int | None = None) -> bytes:
    length = len(content) if size is None else size
    safe = bytes((length >> shift) & 127 for shift in (21, 14, 7, 0))
    return name + safe + struct.pack(">H", flags) + content


MP3_FRAME = bytes.fromhex("fffb9000") + bytes(413)
MP3 = MP3_FRAME * 20


def read(data: bytes, extension: str) -> tuple[Reading, CountingBytes]:
    counting = CountingBytes(data)
    return read_media(counting.read_at, len(data), extension), counting


def notes(reading: Reading) -> list[str]:
    return [counter for counter, _ in reading.facts.notes]


def test_a_value_over_the_limit_costs_only_itself() -> None:
    """Tag value 262 144 bytes (limits.MAX_VALUE_BYTES)."""
    long = b"LYRICS=" + b"x" * (limits.MAX_VALUE_BYTES + 300)
    reading, counting = read(flac((4, comments(b"TITLE=a", long, b"ARTIST=b"))), "flac")
    assert words(reading) == {"title": ["a"], "artist": ["b"]}
    assert notes(reading) == [DROPPED]
    assert counting.bytes_read < 64 * 1024, "what is too long is not read either"
    kept = b"LYRICS=" + b"y" * limits.MAX_VALUE_BYTES
    reading, _ = read(flac((4, comments(kept))), "flac")
    assert len(words(reading)["lyrics"][0]) == limits.MAX_VALUE_BYTES


def test_a_name_over_the_limit_costs_only_its_value() -> None:
    name = b"N" * (limits.MAX_KEY_CHARACTERS + 1)
    reading, _ = read(flac((4, comments(name + b"=x", b"TITLE=a"))), "flac")
    assert words(reading) == {"title": ["a"]}
    assert notes(reading) == [DROPPED]


def test_values_beyond_the_count_are_dropped() -> None:
    many = [b"A=%d" % n for n in range(limits.MAX_VALUES + 50)]
    reading, _ = read(flac((4, comments(*many))), "flac")
    assert len(reading.facts.tags) == limits.MAX_VALUES
    assert len(notes(reading)) == 50


def test_all_text_of_a_file_is_bounded() -> None:
    tags = Collected()
    for _ in range(40):
        tags.add("lyrics", "z" * (limits.MAX_VALUE_BYTES // 2))
    assert sum(len(value) for _, value in tags.pairs) <= limits.MAX_TAG_TEXT_BYTES
    assert 0 < len(tags.notes) <= limits.MAX_NOTES


def test_notes_are_bounded() -> None:
    tags = Collected()
    for number in range(10 * limits.MAX_NOTES):
        tags.drop(str(number))
    assert len(tags.notes) == limits.MAX_NOTES


def test_a_billion_comments_are_not_walked() -> None:
    """The count is forged; the block ends first."""
    reading, counting = read(flac((4, comments(b"TITLE=a", count=1_000_000_000))), "flac")
    assert words(reading) == {"title": ["a"]}
    assert DROPPED in notes(reading)
    assert counting.bytes_read < 32 * 1024
    tags = Collected()
    empty = comments(*[b""] * (limits.MAX_ITEMS_WALKED + 10))
    read_comments(lambda at, size: empty[at : at + size], len(empty), tags)
    assert any("of which" in text for _, text in tags.notes)


@quiet
def test_a_picture_that_claims_all_the_world() -> None:
    """A picture of 4 GiB inside a block of 16 MiB inside a file of 7 KiB."""
    picture = struct.pack(">II", 3, 10) + b"image/jpeg" + struct.pack(">IIIIII", 0, 1, 1, 1, 0, 2**32 - 1)  # fmt: skip  # noqa: E501
    reading, counting = read(flac((6, picture), (4, comments(b"TITLE=a"))), "flac")
    assert words(reading) == {"title": ["a"]}
    assert reading.facts.anatomy.pictures == ()
    assert counting.bytes_read < 32 * 1024


@pytest.mark.parametrize("megabytes", [1, 8, 15])
def test_pictures_are_not_read(megabytes: int) -> None:
    """Below 32 KiB a file however large its pictures."""
    size = megabytes << 20
    head = struct.pack(">II", 3, 10) + b"image/jpeg" + struct.pack(">IIIIII", 0, 1, 1, 1, 0, size)
    in_flac = flac((6, head + bytes(size)), (4, comments(b"TITLE=a")))
    apic = frame(b"APIC", b"\0image/jpeg\0\3\0" + b"\xfe" * size)
    in_mp3 = id3(frame(b"TIT2", b"\3a"), apic, frame(b"TALB", b"\3b")) + MP3
    for data, extension in ((in_flac, "flac"), (in_mp3, "mp3")):
        reading, counting = read(data, extension)
        assert words(reading)["title"] == ["a"]
        assert len(reading.facts.anatomy.pictures) == 1
        assert counting.bytes_read < 32 * 1024, extension


@quiet
def test_frames_that_lie_about_their_size() -> None:
    huge = frame(b"TIT2", b"\3short", size=2**28 - 1)
    reading, counting = read(id3(frame(b"TPE1", b"\3who"), huge) + MP3, "mp3")
    assert words(reading)["artist"] == ["who"]
    assert counting.bytes_read < 64 * 1024
    long = frame(b"TIT2", b"\3" + b"t" * (5 * limits.MAX_VALUE_BYTES))
    reading, _ = read(id3(long, frame(b"TPE1", b"\3who")) + MP3, "mp3")
    assert words(reading) == {"artist": ["who"]}
    assert DROPPED in notes(reading)


@quiet
def test_a_zip_bomb_is_no_title() -> None:
    bomb = zlib.compress(b"\3" + bytes(64 << 20))
    content = (64 << 20 & 0x7F7F7F7F).to_bytes(4) + bomb
    reading, _ = read(id3(frame(b"TIT2", content, 0x09), frame(b"TPE1", b"\3who")) + MP3, "mp3")
    assert words(reading) == {"artist": ["who"]}


def test_compressed_and_grouped_frames_are_read() -> None:
    content = (6).to_bytes(4) + zlib.compress(b"\3hello")
    grouped = b"\x07\3world"
    tag = id3(frame(b"TIT2", content, 0x09), frame(b"TPE1", grouped, 0x40))
    reading, _ = read(tag + MP3, "mp3")
    assert words(reading) == {"title": ["hello"], "artist": ["world"]}


def atom(name: bytes, body: bytes = b"", size: int | None = None) -> bytes:
    return (8 + len(body) if size is None else size).to_bytes(4) + name + body


@quiet
def test_nested_atoms_end_somewhere() -> None:
    nest = b""
    for _ in range(2000):
        nest = atom(b"moov", nest)
    with pytest.raises(MusefsError):
        read(atom(b"ftyp", b"M4A ") + nest, "m4a")
    many = atom(b"ftyp", b"M4A ") + atom(b"free") * 300_000
    with pytest.raises(MusefsError):
        read(many, "m4a")


@quiet
def test_a_matroska_nest_ends_somewhere() -> None:
    nest = b"\x45\xa3\x81A" + b"\x44\x87\x81b"
    for _ in range(100):
        nest = b"\x67\xc8\x08" + len(nest).to_bytes(7)[3:] + nest
    data = b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67\x01" + bytes(7) + nest
    with pytest.raises(MusefsError):
        read(data, "mka")


@quiet
def test_an_ape_tag_of_four_billion_items() -> None:
    footer = struct.pack("<8sIIII8x", b"APETAGEX", 2000, 32 + 15, 2**32 - 1, 0)
    item = struct.pack("<II", 1, 0) + b"Title\0a"
    reading, counting = read(MP3 + item + footer, "mp3")
    assert words(reading) == {"title": ["a"]}
    assert counting.bytes_read < 64 * 1024


def test_text_in_wrong_encodings_stays_readable() -> None:
    """Issue 4: kept readable and counted."""
    tags = Collected()
    assert from_utf8("Motörhead".encode("cp1252"), tags) == "Motörhead"
    assert from_latin1("Björk".encode(), tags) == "Björk"
    quoted = "\u2018quoted\u2019 \u20ac"
    assert from_latin1(quoted.encode("cp1252"), tags) == quoted
    assert from_utf16(b"\xff\xfea\0\x00\xd8b\0", tags).startswith("a")
    assert [counter for counter, _ in tags.notes] == [REPAIRED] * 4
    clean = Collected()
    assert from_latin1("Motörhead".encode("latin-1"), clean) == "Motörhead"
    assert from_utf16(ROAD.encode("utf-16"), clean) == ROAD
    assert from_utf16(ROAD.encode("utf-16-be"), clean, "utf-16-be") == ROAD
    assert clean.notes == []


def test_no_value_has_a_nul() -> None:
    """A NUL inside a value would make every served tag of the file invalid."""
    reading, _ = read(flac((4, comments(b"TITLE=a\0b"))), "flac")
    assert words(reading) == {"title": ["a b"]}
    assert notes(reading) == [REPAIRED]


def test_dates_genres_and_slashes() -> None:
    """Rows of issue 4: TYER and TDAT are a date, numbers are genres, AC/DC is one artist."""
    texts = ((b"TYER", b"1999"), (b"TDAT", b"0104"), (b"TCON", b"(17)(4)Odd!"), (b"TPE1", b"AC/DC"))
    tag = id3(*(frame(name, bytes(1) + text) for name, text in texts), version=3)
    reading, _ = read(tag + MP3, "mp3")
    assert words(reading) == {
        "date": ["1999-04-01"],
        "genre": ["Rock", "Disco", "Odd!"],
        "artist": ["AC/DC"],
    }


def test_a_second_list_of_people_keeps_roles_and_people_together() -> None:
    """One of each kind is legal; taggers that write a frame a person lose nobody."""
    lists = (b"producer\0Al\0mix\0Bo", b"producer\0Bo\0lost", b"producer\0Al\0mix\0Bo\0")
    for written, producers in ((lists, ["Al", "Bo", "Al"]), (lists[::2], ["Al"])):
        frames = [frame(b"TIPL", b"\3" + people) for people in written]
        found = words(read(id3(*frames) + MP3, "mp3")[0])
        assert found["producer"] == producers
        assert set(found["mixer"]) == {"Bo"}


def test_several_tags_fill_each_other_in_their_order() -> None:
    """ID3v2 before APEv2 before ID3v1."""
    v1 = b"TAG" + b"one".ljust(30, b"\0") + b"v1 artist".ljust(30, b"\0")
    v1 += b"v1 album".ljust(30, b"\0") + b"1990" + bytes(30) + b"\x11"
    item = struct.pack("<II", 5, 0) + b"Title\0two a" + struct.pack("<II", 5, 0) + b"Artist\0two b"
    ape = item + struct.pack("<8sIIII8x", b"APETAGEX", 2000, 32 + len(item), 2, 0)
    reading, _ = read(id3(frame(b"TIT2", b"\3three")) + MP3 + ape + v1, "mp3")
    assert words(reading) == {
        "title": ["three"],
        "artist": ["two b"],
        "album": ["v1 album"],
        "date": ["1990"],
        "genre": ["Rock"],
    }


FIXTURES = (
    "flac/many-tags.flac", "mp3/v24-many.mp3", "mp3/unsync.mp3", "mp3/chapters.mp3",
    "mp3/ape-and-id3.mp3", "mp4/many.m4a", "mp4/book.m4b", "ogg/many.ogg", "ogg/flac.oga",
    "opus/many.opus", "ogg/speex.spx", "wav/info.wav", "wav/id3.wav", "wav/rf64.wav",
    "aiff/id3.aiff", "other/wavpack.wv", "other/musepack.mpc", "other/monkeys.ape",
    "other/trueaudio.tta", "other/windows.wma", "other/dolby.ac3", "other/stream.aac",
    "other/matroska.mka", "other/sony.dsf", "other/philips.dff",
)  # fmt: skip


@quiet
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("name", FIXTURES)
def test_damage_anywhere_is_an_error_or_a_reading(
    name: str, audio_library: Path, data: st.DataObject
) -> None:
    """Bytes changed, cut or inserted near the tags: no other exception, no unbounded reading."""
    whole = bytearray((audio_library / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        edge = data.draw(st.sampled_from(["front", "back"]))
        at = data.draw(st.integers(0, min(3000, len(whole) - 1)))
        at = at if edge == "front" else len(whole) - 1 - at
        whole[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFE, 0xFF]))
    if data.draw(st.booleans()):
        del whole[data.draw(st.integers(0, len(whole))) :]
    counting = CountingBytes(bytes(whole))
    try:
        reading = read_media(counting.read_at, len(whole), name.rpartition(".")[2])
    except MusefsError:
        pass
    else:
        audio = reading.facts.anatomy.audio
        assert 0 <= audio.offset <= audio.offset + audio.length <= len(whole)
        for _, value in reading.facts.tags:
            value.encode()
    assert counting.bytes_read < 20 * len(whole) + 64 * 1024


@quiet
@settings(max_examples=200)
@given(head=st.binary(max_size=300), extension=st.sampled_from(sorted(EXTENSIONS)))
def test_any_bytes_are_an_error_or_a_reading(head: bytes, extension: str) -> None:
    for data in (head, b"fLaC" + head, b"ID3\x04\0\0" + head, b"OggS\0\x02" + head, b"MP+" + head):
        with fresh_tally():
            try:
                read_media(CountingBytes(data).read_at, len(data), extension)
            except MusefsError:
                continue


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
NAME = st.text(st.sampled_from("ABCDEFGHIJ_ "), min_size=1, max_size=20).filter(str.strip)


@given(entries=st.lists(st.tuples(NAME, TEXT), max_size=30))
def test_comments_come_back_as_they_were_written(entries: list[tuple[str, str]]) -> None:
    tags = Collected()
    body = comments(*(f"{name}={text}".encode() for name, text in entries))
    read_comments(lambda at, size: body[at : at + size], len(body), tags)
    assert [value for _, value in tags.pairs] == [text for _, text in entries]
    assert tags.notes == []


@given(texts=st.lists(TEXT, min_size=1, max_size=5), encoding=st.sampled_from([1, 2, 3]))
def test_text_frames_come_back_as_they_were_written(texts: list[str], encoding: int) -> None:
    from mutagen.id3 import TPE1
    from mutagen.id3._util import ID3SaveConfig

    from musefs.pipeline.tag.id3_text import read_id3
    from musefs.pipeline.tag.window import Window

    content = TPE1(encoding=encoding, text=texts)._writeData(ID3SaveConfig(4, None))
    data = id3(frame(b"TPE1", content))
    tags = Collected()
    read_id3(Window(lambda at, size: data[at : at + size], len(data)), 0, tags)
    assert [value for _, value in tags.pairs] == texts
