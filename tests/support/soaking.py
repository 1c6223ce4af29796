"""A long life in short: clients that never rest, edits without end, and what the mount holds."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support.mounted_index import MountedIndex, execute

CLIENT = """
import json, os, random, sys, time
root, seed, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
choose = random.Random(seed)
end = time.monotonic() + seconds
did = {"listings": 0, "stats": 0, "opens": 0, "reads": 0, "bytes": 0, "gone": 0}
while time.monotonic() < end:
    for folder, folders, names in os.walk(root):
        did["listings"] += 1
        for name in names:
            path = os.path.join(folder, name)
            try:
                size = os.stat(path).st_size
                did["stats"] += 1
                if choose.random() > 0.3:
                    continue
                fd = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                did["gone"] += 1  # renamed since the listing
                continue
            did["opens"] += 1
            try:
                size = os.fstat(fd).st_size
                for _ in range(4):
                    offset = choose.randrange(size + 1)
                    length = min(choose.randrange(1, 200000), size - offset)
                    got = len(os.pread(fd, length, offset))
                    assert got == length, (path, size, offset, length, got, os.fstat(fd))
                    did["reads"] += 1
                    did["bytes"] += length
            finally:
                os.close(fd)
print(json.dumps(did))
"""

EDITS = (
    "UPDATE tags SET value = 'Title {n}' WHERE key = 'title' AND track_id = {track}",
    "UPDATE tags SET value = 'Album {m}' WHERE key = 'album' AND track_id % 7 = {n} % 7",
    "DELETE FROM tags WHERE key = 'comment' AND track_id = {track}",
    "INSERT INTO tags VALUES ({track}, 'comment', 0, 'said {n} times')",
    "UPDATE tags SET value = 'same' WHERE key = 'title' AND track_id IN ({track}, {track} + 1)",
)
"""Titles, whole albums, single tags, and names that several tracks want."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds at one moment."""

    seconds: float
    own_mib: float
    caches_mib: float
    """Of that, what bounded caches say they hold: layouts of files opened, decoded pictures."""
    descriptors: int
    mappings: int
    threads: int

    @classmethod
    def by(cls, mount: MountedIndex, begin: float) -> "Held":
        """Look at a mount's process."""
        assert mount.process is not None
        process = mount.process.pid
        text = (mount.mountpoint / ".musefs-metrics" / "metrics").read_text()
        metrics = dict(line.split(" ") for line in text.splitlines() if line[:1] != "#")
        caches = ("cache_header_bytes", "decoded_bytes", "readahead_charged_bytes")
        at = Path(f"/proc/{process}")
        status = dict(
            line.split(":", 1) for line in (at / "status").read_text().splitlines() if ":" in line
        )
        return cls(
            time.monotonic() - begin,
            int(status["RssAnon"].split()[0]) / 1024,
            sum(float(metrics[f"musefs_{name}"]) for name in caches) / (1 << 20),
            len(list((at / "fd").iterdir())),
            (at / "maps").read_text().count("\n"),
            int(status["Threads"]),
        )


@dataclass(slots=True)
class Life:
    """What happened, and what was held on the way."""

    did: dict[str, int] = field(default_factory=dict)
    edits: int = 0
    refreshes: int = 0
    held: list[Held] = field(default_factory=list)

    @property
    def operations(self) -> int:
        """Requests that clients made."""
        return sum(self.did.get(what, 0) for what in ("listings", "stats", "opens", "reads"))

    def lines(self) -> Iterator[str]:
        """Yield what to print."""
        yield f"{self.operations} operations: " + ", ".join(f"{n} {w}" for w, n in self.did.items())
        yield f"{self.edits} edits, {self.refreshes} refreshes"
        for held in self.held:
            yield (
                f"after {held.seconds:6.0f} s: {held.own_mib:6.1f} MiB of its own "
                f"({held.caches_mib:.1f} in caches), "
                f"{held.descriptors} descriptors, {held.mappings} mappings, {held.threads} threads"
            )


def live(mount: MountedIndex, seconds: float, *, clients: int = 2, looks: int = 8) -> Life:
    """Let clients and edits go on for a time, and look at the mount's process in between.

    The mount shows its metrics. Each look is taken with nothing going on: what is held then is
    what is kept.
    """
    life = Life()
    begin = time.monotonic()
    choose = random.Random(5)
    for _ in range(looks):
        _a_while(mount, life, seconds / looks, clients, choose)
        time.sleep(2.5)  # former states are answered for two seconds
        life.held.append(Held.by(mount, begin))
    life.refreshes = mount.log().count("refreshed in ")
    return life


def _a_while(
    mount: MountedIndex, life: Life, seconds: float, clients: int, choose: random.Random
) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", CLIENT, mount.mountpoint, str(choose.random() * 1e9 // 1)[:-2],
             str(seconds)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(clients)
    ]  # fmt: skip
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        number = life.edits
        words = {"n": number, "m": number // 10, "track": 1 + choose.randrange(40)}
        execute(mount.index, EDITS[number % len(EDITS)].format(**words))
        life.edits += 1
        time.sleep(0.02)
    for process in running:
        out, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint
        for what, count in json.loads(out).items():
            life.did[what] = life.did.get(what, 0) + count
