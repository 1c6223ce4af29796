"""The MP4 walker: all tables of offsets, all places of user data, refusals by name."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contents import MemoryContent
from support.tracks import source_of

from musefs.index.counters import Counter
from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Anatomy, BlockKind
from musefs.index.media.mp4 import read_anatomy
from musefs.mount.formats.layout import read_layout
from musefs.mount.formats.reading import ReadContext
from musefs.mount.formats.synthesise import synthesise

pytestmark = pytest.mark.expected_degradations(Counter.TAG_BLOCKS_DROPPED, Counter.PICTURES_DROPPED)

FTYP = b"\0\0\0\x14ftypM4A \0\0\0\0M4A "
SOUND = bytes(range(100))


def atom(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return (len(body) + 8).to_bytes(4, "big") + name + body


def wide_atom(name: bytes, body: bytes) -> bytes:
    return b"\0\0\0\1" + name + (len(body) + 16).to_bytes(8, "big") + body


def table(name: bytes, *offsets: int) -> bytes:
    width = 4 if name == b"stco" else 8
    entries = b"".join(offset.to_bytes(width, "big") for offset in offsets)
    return atom(name, bytes(4) + len(offsets).to_bytes(4, "big") + entries)


def track(*tables: bytes) -> bytes:
    stbl = atom(b"stbl", atom(b"stsd", bytes(8)), *tables, atom(b"stsz", bytes(12)))
    return atom(b"trak", atom(b"tkhd", bytes(84)), atom(b"mdia", atom(b"minf", stbl)))


def data(kind: int, body: bytes) -> bytes:
    return atom(b"data", kind.to_bytes(4, "big") + bytes(4) + body)


def user_data(*items: bytes, beside: bytes = b"", handler: bytes = b"mdir") -> bytes:
    hdlr = atom(b"hdlr", bytes(8) + handler + b"appl" + bytes(9))
    return atom(b"udta", atom(b"meta", bytes(4), hdlr, atom(b"ilst", *items)), beside)


def read(original: bytes) -> Anatomy:
    return read_anatomy(lambda offset, length: original[offset : offset + length], len(original))


def served(original: bytes) -> bytes:
    layout = synthesise(source_of(read(original), len(original), {"title": ["x" * 77]}))
    return read_layout(layout, 0, layout.size, ReadContext(MemoryContent(original)))


def pointed_at(original: bytes) -> list[bytes]:
    """Return the byte that each chunk offset of each table points at."""
    found: list[bytes] = []
    for name, width in ((b"stco", 4), (b"co64", 8)):
        place = original.find(name)
        while place >= 0:
            count = int.from_bytes(original[place + 8 : place + 12], "big")
            for n in range(count):
                begin = place + 12 + n * width
                offset = int.from_bytes(original[begin : begin + width], "big")
                found.append(original[offset : offset + 1])
            place = original.find(name, place + 4)
    return found


def moov_last(*children: bytes) -> bytes:
    return FTYP + atom(b"free", bytes(9)) + atom(b"mdat", SOUND) + atom(b"moov", *children)


FIRST_SOUND = len(FTYP) + 17 + 8


@pytest.mark.parametrize(
    "tracks",
    [
        (track(table(b"stco", FIRST_SOUND, FIRST_SOUND + 50)),),
        (track(table(b"co64", FIRST_SOUND + 7, FIRST_SOUND + 9)),),
        (
            track(table(b"stco", FIRST_SOUND + 1)),
            track(table(b"co64", FIRST_SOUND + 2, FIRST_SOUND + 3)),
            track(),
            track(table(b"stco", *range(FIRST_SOUND, FIRST_SOUND + 40))),
        ),
        (track(table(b"stco")),),
    ],
)
def test_every_table_of_every_track_is_moved(tracks: tuple[bytes, ...]) -> None:
    original = moov_last(atom(b"mvhd", bytes(100)), *tracks, atom(b"iods", b"abc"))
    after = served(original)
    assert pointed_at(after) == pointed_at(original)
    assert after.endswith(atom(b"mdat", SOUND))
    moov = after[len(FTYP) :]
    for part in (atom(b"mvhd", bytes(100)), atom(b"iods", b"abc")):
        assert part in moov
    assert b"free" not in after


def test_moov_first_and_sizes_of_64_bits() -> None:
    tracks = track(table(b"stco", 0))
    moov_bytes = len(atom(b"moov", tracks))
    first = len(FTYP) + moov_bytes + 16
    original = FTYP + atom(b"moov", track(table(b"stco", first + 3))) + wide_atom(b"mdat", SOUND)
    after = served(original)
    assert pointed_at(after) == [b"\x03"]
    assert after.endswith(wide_atom(b"mdat", SOUND))


def test_an_mdat_to_the_end_and_several_of_them() -> None:
    moov = atom(b"moov", track(table(b"stco", 0, 0)))
    first = len(FTYP) + len(moov) + 8
    second = first + len(SOUND) + 9 + 8
    moov = atom(b"moov", track(table(b"stco", first + 1, second + 2)))
    parts = atom(b"mdat", SOUND) + atom(b"free", b"x") + b"\0\0\0\0mdat" + SOUND
    after = served(FTYP + moov + parts)
    assert pointed_at(after) == [b"\x01", b"\x02"]
    assert after.endswith(parts)


def test_other_atoms_are_kept_and_padding_is_not() -> None:
    moov = atom(b"moov", atom(b"free", bytes(30)), track(), atom(b"skip", bytes(3)))
    original = FTYP + moov + atom(b"uuid", b"u" * 20) + atom(b"wide") + atom(b"mdat", SOUND)
    anatomy = read(original)
    assert [b.key for b in anatomy.blocks] == ["ftyp", "moov", "top", "mdat"]
    assert atom(b"uuid", b"u" * 20) in served(original)


def test_user_data_beside_the_tags_is_kept() -> None:
    chapters = atom(b"chpl", b"c" * 20)
    listed = user_data(atom(b"\xa9nam", data(1, b"t")), beside=chapters)
    foreign = user_data(handler=b"mdta")
    after = served(moov_last(track(), listed, foreign))
    assert chapters in after
    assert foreign[8:] in after
    assert after.count(b"udta") == 1
    assert after.count(b"\xa9nam") == 1


def freeform(mean: bytes, name: bytes, value: bytes) -> bytes:
    return atom(b"----", atom(b"mean", bytes(4), mean), atom(b"name", bytes(4), name), value)


def test_which_items_are_carried() -> None:
    items = (
        atom(b"\xa9nam", data(1, b"text")),
        atom(b"trkn", data(0, bytes(8))),
        atom(b"stik", data(21, b"\1")),
        atom(b"abcd", data(0, b"\1\2")),
        freeform(b"com.apple.iTunes", b"TEXT", data(1, b"text")),
        freeform(b"com.apple.iTunes", b"UNTYPED", data(0, b"text")),
        freeform(b"com.apple.iTunes", b"BLOB", data(0, b"\0\1")),
        freeform("org.é".encode(), b"a:b", data(13, b"\xff\xd8")),
        atom(b"covr", data(13, b"jpeg"), data(14, b"png"), data(0, b"\x89PNG"), data(1, b"no")),
        atom(b"----", b"junk"),
    )
    anatomy = read(moov_last(track(), user_data(*items)))
    carried = [b.key for b in anatomy.blocks if b.kind is BlockKind.MP4_TAG]
    assert carried == ["abcd", "----:com.apple.iTunes:BLOB", "----:org.é:a:b"]
    assert [(p.mime, p.length) for p in anatomy.pictures] == [
        ("image/jpeg", 4), ("image/png", 3), ("image/png", 4),
    ]  # fmt: skip
    again = read(served(moov_last(track(), user_data(*items))))
    assert [b.key for b in again.blocks if b.kind is BlockKind.MP4_TAG] == carried


def test_a_damaged_list_of_tags_costs_only_itself() -> None:
    broken = user_data(atom(b"\xa9nam", data(1, b"t")) + b"\xff\xff\xff\xffcovr")
    original = moov_last(track(table(b"stco", FIRST_SOUND)), broken)
    assert pointed_at(served(original)) == pointed_at(original)


@pytest.mark.parametrize(
    ("original", "words"),
    [
        (b"", "no moov"),
        (FTYP + atom(b"mdat", SOUND), "no moov"),
        (FTYP + atom(b"moov", track()), "no mdat"),
        (moov_last(atom(b"mvex")), "fragmented"),
        (moov_last(track()) + atom(b"moof"), "fragmented"),
        (FTYP + atom(b"sidx") + moov_last(), "fragmented"),
        (moov_last(atom(b"cmov")), "compressed"),
        (moov_last(track()) + atom(b"moov"), "two moov"),
        (moov_last(track()) + atom(b"mdat", SOUND), "between two mdat"),
        (moov_last(track())[:-5], "at byte"),
        (moov_last(track(table(b"stco", 5))), "outside of mdat"),
        (moov_last(track(table(b"stco", FIRST_SOUND, 1 << 30))), "outside of mdat"),
        (moov_last(track(atom(b"stco", bytes(4), b"\0\0\1\0"))), "cannot have 256 entries"),
        (moov_last(track(atom(b"stco", bytes(4)))), "cannot have|cut off"),
        (moov_last(track(atom(b"saio", bytes(12)))), "auxiliary data"),
        (moov_last(b"".join(atom(b"abcd") for _ in range(30_000))), "more than 20000 atoms"),
        (b"\0\0\0\1mdat" + (1 << 63).to_bytes(8, "big"), "has 9223372036854775808 bytes"),
        (b"\0\0\0\7moov", "has 7 bytes"),
    ],
)
def test_refusals_name_their_reason(original: bytes, words: str) -> None:
    with pytest.raises(MediaFormatError, match=words):
        read(original)


def test_a_track_in_another_file_is_refused() -> None:
    dref = atom(b"dref", bytes(4), (1).to_bytes(4, "big"), atom(b"url ", bytes(4), b"x\0"))
    minf = atom(b"minf", atom(b"dinf", dref), atom(b"stbl", table(b"stco", FIRST_SOUND)))
    with pytest.raises(MediaFormatError, match="another file"):
        read(moov_last(atom(b"trak", atom(b"mdia", minf))))


@pytest.mark.parametrize("name", ["many.m4a", "alac.m4a", "book.m4b", "faststart.m4a"])
def test_little_is_read(name: str, audio_library: Path) -> None:
    original = (audio_library / "mp4" / name).read_bytes()
    count = 0

    def read_at(offset: int, length: int) -> bytes:
        nonlocal count
        count += length
        return original[offset : offset + length]

    read_anatomy(read_at, len(original))
    assert count < 16_384


@given(st.data())
def test_any_damage_ends_in_an_anatomy_or_an_error(data_: st.DataObject) -> None:
    items = (atom(b"\xa9nam", data(1, b"t")), atom(b"covr", data(13, b"jpeg")),
             freeform(b"m", b"n", data(0, b"\0")))  # fmt: skip
    whole = bytearray(moov_last(track(table(b"stco", FIRST_SOUND, FIRST_SOUND)), user_data(*items)))
    for _ in range(data_.draw(st.integers(1, 4))):
        place = data_.draw(st.one_of(st.integers(0, 60), st.integers(0, len(whole) - 1)))
        whole[place] = data_.draw(st.sampled_from([0, 1, 7, 8, 127, 255]))
    original = bytes(whole[: data_.draw(st.integers(len(whole) // 2, len(whole)))])
    try:
        anatomy = read(original)
    except MediaFormatError:
        return
    for part in (*anatomy.blocks, *anatomy.pictures):
        for span in part.spans:
            assert 0 <= span.offset <= span.offset + span.length <= len(original)
    try:
        layout = synthesise(source_of(anatomy, len(original), {"title": ["x"]}))
        read_layout(layout, 0, layout.size, ReadContext(MemoryContent(original)))
    except MediaFormatError:
        return


@given(st.binary(max_size=200))
def test_any_bytes_end_in_an_anatomy_or_an_error(noise: bytes) -> None:
    for original in (noise, moov_last(noise), moov_last(track(noise)), moov_last(user_data(noise))):
        try:
            read(original)
        except MediaFormatError:
            continue
