"""What a worker learned of a chunk of files, as plain values.

Tuples and lists are what pickle carries fastest between processes; no Arrow here, so that
workers start quickly. Every row begins with the file's row in the stage's list.
"""

from dataclasses import dataclass, field
from typing import Final

from musefs.index.backing.content import Stamp
from musefs.index.counters import Counter
from musefs.index.media.facts import AudioFormat, Block, Picture, Span
from musefs.pipeline.tag.media import Reading

FileRow = tuple[
    int, str, str | None, float | None, int | None, int | None, int | None, int | None,
    int, int, int, int, int, bool, str | None, str | None, str | None, str,
]  # fmt: skip
"""row, format, codec, duration_seconds, bitrate, sample_rate, bits_per_sample, channels, size,
mtime_ns, ctime_ns, audio_offset, audio_length, synthesised, reason, fingerprint, audio_hash,
state."""

Spans = list[tuple[int, int]]

BlockRow = tuple[int, int, str, str, int, str, Spans, bytes | None]
"""row, ordinal, kind, key, length, encoding, spans, body."""

ArtRow = tuple[int, int, int, str, str, int, int, int, int, int, str, int, Spans]
"""row, ordinal, picture_type, mime, description, width, height, depth, colors, length, encoding,
skip, spans."""

NoteRow = tuple[int, str, str]
"""row, counter, words: what becomes the problems table."""

_LARGEST_INTEGER: Final = 2**31 - 1


@dataclass(slots=True)
class Learned:
    """Rows of one chunk, or of several that were joined."""

    files: list[FileRow] = field(default_factory=list[FileRow])
    tag_rows: list[int] = field(default_factory=list[int])
    tag_keys: list[str] = field(default_factory=list[str])
    tag_ordinals: list[int] = field(default_factory=list[int])
    tag_values: list[str] = field(default_factory=list[str])
    blocks: list[BlockRow] = field(default_factory=list[BlockRow])
    art: list[ArtRow] = field(default_factory=list[ArtRow])
    notes: list[NoteRow] = field(default_factory=list[NoteRow])
    left_out: list[int] = field(default_factory=list[int])
    """Rows of films under an extension that music shares."""
    bytes_read: int = 0

    def extend(self, other: "Learned") -> None:
        """Append another chunk."""
        self.files += other.files
        self.tag_rows += other.tag_rows
        self.tag_keys += other.tag_keys
        self.tag_ordinals += other.tag_ordinals
        self.tag_values += other.tag_values
        self.blocks += other.blocks
        self.art += other.art
        self.notes += other.notes
        self.left_out += other.left_out
        self.bytes_read += other.bytes_read

    def add_reading(self, row: int, reading: Reading, stamp: Stamp) -> None:
        """Append one file that was read."""
        facts, anatomy = reading.facts, reading.facts.anatomy
        codec, duration, bitrate, sample_rate, bits, channels = facts.technical
        self.bytes_read += reading.bytes_read
        self.files.append(
            (
                row,
                anatomy.format.value,
                codec,
                duration,
                _fits(bitrate),
                _fits(sample_rate),
                _fits(bits),
                _fits(channels),
                stamp.size,
                stamp.mtime_ns,
                stamp.ctime_ns,
                anatomy.audio.offset,
                anatomy.audio.length,
                facts.synthesised,
                facts.reason,
                reading.fingerprint,
                reading.audio_hash,
                "present",
            )
        )
        self._add_tags(row, facts.tags)
        for ordinal, block in enumerate(anatomy.blocks):
            self.blocks.append(_block_row(row, ordinal, block))
        for ordinal, picture in enumerate(anatomy.pictures):
            self.art.append(_art_row(row, ordinal, picture))
        for counter, words in facts.notes:
            self.notes.append((row, counter, words))

    def _add_tags(self, row: int, pairs: tuple[tuple[str, str], ...]) -> None:
        if not pairs:
            return
        keys = [key for key, _ in pairs]
        self.tag_keys += keys
        self.tag_values += [value for _, value in pairs]
        self.tag_rows += [row] * len(keys)
        if len(set(keys)) == len(keys):
            self.tag_ordinals += [0] * len(keys)
            return
        seen: dict[str, int] = {}
        for key in keys:
            ordinal = seen.get(key, 0)
            seen[key] = ordinal + 1
            self.tag_ordinals.append(ordinal)

    def add_failure(self, row: int, stamp: Stamp, counter: Counter, reason: str) -> None:
        """Append one file that could not be read, and why."""
        self.files.append(
            (
                row, AudioFormat.UNKNOWN.value, None, None, None, None, None, None,
                stamp.size, stamp.mtime_ns, stamp.ctime_ns, 0, stamp.size, False, reason,
                None, None, "failed",
            )
        )  # fmt: skip
        self.notes.append((row, counter.value, reason))


def _fits(number: int | None) -> int | None:
    """Return a number that an INTEGER column holds; a forged header may say anything."""
    return number if number is not None and 0 <= number <= _LARGEST_INTEGER else None


def _pairs(spans: tuple[Span, ...]) -> Spans:
    return [(span.offset, span.length) for span in spans]


def _block_row(row: int, ordinal: int, block: Block) -> BlockRow:
    return (
        row, ordinal, block.kind.value, block.key, block.length, block.encoding.value,
        _pairs(block.spans), block.body,
    )  # fmt: skip


def _art_row(row: int, ordinal: int, picture: Picture) -> ArtRow:
    return (
        row, ordinal, picture.picture_type, picture.mime, picture.description,
        _fits(picture.width) or 0, _fits(picture.height) or 0, _fits(picture.depth) or 0,
        _fits(picture.colors) or 0, picture.length, picture.encoding.value, picture.skip,
        _pairs(picture.spans),
    )  # fmt: skip
