"""Ogg as served: real files read back by mutagen, ffmpeg, ogginfo and opusinfo; pages checked."""

import base64
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import mutagen
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen.flac import Picture as MutagenPicture
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
from musefs.index.errors import BackingChangedError, MediaFormatError
from musefs.index.media.facts import Anatomy, AudioFormat, Picture, Span
from musefs.index.media.ogg import read_anatomy
from musefs.index.media.ogg_crc import page_checksum
from musefs.index.media.ogg_page import (
    CONTINUED,
    FIRST,
    NO_PACKET_ENDS,
    OggPage,
    parse_page,
    write_header,
)
from musefs.mount.formats.flac_picture import picture_head
from musefs.mount.formats.layout import read_layout
from musefs.mount.formats.ogg_pages import RenumberedPages, lacing_of
from musefs.mount.formats.reading import ReadContext
from musefs.mount.formats.segments import OriginalRange
from musefs.mount.formats.source import ServedPicture, TrackSource
from musefs.mount.formats.synthesise import synthesise

NAMES = (
    "ogg/many.ogg", "ogg/oggenc.ogg", "ogg/no-tags.ogg", "ogg/large-picture.ogg", "ogg/flac.oga",
    "ogg/speex.spx", "opus/many.opus", "opus/opusenc.opus", "opus/no-tags.opus",
)  # fmt: skip
LONG_TAGS: Tags = {**MANY_TAGS, "lyrics": ["la " * 60_000]}


def anatomy_of(original: bytes) -> Anatomy:
    return read_anatomy(lambda offset, length: original[offset : offset + length], len(original))


def pages_of(data: bytes) -> Iterator[tuple[OggPage, bytes]]:
    offset = 0
    while offset < len(data):
        page = parse_page(data[offset : offset + 282], offset)
        assert page is not None, f"no page at {offset}"
        yield page, data[offset : page.end]
        offset = page.end


def granule(page: bytes) -> int:
    return int.from_bytes(page[6:14], "little")


def check_pages(served: bytes, original: bytes, audio: Span) -> None:
    """Check numbers, checksums, flags and granules of every page, and payloads of the audio."""
    serials = set()
    offset_of_audio = len(served) - audio.length
    old = list(pages_of(original[audio.offset : audio.offset + audio.length]))
    new: list[tuple[OggPage, bytes]] = []
    for number, (page, data) in enumerate(pages_of(served)):
        assert page.sequence == number
        assert int.from_bytes(data[22:26], "little") == page_checksum(data)
        assert bool(page.flags & FIRST) == (number == 0)
        serials.add(page.serial)
        if page.offset >= offset_of_audio:
            new.append((page, data))
        else:
            ends = min(page.lacing) < 255
            assert granule(data) == (0 if ends else NO_PACKET_ENDS)
    assert len(serials) == 1
    assert [d[:18] + d[26:] for _, d in new] == [d[:18] + d[26:] for _, d in old]


@pytest.mark.parametrize("tags", [MANY_TAGS, LONG_TAGS, {}], ids=["many", "long", "none"])
@pytest.mark.parametrize("name", NAMES)
def test_real_files_read_back(name: str, tags: Tags, audio_library: Path, tmp_path: Path) -> None:
    path = audio_library / name
    original = path.read_bytes()
    anatomy = anatomy_of(original)
    source = source_of(anatomy, len(original), tags)
    layout = synthesise(source)
    served = serve(source, original)
    out = tmp_path / f"served{path.suffix}"
    out.write_bytes(served)

    assert sizes_of([source]) == [layout.size] == [len(served)]
    check_pages(served, original, anatomy.audio)
    back = mutagen.File(out)
    assert {
        key.lower(): list(back.tags[key])
        for key in set(back.tags.keys())
        if key.lower() != "metadata_block_picture"
    } == tags
    assert sorted(pictures_in(out)) == sorted(pictures_in(path))
    assert decoded_hash(out) == decoded_hash(path, may_warn=True)
    assert complaints(out, anatomy.format) <= complaints(path, anatomy.format)
    check_parts(layout, ReadContext(MemoryContent(original)), 4099)
    assert serve(source, original) == served


