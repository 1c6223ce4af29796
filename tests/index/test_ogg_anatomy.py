"""The Ogg walker: equal to mutagen on real files, bounded, several streams refused by name."""

import base64
import binascii
from pathlib import Path

import mutagen
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.flac import Picture as MutagenPicture
from mutagen.ogg import OggPage as MutagenPage

from musefs.index.counters import Counter, fresh_tally
from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import Anatomy, AudioFormat, Block, Span
from musefs.index.media.ogg import read_anatomy
from musefs.index.media.ogg_crc import checksum, checksum_change, page_checksum
from musefs.index.media.ogg_page import (
    CONTINUED,
    FIRST,
    Packet,
    PacketCollector,
    parse_page,
    write_header,
)

NAMES = (
    "ogg/many.ogg", "ogg/oggenc.ogg", "ogg/no-tags.ogg", "ogg/large-picture.ogg", "ogg/flac.oga",
    "ogg/speex.spx", "opus/many.opus", "opus/opusenc.opus", "opus/no-tags.opus",
)  # fmt: skip
HEAD = b"OpusHead" + bytes(11)


def read(original: bytes) -> Anatomy:
    return read_anatomy(lambda offset, length: original[offset : offset + length], len(original))


def page(payload: bytes, sequence: int, flags: int = 0, serial: int = 7) -> bytes:
    lacing = b"\xff" * (len(payload) // 255) + bytes((len(payload) % 255,))
    unsigned = write_header(flags, 0, serial, sequence, 0, lacing) + payload
    return write_header(flags, 0, serial, sequence, page_checksum(unsigned), lacing) + payload


def comment(*entries: bytes, start: bytes = b"OpusTags") -> bytes:
    body = b"".join(len(entry).to_bytes(4, "little") + entry for entry in entries)
    return start + bytes(4) + len(entries).to_bytes(4, "little") + body


def opus(second: bytes, audio: bytes | None = None) -> bytes:
    return page(HEAD, 0, FIRST) + page(second, 1) + (page(b"audio", 2) if audio is None else audio)


@pytest.mark.parametrize("name", NAMES)
def test_walker_agrees_with_mutagen(name: str, audio_library: Path) -> None:
    path = audio_library / name
    original = path.read_bytes()
    anatomy = read(original)
    opened = mutagen.File(path)
    oracle = [
        MutagenPicture(base64.b64decode(text))
        for text in opened.tags.get("metadata_block_picture", [])
    ]
    assert [picture_bytes(original, p) for p in anatomy.pictures] == [p.data for p in oracle]
    assert [(p.mime, p.description, p.picture_type) for p in anatomy.pictures] == [
        (p.mime, p.desc, p.type) for p in oracle
    ]
    packets = header_packets(path, 3 if anatomy.format is AudioFormat.OGG_VORBIS else 1)
    kept = {block.key: block_bytes(original, block) for block in anatomy.blocks if block.spans}
    assert kept.pop("id") == packets[0]
    assert kept == ({"setup": packets[2]} if len(packets) == 3 else {})
    first_audio = parse_page(original[anatomy.audio.offset :][:282])
    assert first_audio is not None
    stream = anatomy.blocks[0].body
    assert stream is not None
    assert (first_audio.serial, first_audio.sequence) == (
        int.from_bytes(stream[:4], "little"),
        int.from_bytes(stream[4:], "little"),
    )
    assert anatomy.audio.offset + anatomy.audio.length == len(original)


def picture_bytes(original: bytes, picture: object) -> bytes:
    spans: tuple[Span, ...] = picture.spans  # type: ignore[attr-defined]
    text = b"".join(original[span.offset : span.offset + span.length] for span in spans)
    return base64.b64decode(text)[picture.skip :]  # type: ignore[attr-defined]


def block_bytes(original: bytes, block: Block) -> bytes:
    return b"".join(original[span.offset : span.offset + span.length] for span in block.spans)


def header_packets(path: Path, count: int) -> list[bytes]:
    with path.open("rb") as opened:
        pages = [MutagenPage(opened)]
        packets: list[bytes] = []
        while len(packets) < count:
            packets = MutagenPage.to_packets(pages)
            pages.append(MutagenPage(opened))
    return packets[:count]


@pytest.mark.parametrize(
    ("original", "reason"),
    [
        (b"", "no Ogg page"),
        (page(b"OpusHead", 0), "does not begin a stream"),
        (page(b"\x80theora", 0, FIRST), "multiplexed"),
        (page(b"fishead\0", 0, FIRST), "multiplexed"),
        (page(HEAD, 0, FIRST) + page(b"\x01vorbis", 0, FIRST, serial=8), "multiplexed"),
        (page(HEAD, 0, FIRST) + page(b"text", 0, serial=8), "multiplexed"),
        (opus(comment()) + opus(comment()).replace(b"\7\0\0\0", b"\x08\0\0\0"), "chained"),
        (page(b"PCM     ", 0, FIRST), "unknown codec"),
        (opus(b"NoComment"), "not its comment"),
        (opus(comment()[:10]), "cut off"),
        (opus(b"OpusTags" + b"\xff" * 8), "broken vendor"),
        (opus(b"OpusTags" + bytes(4) + b"\xff\xff\xff\0"), "entries"),
        (opus(comment(b"A=b")[:-1]), "exceeds its packet"),
        (opus(comment())[:60], "cut off|no Ogg page"),
        (opus(comment(), b"not a page, but audio"), "no Ogg page of the same stream"),
        (page(HEAD, 0, FIRST) + page(b"x", 1, CONTINUED), "does not continue"),
    ],
)
def test_what_is_refused_is_refused_by_name(original: bytes, reason: str) -> None:
    with pytest.raises(MediaFormatError, match=reason):
        read(original)


def test_audio_on_a_header_page_is_refused() -> None:
    tags = comment()
    lacing = bytes((len(tags), 5))
    mixed = write_header(0, 0, 7, 1, 0, lacing) + tags + b"audio"
    with pytest.raises(MediaFormatError, match="audio begins on the page"):
        read(page(HEAD, 0, FIRST) + mixed + page(b"x", 2))


def test_a_file_that_was_cut_off_is_still_read() -> None:
    whole = opus(comment(b"A=b"), page(b"x" * 300, 2) + page(b"y" * 3000, 3))
    anatomy = read(whole[:-100])
    assert anatomy.audio.offset + anatomy.audio.length == len(whole) - 100


def test_a_file_without_audio_has_an_empty_region() -> None:
    anatomy = read(opus(comment(), b""))
    assert anatomy.audio.length == 0
    assert anatomy.blocks[0].body == b"\7\0\0\0\2\0\0\0"


def picture(data: bytes, mime: bytes = b"image/png") -> bytes:
    made = MutagenPicture()
    made.mime, made.data, made.desc = mime.decode(), data, "cover"
    return bytes(made.write())


@pytest.mark.expected_degradations(Counter.PICTURES_DROPPED)
@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"####",
        base64.b64encode(bytes(20)),
        base64.b64encode(picture(b"")),
        base64.b64encode(picture(b"12345678"))[:-4],
        base64.b64encode(picture(b"12345678") + b"more"),
        base64.b64encode(bytes(4) + b"\xff\xff\xff\xff" + bytes(100)),
        binascii.b2a_base64(picture(b"12345678"))[:10] + b"\n" + b"A" * 200,
    ],
)
def test_a_broken_picture_costs_only_itself(value: bytes) -> None:
    good = b"metadata_block_picture=" + base64.b64encode(picture(b"good"))
    original = opus(comment(b"METADATA_BLOCK_PICTURE=" + value, good, b"TITLE=x"))
    with fresh_tally() as tally:
        anatomy = read(original)
    assert [picture_bytes(original, p) for p in anatomy.pictures] == [b"good"]
    assert tally[Counter.PICTURES_DROPPED] == 1


