"""Our readers against mutagen, tag for tag, and against ffprobe for duration, rate and channels."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from mutagen import asf
from support.mutagen_words import words_of
from support.readings import read_bytes, read_path, words

READ_BY_NOBODY_ELSE = {
    "wav/info.wav": "mutagen does not read INFO",
    "wav/rf64.wav": "mutagen does not read RF64",
    "wav/bext.wav": "mutagen does not read INFO",
    "other/matroska.mka": "mutagen does not read Matroska",
    "other/web.webm": "mutagen does not read Matroska",
    "flac/leading-id3.flac": "mutagen does not add what the foreign ID3 says",
    "odd/really-flac.mp3": "mutagen believes the comments alone",
}


def test_every_fixture_says_what_mutagen_says(audio_library: Path) -> None:
    """D13: a walker of our own is held equal to mutagen on every fixture."""
    compared = 0
    for path in sorted(audio_library.rglob("*")):
        name = str(path.relative_to(audio_library))
        if not path.is_file() or name.startswith("odd/") or name in READ_BY_NOBODY_ELSE:
            continue
        if path.suffix in (".png", ".m3u8"):
            continue
        assert words(read_path(path)) == words_of(path), name
        compared += 1
    assert compared >= 40


def test_the_rest_has_its_tags_too(audio_library: Path) -> None:
    info = words(read_path(audio_library / "wav/info.wav"))
    assert info["title"]
    assert info["artist"]
    assert words(read_path(audio_library / "wav/rf64.wav")) == info
    matroska = words(read_path(audio_library / "other/matroska.mka"))
    assert (matroska["title"], matroska["artist"], matroska["album"]) == (
        ["Matroska"],
        ["Someone"],
        ["Box"],
    )
    foreign = words(read_path(audio_library / "flac/leading-id3.flac"))
    own = words_of(audio_library / "flac/leading-id3.flac")
    assert {key: foreign[key] for key in own} == own
    assert len(foreign) > len(own)


def probe(path: Path) -> dict[str, float]:
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "a:0", "-show_entries",
         "stream=sample_rate,channels,duration:format=duration", "-of", "json", str(path)],
        capture_output=True, check=False,
    )  # fmt: skip
    answer = json.loads(done.stdout or b"{}")
    if not answer.get("streams"):
        return {}
    stream = answer["streams"][0]
    duration = stream.get("duration") or answer.get("format", {}).get("duration") or 0
    return {
        "rate": float(stream["sample_rate"]),
        "channels": float(stream["channels"]),
        "duration": float(duration),
    }


NOT_COMPARED = {
    "wma": "ffprobe counts the preroll as playing time, mutagen and we do not",
    "dff": "ffprobe takes the rate of DSD in bytes",
    "dsf": "ffprobe takes the rate of DSD in bytes",
    "ape": "the fixture is a header without sound",
}


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")
def test_ffprobe_has_the_same_opinion(audio_library: Path) -> None:
    """Duration within 60 ms, or 5 % where the format does not say and both estimate."""
    compared = 0
    for path in sorted(audio_library.rglob("*")):
        name = str(path.relative_to(audio_library))
        if not path.is_file() or name.startswith("odd/") or path.suffix in (".png", ".m3u8"):
            continue
        told = probe(path)
        if not told or path.suffix[1:] in NOT_COMPARED:
            continue
        technical = read_path(path).facts.technical
        assert technical.sample_rate == told["rate"], name
        assert technical.channels == told["channels"], name
        if technical.duration_seconds is not None and told["duration"]:
            allowed = 0.05 * told["duration"] if path.suffix in (".aac", ".ac3") else 0.06
            assert abs(technical.duration_seconds - told["duration"]) <= allowed, name
        compared += 1
    assert compared >= 40


def ebml(number: int, payload: bytes) -> bytes:
    """Return a Matroska element with a size of eight bytes."""
    name = number.to_bytes((number.bit_length() + 7) // 8)
    return name + (len(payload) | 1 << 56).to_bytes(8) + payload


def test_pictures_attached_to_matroska(audio_library: Path) -> None:
    image = b"\xff\xd8\xff" + bytes(100_000)
    cover = ebml(0x467E, b"front") + ebml(0x466E, b"cover.jpg") + ebml(0x4660, b"image/jpeg")
    font = ebml(0x466E, b"font.ttf") + ebml(0x4660, b"font/ttf") + ebml(0x465C, bytes(99))
    files = ebml(0x61A7, font) + ebml(0x61A7, cover + ebml(0x465C, image))
    track = ebml(0x83, b"\2") + ebml(0x86, b"A_OPUS")
    segment = ebml(0x1654AE6B, ebml(0xAE, track)) + ebml(0x1941A469, files)
    data = (audio_library / "other/matroska.mka").read_bytes()[:40]
    begin = data.index(b"\x18\x53\x80\x67") if b"\x18\x53\x80\x67" in data else 0
    original = (data[:begin] or ebml(0x1A45DFA3, b"")) + ebml(0x18538067, segment)
    [picture] = read_bytes(original, "mka").facts.anatomy.pictures
    [span] = picture.spans
    assert original[span.offset : span.offset + span.length] == image
    assert (picture.mime, picture.description, picture.picture_type) == ("image/jpeg", "front", 3)


def test_pictures_of_asf(audio_library: Path, tmp_path: Path) -> None:
    """What mutagen wrote is found where it lies, in both of the objects that may hold it."""
    for size in (5_000, 300_000):
        path = tmp_path / f"{size}.wma"
        shutil.copyfile(audio_library / "other/windows.wma", path)
        image = b"\x89PNG" + bytes(range(256)) * (size // 256)
        head = b"\x04" + len(image).to_bytes(4, "little")
        text = "image/png\0back\0".encode("utf-16-le")
        song = asf.ASF(path)
        song["WM/Picture"] = asf.ASFByteArrayAttribute(head + text + image)
        song.save()
        reading = read_path(path)
        [picture] = reading.facts.anatomy.pictures
        [span] = picture.spans
        assert path.read_bytes()[span.offset : span.offset + span.length] == image
        assert (picture.mime, picture.description, picture.picture_type) == (
            "image/png", "back", 4,
        )  # fmt: skip
        assert reading.bytes_read < 32 * 1024


def test_pictures_of_formats_served_as_they_are(audio_library: Path) -> None:
    """Their art is known, by reference, though it is served where it stands."""
    for name in ("other/sony.dsf", "other/trueaudio.tta", "other/stream.aac", "other/wavpack.wv",
                 "other/monkeys.ape"):  # fmt: skip
        path = audio_library / name
        for picture in read_path(path).facts.anatomy.pictures:
            [span] = picture.spans
            image = path.read_bytes()[span.offset : span.offset + span.length]
            assert image.startswith((b"\xff\xd8\xff", b"\x89PNG")), name
            assert picture.length == span.length
