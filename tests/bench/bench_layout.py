"""Cost of layouts: making one, sizes of a library from columns, and reading through them.

    python tests/bench/bench_layout.py [--json FILE]

Reading is a ratio against reading the same bytes from the same original with no layout.
"""

import argparse
import io
import json
import sys
import tempfile
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.contents import MemoryContent
from support.tracks import columns_of
from timing import time_call

from musefs.index.media.facts import AudioFormat, Block, BlockKind, Picture, Span
from musefs.index.media.ogg_crc import page_checksum
from musefs.index.media.ogg_page import write_header
from musefs.mount.formats.columns import LibraryColumns
from musefs.mount.formats.layout import Layout, make_layout, read_into, read_layout
from musefs.mount.formats.ogg_pages import RenumberedPages, lacing_of
from musefs.mount.formats.reading import ReadContext
from musefs.mount.formats.segments import Generated, OriginalRange
from musefs.mount.formats.sizes import served_sizes
from musefs.mount.formats.source import ServedPicture, TrackSource
from musefs.mount.formats.synthesise import synthesise

TAGS = tuple((f"tag number {n:02}", (f"value {n} of some length",)) for n in range(20))
PICARD_TAGS = tuple(
    (key, (value,))
    for key, value in {
        **{
            key: f"value of {key}"
            for key in (
                "acoustid_id", "album", "albumartist", "albumartistsort", "artist", "artistsort",
                "barcode", "catalognumber", "comment", "composer", "label", "media",
                "musicbrainz_albumid", "musicbrainz_artistid", "releasecountry",
                "replaygain_track_gain", "title",
            )
        },
        "date": "1999-06-12",
        "totaltracks": "10",
        "tracknumber": "2",
    }.items()
)  # fmt: skip
FILES = 100_000
ROUNDS = 1000
Rows = dict[str, float]
READ_BYTES = 1 << 20
ORIGINAL_BYTES = 64 << 20


def flac_track() -> TrackSource:
    """Return a FLAC track as they usually are: 20 tags, a seek table, one picture."""
    return TrackSource(
        path="/a.flac",
        format=AudioFormat.FLAC,
        audio=Span(600_000, 30_000_000),
        size=30_600_000,
        tags=TAGS,
        blocks=(
            Block(BlockKind.FLAC_BLOCK, "0", 34, (Span(8, 34),)),
            Block(BlockKind.FLAC_BLOCK, "3", 900, (Span(46, 900),)),
        ),
        pictures=(ServedPicture(Picture(500_000, (Span(2000, 500_000),))),),
    )


def ogg_track(audio_format: AudioFormat) -> TrackSource:
    """Return a Vorbis or Opus track with 20 tags and a picture across pages."""
    stream = Block(BlockKind.OGG_PACKET, "stream", 8, body=bytes(4) + b"\x02\0\0\0")
    setup = Block(BlockKind.OGG_PACKET, "setup", 4000, (Span(3000, 4000),))
    return TrackSource(
        path="/a.ogg",
        format=audio_format,
        audio=Span(600_000, 5_000_000),
        size=5_600_000,
        tags=TAGS,
        blocks=(stream, Block(BlockKind.OGG_PACKET, "id", 30, (Span(28, 30),)), setup),
        pictures=(ServedPicture(Picture(500_000, (Span(9000, 500_000),))),),
    )


def mp3_track() -> TrackSource:
    """Return an MP3 track as taggers make them: frames of many kinds and one picture."""
    return TrackSource(
        path="/a.mp3",
        format=AudioFormat.MP3,
        audio=Span(600_000, 8_000_000),
        size=8_600_000,
        tags=PICARD_TAGS,
        blocks=(Block(BlockKind.ID3_FRAME, "PRIV", 60, (Span(800, 60),)),),
        pictures=(ServedPicture(Picture(500_000, (Span(2000, 500_000),))),),
    )


def mp4_track() -> TrackSource:
    """Return an MP4 track with one table of offsets and a cover."""
    return TrackSource(
        path="/a.m4a",
        format=AudioFormat.MP4,
        audio=Span(600_000, 8_000_000),
        size=8_600_000,
        tags=PICARD_TAGS,
        blocks=(
            Block(BlockKind.MP4_ATOM, "ftyp", 28, (Span(0, 28),)),
            Block(BlockKind.MP4_ATOM, "moov", 779, (Span(36, 779),)),
            Block(BlockKind.MP4_CHUNK_OFFSETS, "stco", 4000, (Span(815, 4000),)),
            Block(BlockKind.MP4_ATOM, "moov", 54, (Span(4815, 54),)),
            Block(BlockKind.MP4_ATOM, "mdat", 8, (Span(599_992, 8),)),
        ),
        pictures=(ServedPicture(Picture(500_000, (Span(9000, 500_000),))),),
    )


