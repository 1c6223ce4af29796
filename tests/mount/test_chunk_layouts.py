"""WAV, RF64 and AIFF as served: golden bytes, and real files read back by mutagen and ffmpeg."""

import io
import random
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.aiff import AIFF
from mutagen.wave import WAVE
from support.contents import MemoryContent
from support.read_back import id3_tags
from support.tracks import (
    MANY_TAGS,
    Tags,
    any_tags,
    check_parts,
    decoded_hash,
    serve,
    sizes_of,
    source_of,
)

from musefs.index.counters import Counter
from musefs.index.errors import MediaFormatError
from musefs.index.media import aiff, riff
from musefs.index.media.facts import Anatomy, AudioFormat, Block, BlockKind, Span
from musefs.mount.formats.layout import read_layout
from musefs.mount.formats.reading import ReadContext
from musefs.mount.formats.source import TrackSource
from musefs.mount.formats.synthesise import synthesise

pytestmark = pytest.mark.expected_degradations(Counter.TAG_TEXT_REPAIRED, Counter.SERVED_UNTOUCHED)

WAVES = ("info.wav", "id3.wav", "bext.wav", "no-tags.wav", "rf64.wav")
AIFFS = ("id3.aiff", "sowt.aifc")
FMT = struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8)
PLAIN = b"RIFF" + struct.pack("<I", 40) + b"WAVEfmt " + struct.pack("<I", 16) + FMT
PLAIN += b"data" + struct.pack("<I", 4) + b"\x01\x02\x03\x04"


def anatomy_of(original: bytes) -> Anatomy:
    walker = aiff if original[:4] == b"FORM" else riff
    return walker.read_anatomy(
        lambda offset, length: original[offset : offset + length], len(original)
    )


def chunks_of(served: bytes) -> list[tuple[str, bytes]]:
    """Walk the chunks by the letter of the standard; they must fill the form exactly."""
    big = served[:4] == b"FORM"
    order = "big" if big else "little"
    length = int.from_bytes(served[4:8], order)
    wide = length == 0xFFFFFFFF
    if not wide:
        assert length == len(served) - 8
    offset, found, data_bytes = 12, [], 0
    while offset < len(served):
        name, size = (
            served[offset : offset + 4],
            int.from_bytes(served[offset + 4 : offset + 8], order),
        )
        if name == b"ds64":
            form_bytes, data_bytes = struct.unpack_from("<QQ", served, offset + 8)
            assert form_bytes == len(served) - 8
        if wide and name == b"data":
            assert size == 0xFFFFFFFF
            size = data_bytes
        found.append((name.decode("ascii"), served[offset + 8 : offset + 8 + size]))
        offset += 8 + size
        if size & 1:
            assert served[offset] == 0
            offset += 1
    assert offset == len(served)
    return found


def test_a_file_with_a_title_is_as_the_reference_has_it() -> None:
    served = serve(source_of(anatomy_of(PLAIN), len(PLAIN), {"title": ["Song"]}), PLAIN)
    assert len(served) == 108
    assert served[4:8] == struct.pack("<I", 100)
    sizes = [(name, len(body)) for name, body in chunks_of(served)]
    assert sizes == [("fmt ", 16), ("LIST", 18), ("id3 ", 25), ("data", 4)]
    assert dict(chunks_of(served))["LIST"] == b"INFOINAM\x05\0\0\0Song\0\0"


@pytest.mark.parametrize("name", [*WAVES, *AIFFS])
def test_real_files_read_back(name: str, audio_library: Path, tmp_path: Path) -> None:
    path = audio_library / ("wav" if name.endswith("wav") else "aiff") / name
    original = path.read_bytes()
    anatomy = anatomy_of(original)
    source = source_of(anatomy, len(original), MANY_TAGS)
    layout = synthesise(source)
    served = serve(source, original)
    out = tmp_path / f"served{path.suffix}"
    out.write_bytes(served)
    chunks = chunks_of(served)
    if name != "rf64.wav":  # mutagen does not read RF64
        back = (WAVE if name.endswith("wav") else AIFF)(out).tags
        assert back is not None
        assert id3_tags(back) == MANY_TAGS
    audio = original[anatomy.audio.offset :][: anatomy.audio.length]
    assert dict(chunks)["SSND" if name.startswith(AIFFS) else "data"] == audio
    may_warn = name.endswith("wav")  # that it prefers INFO where there is also ID3
    assert decoded_hash(out, may_warn=may_warn) == decoded_hash(path, may_warn=True)
    assert sizes_of([source]) == [layout.size] == [len(served)]
    check_parts(layout, ReadContext(MemoryContent(original)), 9973)
    context, places = ReadContext(MemoryContent(original)), random.Random(7)
    for _ in range(200):
        offset, length = places.randrange(len(served)), places.randrange(1, 5000)
        assert read_layout(layout, offset, length, context) == served[offset : offset + length]