@pytest.mark.expected_degradations(Counter.PICTURES_DROPPED)
@pytest.mark.parametrize("size", [30, 31, 32])
def test_the_old_form_of_a_cover_is_a_picture(size: int) -> None:
    image = b"\x89PNG" + bytes(size)
    original = opus(comment(b"CoverArt=" + base64.b64encode(image), b"COVERARTMIME=image/png"))
    (found,) = read(original).pictures
    assert (found.length, found.mime, found.skip) == (len(image), "image/png", 0)
    assert picture_bytes(original, found) == image
    for value in (b"", b"AAAA" * 9, base64.b64encode(image)[:-1]):
        assert read(opus(comment(b"COVERART=" + value))).pictures == ()


def test_base64_without_padding_is_read() -> None:
    text = base64.b64encode(picture(b"1234")).rstrip(b"=")
    anatomy = read(opus(comment(b"METADATA_BLOCK_PICTURE=" + text)))
    assert [p.length for p in anatomy.pictures] == [4]


def test_large_pictures_are_stepped_over() -> None:
    """Full pages cost 54 bytes each, however large the picture is."""
    body = comment(b"METADATA_BLOCK_PICTURE=" + base64.b64encode(picture(bytes(12_000_000))))
    pages = [page(HEAD, 0, FIRST)]
    full = 255 * 255
    for number, begin in enumerate(range(0, len(body), full), start=1):
        part = body[begin : begin + full]
        flags = CONTINUED if begin else 0
        if len(part) == full:
            pages.append(write_header(flags, 0, 7, number, 0, b"\xff" * 255) + part)
        else:
            pages.append(page(part, number, flags))
    original = b"".join([*pages, page(b"audio", len(pages))])
    asked = 0

    def read_at(offset: int, length: int) -> bytes:
        nonlocal asked
        asked += length
        return original[offset : offset + length]

    anatomy = read_anatomy(read_at, len(original))
    assert anatomy.pictures[0].length == 12_000_000
    assert len(anatomy.pictures[0].spans) == len(pages) - 1
    assert asked < 32 * 1024


