"""Read one file through the tag stage's own readers, counting what is read."""

from pathlib import Path

from musefs.pipeline.tag.formats import extension_of
from musefs.pipeline.tag.media import Reading, read_media


class CountingBytes:
    """Bytes in memory that remember how much of them was asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.bytes_read = 0
        self.reads = 0

    def read_at(self, offset: int, length: int) -> bytes:
        piece = self.data[offset : offset + length]
        self.bytes_read += len(piece)
        self.reads += 1
        return piece


def read_bytes(data: bytes, extension: str) -> Reading:
    return read_media(CountingBytes(data).read_at, len(data), extension)


def read_path(path: Path) -> Reading:
    return read_bytes(path.read_bytes(), extension_of(path.name.encode()))


def words(reading: Reading) -> dict[str, list[str]]:
    """Return key → values."""
    found: dict[str, list[str]] = {}
    for key, value in reading.facts.tags:
        found.setdefault(key, []).append(value)
    return found
