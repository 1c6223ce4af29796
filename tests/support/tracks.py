"""Tracks as the index would have them, made from anatomies, and what they are served as."""

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl
from hypothesis import strategies as st
from support.contents import MemoryContent

from musefs.index.media.facts import Anatomy, Block, Picture, Span
from musefs.mount.formats.columns import LibraryColumns
from musefs.mount.formats.layout import Layout, read_layout
from musefs.mount.formats.reading import ReadContext
from musefs.mount.formats.sizes import served_sizes
from musefs.mount.formats.source import ServedPicture, TrackSource
from musefs.mount.formats.synthesise import synthesise

Tags = dict[str, list[str]]

MANY_TAGS: Tags = {
    "album": ["Ágætis byrjun"],
    "albumartist": ["Sigur Rós"],
    "artist": ["Sigur Rós", "Someone Else"],
    "comment": ["first line\nsecond line", ""],
    "date": ["1999-06-12"],
    "discnumber": ["1/2"],
    "genre": ["Post-Rock", "Ambient"],
    "musicbrainz_albumid": ["a1b2c3d4-0000-4000-8000-000000000000"],
    "replaygain_track_gain": ["-7.03 dB"],
    "title": ["Svefn-g-englar 日本語 🎵"],
    "tracknumber": ["2/10"],
}


def source_of(
    anatomy: Anatomy,
    size: int,
    tags: Tags,
    *,
    pictures: Sequence[ServedPicture] | None = None,
    path: str = "/track",
) -> TrackSource:
    """Return the track of an original with `tags`; its own pictures unless others are given."""
    own = tuple(ServedPicture(picture) for picture in anatomy.pictures)
    return TrackSource(
        path=path,
        format=anatomy.format,
        audio=anatomy.audio,
        size=size,
        tags=tuple((key, tuple(tags[key])) for key in sorted(tags)),
        blocks=anatomy.blocks,
        pictures=own if pictures is None else tuple(pictures),
    )


def serve(source: TrackSource, original: bytes) -> bytes:
    """Return the whole served file, read in one piece."""
    layout = synthesise(source)
    return read_layout(layout, 0, layout.size, ReadContext(MemoryContent(original)))


def check_parts(layout: Layout, context: ReadContext, step: int) -> None:
    """Check that the file read in parts of `step` bytes is the file read as a whole."""
    whole = read_layout(layout, 0, layout.size, context)
    assert len(whole) == layout.size
    parts = [
        read_layout(layout, offset, step, ReadContext(context.original, context.art))
        for offset in range(0, layout.size, step)
    ]
    assert b"".join(parts) == whole


def columns_of(sources: Iterable[TrackSource]) -> LibraryColumns:
    """Return the index rows of some tracks; track ids are their positions."""
    tracks: list[dict[str, object]] = []
    tags: list[dict[str, object]] = []
    blocks: list[dict[str, object]] = []
    art: list[dict[str, object]] = []
    for track_id, source in enumerate(sources):
        tracks.append(
            {
                "track_id": track_id,
                "format": source.format.value,
                "size": source.size,
                "synthesised": source.synthesised,
                "audio_offset": source.audio.offset,
                "audio_length": source.audio.length,
            }
        )
        for key, values in source.tags:
            for ordinal, value in enumerate(values):
                tags.append({"track_id": track_id, "key": key, "ordinal": ordinal, "value": value})
        blocks += [_block_row(track_id, n, block) for n, block in enumerate(source.blocks)]
        art += [_art_row(track_id, n, served) for n, served in enumerate(source.pictures)]
    return LibraryColumns(
        pl.DataFrame(tracks, schema=_TRACKS),
        pl.DataFrame(tags, schema=_TAGS),
        pl.DataFrame(blocks, schema=_BLOCKS),
        pl.DataFrame(art, schema=_ART),
    )


def sizes_of(sources: Sequence[TrackSource]) -> list[int]:
    """Return the served sizes that the columns give."""
    return served_sizes(columns_of(sources)).to_list()


