"""A scanner to be killed: publishes generations until it dies, and says with fsync which are out.

Run as `python scan_child.py INDEX ACKS KILL_AT`; KILL_AT counts borders of the writer's steps
(before and after each), 0 means never: then somebody else kills it.
"""

import os
import sys
from pathlib import Path

from support.index_rows import rows, scanned_tags, tracks

from musefs.index.schema.library_tables import TRACKS
from musefs.index.schema.volume_tables import STREAMS
from musefs.index.write import IndexWriter
from musefs.index.write.doubles import Script, ScriptedDisk, ScriptedStore, kill_process
from musefs.index.write.rounds import Rounds
from musefs.index.write.store import DuckDbStore, RealDisk

STREAM_ROWS = 400


class KillingScript(Script):
    """Kills this process when it has crossed so many borders."""

    def __init__(self, kill_at: int) -> None:
        super().__init__()
        self._left = kill_at

    def enter(self, operation: str) -> None:
        """Count a border."""
        super().enter(operation)
        self._left -= 1
        if self._left == 0:
            kill_process()


def scan(index: Path, generation: int, script: Script) -> int:
    """Publish one generation whose every row says which it is."""
    with IndexWriter(
        index,
        open_store=lambda path: ScriptedStore(DuckDbStore(path), script),
        disk=ScriptedDisk(RealDisk(), script),
        rounds=Rounds(round_rows=100),
    ) as writer:
        present = writer.previous.generation + 1 if writer.previous else 1
        label = f"generation-{present}"
        for start in range(0, STREAM_ROWS, 50):
            ids = range(start, start + 50)
            writer.append(STREAMS, rows(STREAMS, [{"entry_id": n, "name": label} for n in ids]))
        writer.append(TRACKS, tracks([1], size=present, fingerprint=label))
        writer.append(*scanned_tags({1: {"title": [label]}}))
        return writer.publish(f"scan-{generation}").generation


def main() -> None:
    """Scan for ever."""
    index, acks, kill_at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    script = KillingScript(kill_at)
    with acks.open("a") as file:
        for turn in range(1000):
            file.write(f"{scan(index, turn, script)}\n")
            file.flush()
            os.fsync(file.fileno())


if __name__ == "__main__":
    main()