def library(count: int) -> LibraryColumns:
    """Return the columns of a library of `count` mixed tracks with 20 tags each."""
    kinds = (
        flac_track(),
        ogg_track(AudioFormat.OGG_OPUS),
        ogg_track(AudioFormat.OGG_VORBIS),
        mp3_track(),
        mp4_track(),
    )
    few = columns_of(kinds)
    copies = pl.DataFrame({"copy": range(count // len(kinds) + 1)}, schema={"copy": pl.Int64})

    def repeat(frame: pl.DataFrame) -> pl.DataFrame:
        track = (pl.col("track_id") + pl.col("copy") * len(kinds)).alias("track_id")
        return copies.join(frame, how="cross").with_columns(track).drop("copy")

    return LibraryColumns(*(repeat(f) for f in (few.tracks, few.tags, few.blocks, few.art)))


def page(payload: bytes, number: int) -> bytes:
    """Return an audio page."""
    lacing = lacing_of([*[250] * (len(payload) // 250), len(payload) % 250])
    unsigned = write_header(0, 0, 7, number, 0, lacing) + payload
    return write_header(0, 0, 7, number, page_checksum(unsigned), lacing) + payload


def read_through(layout: Layout, context: ReadContext) -> None:
    """Read a whole served file in requests of one size, as a reader does."""
    for offset in range(0, layout.size, READ_BYTES):
        read_layout(layout, offset, READ_BYTES, context)


def read_through_into(layout: Layout, context: ReadContext, buffer: memoryview) -> None:
    """Read a whole served file into one buffer."""
    for offset in range(0, layout.size, READ_BYTES):
        read_into(layout, offset, buffer, context)


def read_plainly(opened: io.FileIO, buffer: memoryview) -> None:
    """Read the original with no layout: the baseline."""
    opened.seek(0)
    while opened.readinto(buffer):
        pass


def read_rows() -> Rows:
    """Measure reading: ranges into a buffer, and renumbered Ogg pages."""
    with tempfile.TemporaryFile(buffering=0) as opened:
        pages = b"".join(page(bytes([n % 251]) * 4200, n) for n in range(ORIGINAL_BYTES // 4300))
        opened.write(pages)
        buffer = memoryview(bytearray(READ_BYTES))
        context = ReadContext(MemoryContent(pages, opened.fileno()))
        header = Generated(bytes(9000))
        ranged = make_layout([header, OriginalRange(0, len(pages))], len(pages))
        renumbered = make_layout([header, RenumberedPages(0, len(pages), 7, 1)], len(pages))
        plain = time_call(lambda: read_plainly(opened, buffer))
        through = time_call(lambda: read_through_into(ranged, context, buffer))
        ogg = time_call(lambda: read_through(renumbered, context))
    gigabytes = len(pages) / 1e9
    return {
        "reading the original, no layout, GB/s": gigabytes / plain.median,
        "reading through a layout of ranges, GB/s": gigabytes / through.median,
        "the second against the first": plain.median / through.median,
        "reading renumbered Ogg pages of 4 KiB, GB/s": gigabytes / ogg.median,
    }


def layout_cost(source: TrackSource) -> float:
    """Return the microseconds that the layout of one track takes."""
    return time_call(lambda: [synthesise(source) for _ in range(ROUNDS)]).median / ROUNDS * 1e6


def measure() -> Rows:
    """Return what was measured, by what it is and its unit."""
    columns = library(FILES)
    return {
        "layout of a FLAC file with 20 tags, us": layout_cost(flac_track()),
        "layout of a Vorbis file with 20 tags, us": layout_cost(ogg_track(AudioFormat.OGG_VORBIS)),
        "layout of an MP3 file with 20 tags, us": layout_cost(mp3_track()),
        "layout of an MP4 file with 20 tags, us": layout_cost(mp4_track()),
        f"sizes of {FILES:,} files, ms": time_call(lambda: served_sizes(columns)).median * 1e3,
        **read_rows(),
    }


def main() -> None:
    """Print the table; write JSON where asked."""
    parser = argparse.ArgumentParser(description="Cost of layouts and of reading through them.")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = measure()
    for what, value in rows.items():
        print(f"{what:<46} {value:8.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
