"""From files to an index and back: what the index holds is enough to serve, and to size."""

from pathlib import Path

import duckdb
import pytest
from support.served_index import write_index
from support.tracks import MANY_TAGS, serve, source_of

from musefs.index.media import aiff, flac, mp4, mpeg, ogg, riff
from musefs.index.media.facts import Anatomy
from musefs.index.read.load import load_library
from musefs.mount.formats.from_index import size_columns, track_source
from musefs.mount.formats.sizes import served_sizes
from musefs.mount.formats.synthesise import synthesise

NAMES = (
    "flac/many-tags.flac", "flac/large-picture.flac", "ogg/large-picture.ogg", "ogg/flac.oga",
    "ogg/speex.spx", "opus/opusenc.opus", "opus/no-tags.opus", "mp3/v24-many.mp3",
    "mp3/chapters.mp3", "mp3/unsync.mp3", "mp4/many.m4a", "mp4/book.m4b", "wav/bext.wav",
    "wav/rf64.wav", "aiff/sowt.aifc",
)  # fmt: skip


WALKERS = {
    b"fLaC": flac, b"OggS": ogg, b"RIFF": riff, b"RF64": riff, b"FORM": aiff, b"\0\0\0\x1c": mp4,
}  # fmt: skip


def anatomy_of(original: bytes) -> Anatomy:
    walker = WALKERS.get(original[:4], mpeg)
    return walker.read_anatomy(
        lambda offset, length: original[offset : offset + length], len(original)
    )


@pytest.fixture
def originals(audio_library: Path) -> list[bytes]:
    return [(audio_library / name).read_bytes() for name in NAMES]


@pytest.fixture
def index(originals: list[bytes], tmp_path: Path) -> Path:
    path = tmp_path / "library.duckdb"
    write_index(path, [(anatomy_of(data), len(data), MANY_TAGS) for data in originals])
    return path


def test_a_track_from_the_index_is_served_like_the_anatomy_it_came_from(
    index: Path, originals: list[bytes]
) -> None:
    library = load_library(index)
    sizes = served_sizes(size_columns(library)).to_list()
    for position, original in enumerate(originals):
        source = track_source(library, position)
        direct = source_of(anatomy_of(original), len(original), MANY_TAGS, path=f"/{position}")
        assert source == direct
        assert synthesise(source).size == sizes[position] == len(serve(direct, original))


def test_edited_and_added_tags_reach_the_served_file(index: Path, originals: list[bytes]) -> None:
    """M1: the second layer, which users edit, is what is served; the audio is not touched."""
    with duckdb.connect(str(index)) as con:
        con.execute("UPDATE tags SET value = 'New Title' WHERE key = 'title'")
        con.execute("INSERT INTO tags SELECT track_id, 'mood', 0, 'calm' FROM tracks")
        con.execute("UPDATE tracks SET synthesised = false WHERE track_id = 1")
    library = load_library(index)
    sizes = served_sizes(size_columns(library)).to_list()
    for position, original in enumerate(originals):
        source = track_source(library, position)
        served = serve(source, original)
        assert len(served) == sizes[position]
        if position == 1:
            assert served == original
            continue
        assert b"New Title" in served
        assert b"calm" in served
