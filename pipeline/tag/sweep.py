"""Read what nearly every file is asked for in one sweep of a rotating disk.

A file's head, middle and end lie far from each other as soon as it is fragmented; taken file by
file they send the head of the disk to and fro. So for a chunk of files the three stretches of
each are put into the order of the volume and read once across; the walkers find them in memory.
Memory is bounded by the chunk: some 28 KiB a file.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from musefs.index.backing.content import Content
from musefs.index.errors import MusefsError
from musefs.pipeline.tag.fingerprint import SAMPLE_BYTES
from musefs.pipeline.tag.sources import Job, Opener, Runs
from musefs.pipeline.tag.window import HEAD_BYTES, Piece

_TAIL_BYTES: Final = 4096
"""ID3v1, the footers of APEv2 and Lyrics3, and the last Ogg page of most files."""

_MIDDLE_BYTES: Final = 16 * SAMPLE_BYTES
"""The middle of the audio is behind the middle of the file by half of the tags' length: this
covers tags of 14 KiB; for files with large pictures the sample is read when its turn comes."""


def sweep_chunk(opener: Opener, jobs: Sequence[Job]) -> dict[int, list[Piece]]:
    """Return the stretches of each job's file, by row; files that fail are left to be told later.

    A file whose place on the volume is not known is left out: it is read when its turn comes.
    """
    plan = sorted(
        (_place(job.runs, first), number, first, length)
        for number, job in enumerate(jobs)
        if job.runs
        for first, length in _stretches(job.size)
    )
    contents: dict[int, Content] = {}
    pieces: dict[int, list[Piece]] = {}
    try:
        for _, number, first, length in plan:
            _read(opener, jobs[number], number, first, length, contents, pieces)
    finally:
        for content in contents.values():
            content.close()
    return {row: sorted(found) for row, found in pieces.items() if _has_head(found)}


def _read(
    opener: Opener,
    job: Job,
    number: int,
    first: int,
    length: int,
    contents: dict[int, Content],
    pieces: dict[int, list[Piece]],
) -> None:
    try:
        if number not in contents:
            contents[number] = opener.open(job).content
        data = contents[number].read_at(first, length)
    except MusefsError:
        return  # it is opened again when its turn comes, and fails there with its reason
    pieces.setdefault(job.row, []).append((first, first + len(data), data))


def _has_head(found: Sequence[Piece]) -> bool:
    return any(first == 0 for first, _, _ in found)


def _stretches(size: int) -> list[tuple[int, int]]:
    if size <= HEAD_BYTES + _TAIL_BYTES + _MIDDLE_BYTES:
        return [(0, size)]
    middle = (size - _MIDDLE_BYTES) // 2
    return [(0, HEAD_BYTES), (middle, _MIDDLE_BYTES), (size - _TAIL_BYTES, _TAIL_BYTES)]


def _place(runs: Runs | None, offset: int) -> int:
    """Return where on the volume byte `offset` of a file lies; holes count as the start."""
    starts: list[int] = []
    total = 0
    for _, length in runs or ():
        starts.append(total)
        total += length
    number = bisect_right(starts, offset) - 1
    if not runs or number < 0:
        return 0
    return runs[number][0] + offset - starts[number]