def test_what_broadcasters_write_is_carried(audio_library: Path) -> None:
    original = (audio_library / "wav/bext.wav").read_bytes()
    served = serve(source_of(anatomy_of(original), len(original), MANY_TAGS), original)
    before = [c for c in chunks_of(original) if not c[1].startswith(b"INFO")]
    after = [c for c in chunks_of(served) if c[0] != "id3 " and not c[1].startswith(b"INFO")]
    assert after == before


def test_ffprobe_reads_the_tags_of_rf64(audio_library: Path, tmp_path: Path) -> None:
    original = (audio_library / "wav/rf64.wav").read_bytes()
    out = tmp_path / "served.wav"
    out.write_bytes(serve(source_of(anatomy_of(original), len(original), MANY_TAGS), original))
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "format_tags", str(out)],
        capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    assert "Svefn-g-englar 日本語 🎵" in told


def test_a_file_that_outgrows_32_bits_becomes_rf64() -> None:
    """The sizes alone: no test writes four gigabytes."""
    audio_bytes = (1 << 32) - 100
    fmt = Block(BlockKind.RIFF_CHUNK, "fmt ", 16, (Span(20, 16),))
    anatomy = Anatomy(AudioFormat.WAV, Span(44, audio_bytes), (fmt,))
    source = source_of(anatomy, 44 + audio_bytes, {"title": ["Song" * 10]})
    layout = synthesise(source)
    head = read_layout(layout, 0, 200, ReadContext(MemoryContent(PLAIN + bytes(300))))
    assert head[:4] == b"RF64"
    assert head[8:16] == b"WAVEds64"
    assert struct.unpack_from("<QQ", head, 20) == (layout.size - 8, audio_bytes)
    assert sizes_of([source]) == [layout.size]


def test_an_aiff_that_outgrows_32_bits_is_served_as_it_is() -> None:
    form = Block(BlockKind.RIFF_CHUNK, "FORM", 4, (Span(8, 4),))
    anatomy = Anatomy(AudioFormat.AIFF, Span(54, (1 << 32) - 60), (form,))
    source = source_of(anatomy, (1 << 32) - 6, {"title": ["x" * 100]})
    assert synthesise(source).is_plain
    assert sizes_of([source]) == [source.size]


def test_an_aiff_without_its_form_type_is_an_error() -> None:
    with pytest.raises(MediaFormatError, match="form type"):
        synthesise(TrackSource("/track", AudioFormat.AIFF, Span(0, 4), 10))


def any_chunks() -> st.SearchStrategy[tuple[Block, ...]]:
    keys = st.sampled_from(["fmt ", "bext", "after:LIST", "after:id3x", "fact"])
    return st.lists(
        st.builds(
            lambda key, n: Block(BlockKind.RIFF_CHUNK, key, n, (Span(1, n),)), keys,
            st.integers(0, 9),
        ),
        max_size=5,
    ).map(tuple)  # fmt: skip


@given(any_tags(), any_chunks(), st.booleans(), st.integers(0, 20))
def test_any_tags_have_the_size_of_the_columns(
    tags: Tags, chunks: tuple[Block, ...], wide: bool, audio_bytes: int
) -> None:
    extra = (
        Block(BlockKind.RIFF_CHUNK, "FORM", 4, (Span(0, 4),)),
        Block(BlockKind.RIFF_CHUNK, "ds64", 8, (Span(4, 8),)),
    )
    original = (b"RF64" if wide else b"AIFF") + bytes(60)
    sources = [
        source_of(Anatomy(format_, Span(3, audio_bytes), (*blocks, *chunks)), len(original), tags)
        for format_, blocks in (
            (AudioFormat.WAV, extra if wide else ()),
            (AudioFormat.AIFF, extra[:1]),
        )
    ]
    served = [serve(source, original) for source in sources]
    assert sizes_of(sources) == [len(data) for data in served]
    for data in served:
        chunks_of(data)


@given(any_tags())
def test_any_tags_read_back(tags: Tags) -> None:
    served = serve(source_of(anatomy_of(PLAIN), len(PLAIN), tags), PLAIN)
    found = WAVE(io.BytesIO(served)).tags
    for key in ("artist", "title"):
        if key in tags:
            assert found is not None
            assert "\0".join(id3_tags(found)[key]).rstrip("\0") == "\0".join(tags[key]).rstrip("\0")