def decoded_hash(path: Path, *, may_warn: bool = False) -> str:
    """Return the hash of the decoded audio; what we serve must decode without a warning."""
    done = subprocess.run(
        ["ffmpeg", "-v", "warning", "-i", str(path), "-map", "0:a", "-f", "hash", "-"],
        capture_output=True,
        check=True,
        text=True,
    )
    said = [line for line in done.stderr.splitlines() if "Guessed Channel Layout" not in line]
    assert may_warn or said == []
    return done.stdout


_SPANS = pl.List(pl.Struct({"offset": pl.Int64, "length": pl.Int64}))
_TRACKS = {
    "track_id": pl.Int64, "format": pl.String, "size": pl.Int64, "synthesised": pl.Boolean,
    "audio_offset": pl.Int64, "audio_length": pl.Int64,
}  # fmt: skip
_TAGS = {"track_id": pl.Int64, "key": pl.String, "ordinal": pl.Int32, "value": pl.String}
_BLOCKS = {
    "track_id": pl.Int64, "ordinal": pl.Int32, "kind": pl.String, "key": pl.String,
    "length": pl.Int64, "encoding": pl.String, "spans": _SPANS, "body": pl.Binary,
}  # fmt: skip
_ART = {
    "track_id": pl.Int64, "ordinal": pl.Int32, "picture_type": pl.Int32, "mime": pl.String,
    "description": pl.String, "width": pl.Int32, "height": pl.Int32, "depth": pl.Int32,
    "colors": pl.Int32, "length": pl.Int64, "encoding": pl.String, "skip": pl.Int32,
    "spans": _SPANS, "art_hash": pl.String,
}  # fmt: skip


def _spans(spans: tuple[Span, ...]) -> list[dict[str, int]]:
    return [{"offset": span.offset, "length": span.length} for span in spans]


def _block_row(track_id: int, ordinal: int, block: Block) -> dict[str, object]:
    return {
        "track_id": track_id,
        "ordinal": ordinal,
        "kind": block.kind.value,
        "key": block.key,
        "length": block.length,
        "encoding": block.encoding.value,
        "spans": _spans(block.spans),
        "body": block.body,
    }


def _art_row(track_id: int, ordinal: int, served: ServedPicture) -> dict[str, object]:
    picture = served.picture
    return {
        "track_id": track_id,
        "ordinal": ordinal,
        "picture_type": picture.picture_type,
        "mime": picture.mime,
        "description": picture.description,
        "width": picture.width,
        "height": picture.height,
        "depth": picture.depth,
        "colors": picture.colors,
        "length": picture.length,
        "encoding": picture.encoding.value,
        "skip": picture.skip,
        "spans": _spans(picture.spans),
        "art_hash": served.art_hash,
    }


def any_tags() -> st.SearchStrategy[Tags]:
    """Return tags of every kind: unicode, empty, long, control characters, odd keys, many."""
    keys = st.one_of(
        st.sampled_from(["artist", "title", "tracknumber", "id3:COMM:eng:note", "musicbrainz id"]),
        st.text(max_size=12),
    )
    text = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)
    values = st.one_of(
        st.lists(text, min_size=1, max_size=4),
        st.builds(lambda n, word: [word] * n, st.integers(1, 3000), text),
        st.builds(lambda n, word: [word * n], st.integers(1, 3000), text),
    )
    return st.dictionaries(keys.filter(lambda key: key == key.lower()), values, max_size=6)


def any_picture(body: bytes, offset: int = 0) -> st.SearchStrategy[Picture]:
    """Return pictures whose bytes lie in an original from `offset` on."""
    text = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
    return st.builds(
        lambda kind, mime, description, begin, length: Picture(
            length=length,
            spans=(Span(offset + begin, length),),
            picture_type=kind,
            mime=mime,
            description=description,
        ),
        st.integers(0, 20),
        st.sampled_from(["image/jpeg", "image/png", "image/webp", "-->"]),
        text,
        st.integers(0, len(body) // 2),
        st.integers(0, len(body) // 2),
    )
