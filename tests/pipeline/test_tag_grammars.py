"""Any text that mutagen writes into any container comes back from our readers as it was."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutagen import aiff, asf, dsf, flac, mp3, mp4, oggflac, oggopus, oggspeex, oggvorbis, wave
from mutagen.id3 import TALB, TIT2, TPE1
from mutagen.wavpack import WavPack
from support.readings import read_bytes, words

TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=400
)
VALUES = st.lists(TEXT, min_size=1, max_size=4, unique=True)


def set_frames(song: Any, title: list[str], artist: list[str], album: list[str]) -> None:
    if song.tags is None:
        song.add_tags()
    for frame, texts in ((TIT2, title), (TPE1, artist), (TALB, album)):
        song.tags.setall(frame.__name__, [frame(encoding=3, text=texts)])


def set_fields(*names: str) -> Callable[..., None]:
    def fill(song: Any, *values: list[str]) -> None:
        if song.tags is None:
            song.add_tags()
        for name, texts in zip(names, values, strict=True):
            song[name] = texts

    return fill


XIPH = set_fields("title", "artist", "album")

CONTAINERS: dict[str, tuple[Any, Callable[..., None]]] = {
    "flac/no-tags.flac": (flac.FLAC, XIPH),
    "ogg/no-tags.ogg": (oggvorbis.OggVorbis, XIPH),
    "opus/no-tags.opus": (oggopus.OggOpus, XIPH),
    "ogg/speex.spx": (oggspeex.OggSpeex, XIPH),
    "ogg/flac.oga": (oggflac.OggFLAC, XIPH),
    "mp4/no-tags.m4a": (mp4.MP4, set_fields("\xa9nam", "\xa9ART", "\xa9alb")),
    "mp3/lame.mp3": (mp3.MP3, set_frames),
    "wav/no-tags.wav": (wave.WAVE, set_frames),
    "aiff/id3.aiff": (aiff.AIFF, set_frames),
    "other/sony.dsf": (dsf.DSF, set_frames),
    "other/wavpack.wv": (WavPack, set_fields("Title", "Artist", "Album")),
    "other/windows.wma": (asf.ASF, set_fields("WM/Text", "WM/AlbumArtist", "WM/AlbumTitle")),
}
KEYS = {"other/windows.wma": ("wm/text", "albumartist", "album")}


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(title=VALUES, artist=VALUES, album=VALUES)
@pytest.mark.parametrize("name", CONTAINERS)
def test_what_mutagen_writes_is_read(
    name: str, audio_library: Path, title: list[str], artist: list[str], album: list[str]
) -> None:
    kind, fill = CONTAINERS[name]
    stream = io.BytesIO((audio_library / name).read_bytes())
    song = kind(stream)
    fill(song, title, artist, album)
    stream.seek(0)
    song.save(stream)
    reading = read_bytes(stream.getvalue(), name.rpartition(".")[2])
    found = words(reading)
    keys = KEYS.get(name, ("title", "artist", "album"))
    assert [found.get(key) for key in keys] == [title, artist, album]
    assert reading.facts.anatomy.audio.length > 0
