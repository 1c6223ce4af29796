"""The fuzz target: any bytes as a saved $MFT, through both parsers, which must agree.

    python -m support.fuzzing [SECONDS]      # from tests/, mutates the corpus until time is up

Inputs are kept small: a few records of 1 KiB. What crashed goes into data/fixtures/fuzz as a
regression. The corpus is written anew from the damage suite with `--corpus`.
"""

import random
import sys
import time
import zlib
from pathlib import Path

from support.scanning import assert_equivalent, saved

from musefs.pipeline.records import RecordOptions

CORPUS = Path(__file__).parents[2] / "data" / "fixtures" / "fuzz"
RECORD = 1024


def fuzz_one(mft: bytes) -> None:
    """Run one input; raises when a parser raises or the two disagree."""
    records = max(1, len(mft) // RECORD)
    raw = bytearray(mft.ljust(records * RECORD, b"\0"))
    raw[0:4], raw[0x1C:0x20] = b"FILE", RECORD.to_bytes(4, "little")  # else it is no $MFT at all
    assert_equivalent(saved(bytes(raw)), RecordOptions(True, 1, 3 * RECORD, 2 * RECORD))


def load_corpus() -> dict[str, bytes]:
    """Return the committed inputs."""
    return {path.name: zlib.decompress(path.read_bytes()) for path in sorted(CORPUS.glob("*.z"))}


def mutate(raw: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """Flip, insert interesting numbers, swap records with other inputs."""
    out = bytearray(raw)
    for _ in range(chance.randint(1, 12)):
        at = chance.randrange(len(out))
        match chance.randrange(4):
            case 0:
                out[at] = chance.randrange(256)
            case 1:
                number = chance.choice([0, 1, 7, 8, 0x18, 0x40, 0xFF, 0x7FFF, 0xFFFF, 1 << 31])
                out[at : at + 4] = number.to_bytes(4, "little")[: len(out) - at]
            case 2:
                other = chance.choice(others)
                place = chance.randrange(max(1, len(other) // RECORD)) * RECORD
                here = at // RECORD * RECORD
                out[here : here + RECORD] = other[place : place + RECORD].ljust(RECORD, b"\0")
            case _:
                out[at : at + 8] = b"\xff" * min(8, len(out) - at)
    return bytes(out)


def fuzz(seconds: float, seed: int = 0) -> int:
    """Mutate the corpus for some time; return the inputs tried."""
    chance = random.Random(seed)
    inputs = list(load_corpus().values())
    tried = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        raw = mutate(chance.choice(inputs), chance, inputs)
        try:
            fuzz_one(raw)
        except BaseException:
            (CORPUS / f"crash-{zlib.crc32(raw):08x}.z").write_bytes(zlib.compress(raw))
            raise
        tried += 1
    return tried


if __name__ == "__main__":
    sys.stdout.write(f"{fuzz(float(sys.argv[1]) if len(sys.argv) > 1 else 60)} inputs\n")