def pictures_in(path: Path) -> list[tuple[object, ...]]:
    opened = mutagen.File(path)
    found = [
        MutagenPicture(base64.b64decode(text))
        for text in opened.tags.get("metadata_block_picture", [])
    ]
    found += getattr(opened, "pictures", [])
    return [(p.type, p.mime, p.desc, p.width, p.height, p.depth, p.data) for p in found]


def complaints(path: Path, audio_format: AudioFormat) -> set[str]:
    """Return what the codec's own tool warns of, with numbers taken out.

    Some fixtures declare what is not so; what they say is carried over, so is the warning.
    """
    tool = {
        AudioFormat.OGG_VORBIS: ["ogginfo"],
        AudioFormat.OGG_OPUS: ["opusinfo"],
        AudioFormat.OGG_FLAC: ["flac", "--ogg", "-t", "-s"],
    }.get(audio_format)
    if tool is None or shutil.which(tool[0]) is None:
        return set()
    done = subprocess.run(
        [*tool, path.name], cwd=path.parent, capture_output=True, text=True, check=False
    )
    lines = (done.stdout + done.stderr).replace(path.name, "FILE").splitlines()
    found = [line for line in lines if "warning" in line.lower() or "error" in line.lower()]
    assert audio_format is AudioFormat.OGG_FLAC or done.returncode == bool(found)
    return {re.sub(r"\d+", "N", line) for line in found}


def test_an_unchanged_number_of_header_pages_leaves_audio_a_plain_range(
    audio_library: Path,
) -> None:
    for name in ("ogg/oggenc.ogg", "ogg/no-tags.ogg", "opus/many.opus", "opus/no-tags.opus"):
        original = (audio_library / name).read_bytes()
        anatomy = anatomy_of(original)
        layout = synthesise(source_of(anatomy, len(original), MANY_TAGS, pictures=[]))
        audio = OriginalRange(anatomy.audio.offset, anatomy.audio.length)
        assert layout.segments[-1] == audio, name


def test_flac_blocks_come_behind_the_comment(audio_library: Path) -> None:
    """RFC 9639, 10.1: the comment is the first packet behind the mapping."""
    original = (audio_library / "ogg/flac.oga").read_bytes()
    anatomy = anatomy_of(original)
    served = serve(source_of(anatomy, len(original), MANY_TAGS), original)
    pages = list(pages_of(served))
    assert pages[0][1][28 + 7 : 28 + 9] == (1).to_bytes(2, "big")
    assert pages[1][1][27 + len(pages[1][0].lacing)] == 0x84


def test_only_the_pages_that_are_read_are_made(audio_library: Path) -> None:
    """A tag probe of a file with a large picture does not read the picture."""
    original = (audio_library / "ogg/large-picture.ogg").read_bytes()
    layout = synthesise(source_of(anatomy_of(original), len(original), MANY_TAGS))
    content = MemoryContent(original)
    read_layout(layout, 0, 4096, ReadContext(content))
    assert content.read_bytes < 100_000
    assert layout.size > 700_000


@pytest.mark.parametrize(("mime", "head", "text"), [("image/jpeg", 42, 56), ("image/png", 41, 56)])
def test_head_of_a_picture_comment(mime: str, head: int, text: int) -> None:
    picture = Picture(3, (), mime=mime)
    assert len(picture_head(picture)) == head
    assert len(base64.b64encode(picture_head(picture))) == text


