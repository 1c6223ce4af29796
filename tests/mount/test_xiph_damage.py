"""Real files with damage: refused by the walker, or served whole, and never anything else."""

import random
from pathlib import Path

import pytest
from support.contents import MemoryContent
from support.tracks import MANY_TAGS, sizes_of, source_of

from musefs.index.counters import Counter
from musefs.index.errors import MediaFormatError
from musefs.index.media import flac, ogg
from musefs.mount.formats.layout import read_layout
from musefs.mount.formats.reading import ReadContext
from musefs.mount.formats.synthesise import synthesise

NAMES = (
    "flac/many-tags.flac", "flac/blocks.flac", "flac/leading-id3.flac", "ogg/many.ogg",
    "ogg/flac.oga", "ogg/speex.spx", "opus/many.opus",
)  # fmt: skip
FRONTS = (100, 600, 8000, 200_000)
"""Damage falls into the first bytes of a file more often: there is the structure."""


def damaged(original: bytes, chance: random.Random) -> bytes:
    """Change, cut out, put in or cut off a few bytes."""
    data = bytearray(original)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(min(len(data), chance.choice(FRONTS)))
        match chance.randrange(5):
            case 0 | 1:
                data[at] = chance.choice([0, 255, data[at] ^ 1 << chance.randrange(8)])
            case 2:
                del data[at : at + chance.randint(1, 300)]
            case 3:
                data[at:at] = chance.randbytes(chance.randint(1, 50))
            case _:
                del data[max(1, at) :]
    return bytes(data)


def check(data: bytes, chance: random.Random) -> bool:
    """Return whether the walker took the file; check what is served then."""
    walk = ogg.read_anatomy if data.startswith(b"OggS") else flac.read_anatomy
    try:
        anatomy = walk(lambda offset, length: data[offset : offset + length], len(data))
    except MediaFormatError:
        return False
    source = source_of(anatomy, len(data), MANY_TAGS)
    layout = synthesise(source)
    whole = read_layout(layout, 0, layout.size, ReadContext(MemoryContent(data)))
    assert [len(whole)] == [layout.size] == sizes_of([source])
    offset, length = chance.randrange(layout.size), chance.randint(1, 5000)
    part = read_layout(layout, offset, length, ReadContext(MemoryContent(data)))
    assert part == whole[offset : offset + length]
    return True


@pytest.mark.expected_degradations(Counter.PICTURES_DROPPED, Counter.TAG_BLOCKS_DROPPED)
@pytest.mark.parametrize("rounds", [60, pytest.param(5000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NAMES)
def test_damage_is_refused_or_served(name: str, rounds: int, audio_library: Path) -> None:
    original = (audio_library / name).read_bytes()
    chance = random.Random(f"{name} {rounds}")
    taken = sum(check(damaged(original, chance), chance) for _ in range(rounds))
    assert 0 < taken < rounds