def test_flac_in_ogg_with_native_blocks_and_an_unknown_count() -> None:
    mapping = b"\x7fFLAC\x01\x00\x00\x00fLaC" + b"\x00\x00\x00\x22" + bytes(34)

    def block(kind: int, body: bytes) -> bytes:
        return bytes((kind,)) + len(body).to_bytes(3, "big") + body

    original = b"".join(
        (
            page(mapping, 0, FIRST),
            page(block(4, comment(start=b"")), 1),
            page(block(2, b"application" * 50), 2),
            page(block(0x86, picture(b"image" * 200)), 3),
            page(b"\xff\xf8audio", 4),
        )
    )
    anatomy = read(original)
    assert [(b.key, b.length) for b in anatomy.blocks] == [("stream", 8), ("id", 51), ("2", 550)]
    assert block_bytes(original, anatomy.blocks[2]) == b"application" * 50
    span = anatomy.pictures[0].spans[0]
    assert original[span.offset : span.offset + span.length] == b"image" * 200
    broken = original.replace(b"\x86\x00", b"\x86\x01")
    with pytest.raises(MediaFormatError, match="does not fill its packet"):
        read(broken)


@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_end_in_an_anatomy_or_an_error(noise: bytes, at: int) -> None:
    good = opus(comment(b"A=b"))
    for original in (noise, good[:at] + noise + good[at + len(noise) :], opus(b"OpusTags" + noise)):
        try:
            anatomy = read(original)
        except MediaFormatError:
            continue
        assert anatomy.audio.offset + anatomy.audio.length <= len(original)


@given(st.binary(max_size=3000))
def test_checksum_is_mutagens(data: bytes) -> None:
    made = MutagenPage()
    made.packets = [data]
    made.serial = 5
    written = made.write()
    assert page_checksum(written) == int.from_bytes(written[22:26], "little")


def test_checksum_of_nothing_and_of_one_bit() -> None:
    assert checksum(b"") == 0
    assert checksum(b"\x01") == 0x04C11DB7


@given(st.integers(0, 0xFFFF_FFFF), st.integers(0, 0xFFFF_FFFF), st.integers(0, 65000))
def test_the_change_of_a_checksum_needs_no_payload(old: int, new: int, size: int) -> None:
    before, after = page(bytes(size % 65025), old), page(bytes(size % 65025), new)
    change = checksum_change(old ^ new, len(before))
    assert page_checksum(before) ^ change == page_checksum(after)


def test_the_largest_page_can_change_its_number() -> None:
    lacing = b"\xff" * 255
    before, after = (
        write_header(0, 0, 7, number, 0, lacing) + bytes(65025) for number in (1, 0x8000_0002)
    )
    change = checksum_change(1 ^ 0x8000_0002, len(before))
    assert page_checksum(before) ^ change == page_checksum(after)


def test_packets_are_collected_across_pages() -> None:
    first = write_header(0, 0, 7, 0, 0, b"\x03\xff") + b"abc" + b"x" * 255
    second = write_header(CONTINUED, 0, 7, 1, 0, b"\x00\x02\x00") + b"yz"
    data = first + second
    collector = PacketCollector()
    for offset in (0, len(first)):
        found = parse_page(data[offset:], offset)
        assert found is not None
        collector.add(found)
    packets = [b"abc", b"x" * 255, b"yz", b""]
    assert [p.read(lambda o, n: data[o : o + n], 0, 999) for p in collector.packets] == packets
    assert collector.is_between_packets
    packet = Packet((Span(0, 3), Span(10, 4)))
    assert packet.part(2, 3) == (Span(2, 1), Span(10, 2))
    with pytest.raises(MediaFormatError):
        packet.part(5, 3)