@given(
    st.binary(min_size=1, max_size=200),
    st.sampled_from(["", "a", "ab", "abc"]),
    st.sampled_from(["", "a", "ab", "longer"]),
    st.booleans(),
)
def test_a_picture_that_was_base64_is_the_same_picture_again(
    image: bytes, old: str, new: str, padded: bool
) -> None:
    """Also if its description changes, and if the original left the padding out."""
    made = MutagenPicture()
    made.data, made.mime, made.desc = image, "image/png", old
    text = base64.b64encode(made.write())
    entry = b"METADATA_BLOCK_PICTURE=" + (text if padded else text.rstrip(b"="))
    tags = b"OpusTags" + bytes(4) + b"\1\0\0\0" + len(entry).to_bytes(4, "little") + entry
    original = opus_file(tags)
    anatomy = anatomy_of(original)
    (picture,) = anatomy.pictures
    changed = ServedPicture(picture._replace(description=new))
    source = source_of(anatomy, len(original), {}, pictures=[changed])
    served = serve(source, original)
    assert sizes_of([source]) == [len(served)]
    made.desc = new
    assert comment_entries(served) == [
        "METADATA_BLOCK_PICTURE=" + base64.b64encode(made.write()).decode()
    ]
    layout = synthesise(source)
    check_parts(layout, ReadContext(MemoryContent(original)), 1)


MAPPING = b"\x7fFLAC\x01\x00\x00\x00fLaC" + b"\x00\x00\x00\x22" + bytes(34)


def flac_in_ogg(*blocks: tuple[int, bytes]) -> bytes:
    """Return FLAC in Ogg with these blocks and no count of them."""
    pages = [page(MAPPING, 0, FIRST)]
    for number, (kind, body) in enumerate(blocks, start=1):
        last = 0x80 if number == len(blocks) else 0
        header = bytes((kind | last,)) + len(body).to_bytes(3, "big")
        pages.append(page(header + body, number))
    return b"".join([*pages, page(b"\xff\xf8audio", len(pages))])


def test_native_blocks_of_flac_in_ogg_are_carried_and_counted() -> None:
    image = MutagenPicture()
    image.data, image.mime, image.desc = b"image" * 300, "image/png", "é"
    original = flac_in_ogg((4, bytes(8)), (2, b"appl" * 10_000), (1, bytes(99)), (6, image.write()))
    source = source_of(anatomy_of(original), len(original), {"title": ["x"]})
    served = serve(source, original)
    assert sizes_of([source]) == [len(served)]
    check_pages(served, original, source.audio)
    packets = b"".join(data[27 + len(header.lacing) :] for header, data in pages_of(served))
    assert packets.startswith(MAPPING[:7] + b"\x00\x02" + MAPPING[9:] + b"\x04")
    assert b"\x82" + (40_000).to_bytes(3, "big") + b"appl" * 10_000 in packets
    back = anatomy_of(served)
    assert [(p.description, p.length) for p in back.pictures] == [("é", 1500)]


@pytest.mark.expected_degradations(Counter.SERVED_UNTOUCHED)
def test_a_comment_too_large_for_flac_in_ogg_leaves_the_file_as_it_is() -> None:
    original = flac_in_ogg((4, bytes(8)))
    source = source_of(anatomy_of(original), len(original), {"comment": ["x" * (1 << 24)]})
    assert synthesise(source).is_plain
    assert sizes_of([source]) == [len(original)]


@pytest.mark.expected_degradations(Counter.PICTURES_DROPPED)
@pytest.mark.parametrize("body", [b"", bytes(32), bytes(8) + b"\x7f\xff\xff\xff" + bytes(60)])
def test_a_broken_picture_of_flac_in_ogg_costs_only_itself(body: bytes) -> None:
    anatomy = anatomy_of(flac_in_ogg((4, bytes(8)), (6, body), (3, bytes(18))))
    assert anatomy.pictures == ()
    assert [block.key for block in anatomy.blocks] == ["stream", "id", "3"]


def test_an_opus_comments_binary_suffix_is_carried() -> None:
    suffix = b"\x01binary" * 50
    original = opus_file(comment=EMPTY_OPUS_TAGS + suffix)
    served = serve(source_of(anatomy_of(original), len(original), {"title": ["x"]}), original)
    page = list(pages_of(served))[1][1]
    assert page.endswith(b"TITLE=x" + suffix)
    padded = opus_file(comment=EMPTY_OPUS_TAGS + bytes(500))
    served = serve(source_of(anatomy_of(padded), len(padded), {"title": ["x"]}), padded)
    assert list(pages_of(served))[1][1].endswith(b"TITLE=x")


