"""Streams of one serial number that were strung together are noticed, and single ones are not."""

from pathlib import Path

import pytest

from musefs.index.errors import MediaFormatError
from musefs.index.media.ogg import read_anatomy
from musefs.index.media.ogg_crc import page_checksum
from musefs.index.media.ogg_page import FIRST, write_header

HEAD = b"OpusHead\x01\x02" + bytes(9)
COMMENT = b"OpusTags" + bytes(8)


def page(payload: bytes, sequence: int, flags: int = 0) -> bytes:
    lacing = b"\xff" * (len(payload) // 255) + bytes((len(payload) % 255,))
    unsigned = write_header(flags, sequence * 960, 7, sequence, 0, lacing) + payload
    checksum = page_checksum(unsigned)
    return write_header(flags, sequence * 960, 7, sequence, checksum, lacing) + payload


def stream(pages: int, size: int = 4300, louder: int = 0) -> bytes:
    """Return a stream of so many pages of audio; their size may rise by `louder` in all."""
    audio = [
        page(bytes(size + louder * number // pages + number * 37 % 200), number + 2)
        for number in range(pages)
    ]
    return b"".join([page(HEAD, 0, FIRST), page(COMMENT, 1), *audio])


class Counting:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked = 0

    def __call__(self, offset: int, length: int) -> bytes:
        self.asked += length
        return self.data[offset : offset + length]


@pytest.mark.parametrize(
    ("first", "second"),
    [(1, 1), (3, 2), (500, 500), (200, 800), (800, 200), (120, 900), (990, 10), (400, 600)],
)
def test_a_chain_that_shares_a_serial_number_is_noticed(first: int, second: int) -> None:
    data = stream(first) + stream(second)
    reader = Counting(data)
    with pytest.raises(MediaFormatError, match=r"one serial number.* chained"):
        read_anatomy(reader, len(data))
    assert reader.asked < 64 * 1024


def test_three_of_them_are_noticed() -> None:
    data = stream(300) * 3
    with pytest.raises(MediaFormatError, match="chained"):
        read_anatomy(Counting(data), len(data))


def test_large_pages_that_are_too_few_for_their_bytes_are_noticed() -> None:
    data = stream(240, 16_000) * 2
    with pytest.raises(MediaFormatError, match="chained"):
        read_anatomy(Counting(data), len(data))


@pytest.mark.parametrize(
    ("pages", "size", "louder"),
    [(1, 4300, 0), (7, 4300, 0), (900, 4300, 0), (900, 3000, 1500), (240, 16_000, 0),
     (240, 9_000, 16_000), (20, 60_000, 0)],
)  # fmt: skip
def test_a_single_stream_is_none(pages: int, size: int, louder: int) -> None:
    data = stream(pages, size, louder)
    anatomy = read_anatomy(Counting(data), len(data))
    assert anatomy.audio.offset + anatomy.audio.length == len(data)


@pytest.mark.parametrize("name", ["ogg/many.ogg", "opus/opusenc.opus", "ogg/flac.oga"])
def test_real_files_strung_together(name: str, audio_library: Path) -> None:
    data = (audio_library / name).read_bytes()
    assert read_anatomy(Counting(data), len(data)).audio.length
    with pytest.raises(MediaFormatError, match="chained"):
        read_anatomy(Counting(data * 2), 2 * len(data))
