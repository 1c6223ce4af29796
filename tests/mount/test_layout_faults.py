"""The fault list: what reading a served file answers when the original is not what was scanned.

Real files, the real backing, layouts of every Xiph format; the errno is the mount's own table.
"""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.tracks import MANY_TAGS, source_of

from musefs.index.backing.content import ContentRef
from musefs.index.backing.mounted import MountedBacking, stamp_of
from musefs.index.errors import (
    BackingChangedError,
    BackingMissingError,
    IndexDamagedError,
    MediaFormatError,
    MusefsError,
)
from musefs.index.media import flac, ogg
from musefs.index.media.facts import AudioFormat, Picture, Span
from musefs.mount.formats.layout import read_into, read_layout
from musefs.mount.formats.reading import ReadContext
from musefs.mount.formats.source import ServedPicture, TrackSource
from musefs.mount.formats.synthesise import synthesise
from musefs.mount.serve.errno_table import errno_of

NAMES = ("flac/many-tags.flac", "ogg/many.ogg", "opus/opusenc.opus", "ogg/flac.oga")


@pytest.fixture(params=NAMES)
def original(request: pytest.FixtureRequest, audio_library: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "original"
    copy.write_bytes((audio_library / str(request.param)).read_bytes())
    return copy


def track(path: Path) -> TrackSource:
    data = path.read_bytes()
    walk = flac.read_anatomy if data.startswith(b"fLaC") else ogg.read_anatomy
    anatomy = walk(lambda offset, length: data[offset : offset + length], len(data))
    return source_of(anatomy, len(data), MANY_TAGS, path=str(path))


def reference(path: Path) -> ContentRef:
    return ContentRef(b"/original", 1, 1, stamp_of(path.stat()))


def rewrite(path: Path) -> None:
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(1, 1))


def append(path: Path) -> None:
    with path.open("ab") as opened:
        opened.write(b"more")


@pytest.mark.parametrize(
    ("harm", "error", "number"),
    [
        (rewrite, BackingChangedError, errno.EIO),
        (append, BackingChangedError, errno.EIO),
        (lambda path: os.truncate(path, path.stat().st_size // 2), BackingChangedError, errno.EIO),
        (Path.unlink, BackingMissingError, errno.ENOENT),
    ],
    ids=["rewritten", "appended", "truncated", "gone"],
)
def test_harm_between_scan_and_open(
    original: Path, harm: Callable[[Path], None], error: type[MusefsError], number: int
) -> None:
    ref = reference(original)
    harm(original)
    with pytest.raises(error) as caught:
        MountedBacking(original.parent).open(ref)
    assert errno_of(caught.value) == number
    assert caught.value.path
    assert caught.value.hint


def test_a_file_truncated_while_it_is_open_ends_in_an_error_not_in_short_data(
    original: Path,
) -> None:
    layout = synthesise(track(original))
    with MountedBacking(original.parent).open(reference(original)) as content:
        context = ReadContext(content)
        whole = read_layout(layout, 0, layout.size, context)
        os.truncate(original, original.stat().st_size - 20)
        fresh = ReadContext(content)
        with pytest.raises(BackingChangedError) as caught:
            read_layout(layout, 0, layout.size, fresh)
        assert errno_of(caught.value) == errno.EIO
        with pytest.raises(BackingChangedError):
            read_into(layout, 0, memoryview(bytearray(layout.size)), fresh)
        assert read_layout(layout, 0, 20, fresh) == whole[:20]


def test_a_file_removed_while_it_is_open_is_served_to_its_end(original: Path) -> None:
    layout = synthesise(track(original))
    with MountedBacking(original.parent).open(reference(original)) as content:
        before = read_layout(layout, 0, layout.size, ReadContext(content))
        original.unlink()
        assert read_layout(layout, 0, layout.size, ReadContext(content)) == before


@pytest.mark.parametrize("outside", [Span(-5, 10), Span(1 << 40, 10), Span(0, 1 << 40)])
def test_ranges_that_no_original_has_are_an_error_of_that_file_alone(
    original: Path, outside: Span
) -> None:
    source = track(original)
    picture = ServedPicture(Picture(min(outside.length, 10), (outside,)))
    damaged = [
        replace(source, pictures=(picture,)),
        replace(source, audio=outside),
    ]
    for bad in damaged:
        with pytest.raises(MediaFormatError) as caught:
            synthesise(bad)
        assert errno_of(caught.value) == errno.EIO
        assert caught.value.path == source.path
    assert synthesise(source).size > 0


def test_a_picture_that_left_the_index_is_an_error_of_its_bytes_alone(original: Path) -> None:
    class Emptied:
        def read_art(self, art_hash: str, offset: int, length: int) -> bytes:
            raise IndexDamagedError(f"no stored picture {art_hash}")

    source = replace(
        track(original), pictures=(ServedPicture(Picture(400_000, ()), art_hash="gone"),)
    )
    layout = synthesise(source)
    with MountedBacking(original.parent).open(reference(original)) as content:
        context = ReadContext(content, Emptied())
        with pytest.raises(IndexDamagedError) as caught:
            read_layout(layout, 0, layout.size, context)
        assert errno_of(caught.value) == errno.EIO
        tail = read_layout(layout, layout.size - 100, 100, context)
        assert tail == original.read_bytes()[-100:] or source.format is not AudioFormat.FLAC