EMPTY_OPUS_TAGS = b"OpusTags" + bytes(8)
OPUS_HEAD = b"OpusHead" + bytes(11)


def page(
    payload: bytes, sequence: int, flags: int = 0, serial: int = 7, *, open_end: bool = False
) -> bytes:
    lacing = b"\xff" * (len(payload) // 255) if open_end else lacing_of([len(payload)])
    unsigned = write_header(flags, 0, serial, sequence, 0, lacing) + payload
    return write_header(flags, 0, serial, sequence, page_checksum(unsigned), lacing) + payload


def opus_file(comment: bytes = EMPTY_OPUS_TAGS, audio: bytes | None = None) -> bytes:
    audio = page(b"a" * 700, 2) + page(b"b" * 300, 3) if audio is None else audio
    return page(OPUS_HEAD, 0, FIRST) + page(comment, 1) + audio


@pytest.mark.expected_degradations(Counter.PICTURES_DROPPED, Counter.TAG_VALUES_DROPPED)
@given(any_tags(), st.lists(any_picture(bytes(1200)), max_size=3))
@settings(max_examples=60)
def test_any_tags_read_back_and_have_the_size_of_the_columns(
    tags: Tags, pictures: list[Picture]
) -> None:
    original = opus_file(audio=page(bytes(1200), 2))
    source = source_of(
        anatomy_of(original), len(original), tags, pictures=[ServedPicture(p) for p in pictures]
    )
    with fresh_tally() as tally:
        layout = synthesise(source)
    served = read_layout(layout, 0, layout.size, ReadContext(MemoryContent(original)))
    assert sizes_of([source]) == [layout.size] == [len(served)]
    check_pages(served, original, source.audio)
    invalid = [k for k in tags if not k or any(not " " <= c <= "}" or c == "=" for c in k)]
    assert tally[Counter.TAG_VALUES_DROPPED] == sum(len(tags[key]) for key in invalid)
    wanted = [f"{k.upper()}={v}" for k in sorted(tags) if k not in invalid for v in tags[k]]
    entries = comment_entries(served)
    kept = [p for p in pictures if p.length]
    assert entries[: len(entries) - len(kept)] == wanted
    for picture, entry in zip(kept, entries[len(entries) - len(kept) :], strict=True):
        span = picture.spans[0]
        back = MutagenPicture(base64.b64decode(entry.removeprefix("METADATA_BLOCK_PICTURE=")))
        assert back.data == original[span.offset : span.offset + span.length]
        assert (back.desc, back.mime) == (picture.description, picture.mime)


def comment_entries(served: bytes) -> list[str]:
    packet = b""
    for header, data in list(pages_of(served))[1:]:
        packet += data[27 + len(header.lacing) :]
        if min(header.lacing) < 255:
            break
    offset = 8 + 10
    entries = []
    for _ in range(int.from_bytes(packet[offset : offset + 4], "little")):
        length = int.from_bytes(packet[offset + 4 : offset + 8], "little")
        entries.append(packet[offset + 8 : offset + 8 + length].decode())
        offset += 4 + length
    assert offset + 4 == len(packet)
    return entries


def audio_pages() -> st.SearchStrategy[bytes]:
    """Return audio regions: good pages, foreign ones, damage, noise and a cut end."""
    good = st.builds(
        lambda size, number, serial: page(bytes([number % 251]) * size, number, serial=serial),
        st.integers(0, 1500),
        st.integers(0, 0xFFFF_FFFF),
        st.sampled_from([7, 7, 7, 9]),
    )
    damaged = st.builds(
        lambda data, at: data[: at % len(data)] + b"?" + data[at % len(data) + 1 :],
        good,
        st.integers(0, 2000),
    )
    noise = st.one_of(st.binary(max_size=40), st.just(b"OggS\0\0" + bytes(20) + b"\x05"))
    parts = st.lists(st.one_of(good, good, good, damaged, noise), max_size=8)
    return st.builds(lambda p, cut: b"".join(p)[: cut or None], parts, st.integers(-300, 0))


@given(audio_pages(), st.integers(1, 0xFFFF_FFFF), st.data())
@settings(max_examples=300)
def test_a_byte_does_not_depend_on_where_reading_began(
    region: bytes, delta: int, data: st.DataObject
) -> None:
    original = b"front" + region + b"OggS behind"
    segment = RenumberedPages(5, len(region), 7, delta)
    context = ReadContext(MemoryContent(original))
    whole = segment.read(0, len(region), context) if region else b""
    assert len(whole) == len(region)
    for _ in range(6):
        offset = data.draw(st.integers(0, max(0, len(region) - 1)))
        length = data.draw(st.integers(0, len(region) - offset))
        for shared in (context, ReadContext(MemoryContent(original))):
            if length:
                assert segment.read(offset, length, shared) == whole[offset : offset + length]


def test_whole_pages_are_renumbered_and_everything_else_is_left_alone() -> None:
    pages = [page(b"x" * 900, 5), page(b"foreign", 6, serial=9), page(b"y" * 70, 0xFFFF_FFFF)]
    flipped = bytearray(page(b"z" * 400, 7))
    flipped[200] ^= 1
    region = (
        pages[0]
        + pages[1]
        + b"noise"
        + bytes(flipped)
        + page(b"next", 8)
        + pages[2]
        + pages[0][:-1]
    )
    segment = RenumberedPages(0, len(region), 7, 3)
    new = segment.read(0, len(region), ReadContext(MemoryContent(region)))
    assert new.startswith(page(b"x" * 900, 8) + pages[1] + b"noise")
    assert page(b"y" * 70, 2) in new
    assert new.endswith(pages[0][:-1])
    at = len(pages[0] + pages[1]) + 5
    assert int.from_bytes(new[at + 18 : at + 22], "little") == 10
    damaged = new[at : at + len(flipped)]
    assert page_checksum(damaged) != int.from_bytes(damaged[22:26], "little")


def test_reading_on_reads_each_byte_of_the_original_once_or_twice() -> None:
    region = b"".join(page(bytes(4000), n) for n in range(400))
    content = MemoryContent(region)
    context = ReadContext(content)
    segment = RenumberedPages(0, len(region), 7, 1)
    for offset in range(0, len(region) - 65536, 65536):
        segment.read(offset, 65536, context)
    assert content.read_bytes < 1.2 * len(region)


def test_a_picture_outside_of_the_original_is_an_error() -> None:
    original = opus_file()
    outside = [ServedPicture(Picture(10, (Span(len(original) - 5, 10),)))]
    with pytest.raises(MediaFormatError, match="outside of the original"):
        synthesise(source_of(anatomy_of(original), len(original), {}, pictures=outside))


def test_a_truncated_original_is_noticed() -> None:
    original = opus_file()
    layout = synthesise(source_of(anatomy_of(original), len(original), LONG_TAGS))
    context = ReadContext(MemoryContent(original[:-50]))
    with pytest.raises(BackingChangedError):
        read_layout(layout, 0, layout.size, context)


def test_an_index_without_page_numbers_is_an_error() -> None:
    source = TrackSource("/track", AudioFormat.OGG_OPUS, Span(0, 4), 100)
    with pytest.raises(MediaFormatError, match="header packets"):
        synthesise(source)


@pytest.mark.expected_degradations(Counter.SERVED_UNTOUCHED)
def test_a_comment_that_no_decoder_takes_leaves_the_file_as_it_is() -> None:
    original = opus_file()
    source = source_of(anatomy_of(original), len(original), {"comment": ["x" * 125_829_121]})
    with fresh_tally() as tally:
        layout = synthesise(source)
    assert layout.is_plain
    assert tally[Counter.SERVED_UNTOUCHED] == 1
    assert sizes_of([source]) == [len(original)]


def test_long_packets_continue_over_pages_without_an_end() -> None:
    original = opus_file()
    served = serve(source_of(anatomy_of(original), len(original), LONG_TAGS), original)
    flags = [header.flags & CONTINUED for header, _ in pages_of(served)]
    assert flags == [0, 0, 1, 1, 0, 0]
