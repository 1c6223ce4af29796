"""The process behind a test's mount: serves a MemoryGeneration, takes commands on stdin.

The mount's clients are other processes: a page fault of one's own mount inside the daemon hangs.
"""

import faulthandler
import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from support.served_library import MemoryFile, MemoryGeneration, reference

from musefs.index.backing.content import Content, ContentRef
from musefs.index.backing.mounted import MountedBacking
from musefs.index.counters import current_tally
from musefs.mount.plan import KernelPlan, Loop, OwnershipPlan
from musefs.mount.serve.core import Core, Limits
from musefs.mount.serve.devices import Devices
from musefs.mount.serve.opening import MountedOpener, WaitingOpener
from musefs.mount.serve.ownership import Ownership
from musefs.mount.serve.pool import Pool
from musefs.mount.serve.tuning import tune_process
from musefs.mount.transport.transport import Transport


class SlowContent:
    """A content whose every read takes its time."""

    descriptor = None

    def __init__(self, content: Content, delay_s: float) -> None:
        self._content = content
        self._delay_s = delay_s
        self.size = content.size

    def read_at(self, offset: int, length: int) -> bytes:
        time.sleep(self._delay_s)
        return self._content.read_at(offset, length)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)


class SlowBacking:
    """A store that needs `delay_s` for each read."""

    def __init__(self, backing: MountedBacking, delay_s: float) -> None:
        self._backing = backing
        self._delay_s = delay_s

    def open(self, ref: ContentRef) -> Any:
        content = self._backing.open(ref)
        return SlowContent(content, self._delay_s) if b"slow" in ref.path else content

    def stamp(self, ref: ContentRef) -> Any:
        return self._backing.stamp(ref)


def library(root: Path, files: list[list[Any]], number: int) -> MemoryGeneration:
    """Make a state from [path, original name or None, version, header bytes] lists."""
    made = []
    for path, original, version, header_bytes in files:
        ref = None if original is None else reference(root, original)
        made.append(MemoryFile(os.fsencode(path), ref, version, header_bytes))
    return MemoryGeneration(number, made)


def make_transport(kind: str, core: Core, kernel: KernelPlan) -> Transport:
    if kind == "raw":
        from musefs.mount.transport.raw import RawTransport

        return RawTransport(core, kernel)
    from musefs.mount.transport.pyfuse3_transport import Pyfuse3Transport

    return Pyfuse3Transport(core, kernel)


def changed_names(old: MemoryGeneration, new: MemoryGeneration) -> list[tuple[int, bytes]]:
    names: list[tuple[int, bytes]] = []
    for state, other in ((old, new), (new, old)):
        for node in range(1, len(state._nodes)):
            attributes = state.attributes(node)
            if other.node_of(attributes.inode) is None:
                parent = state.attributes(state.parent(node)).inode
                names.append((parent, state.name(node)))
    return names


def main() -> None:
    faulthandler.register(signal.SIGUSR1)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    spec = json.loads(sys.argv[1])
    root, kind = Path(spec["root"]), spec["transport"]
    files = json.loads(Path(spec["files"]).read_text())
    kernel = KernelPlan(loop=Loop.TRIO if kind == "trio" else Loop.MINI, **spec.get("kernel", {}))
    tune_process()
    backing = MountedBacking(root)
    devices = Devices()
    delay_s = spec.get("delay_s", 0)
    opener = (
        WaitingOpener(SlowBacking(backing, delay_s)) if delay_s else MountedOpener(backing, devices)
    )
    with Pool(spec.get("threads", 48)) as pool:
        core = Core(
            library(root, files, 1),
            opener,
            Ownership.of_plan(OwnershipPlan()),
            pool,
            devices=devices,
            limits=Limits(**spec.get("limits", {})),
        )
        if spec.get("metrics"):
            core.metrics_text = lambda: "musefs_uptime_seconds 1\n"
        if spec.get("passthrough"):
            core.passthrough = True
        transport = make_transport(kind, core, kernel)
        transport.mount(Path(spec["mountpoint"]), tuple(spec["options"]))
        signal.signal(signal.SIGTERM, lambda *_: transport.stop())
        thread = threading.Thread(
            target=commands, args=(core, transport, root), name="commands", daemon=True
        )
        thread.start()
        try:
            transport.run()
        finally:
            transport.close()
            core.close()


def commands(core: Core, transport: Transport, root: Path) -> None:
    notifier = transport.notifier()
    say({"ready": True})
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "set":
            old = core.generation
            new = library(root, json.loads(Path(rest).read_text()), old.number + 1)
            core.swap(new)
            notifier.expire(changed_names(old, new))
            say({"set": new.number})
        elif word == "stats":
            say(statistics(core, transport))
        elif word == "crash":
            core.statfs = lambda: 1 / 0  # type: ignore[method-assign]
            say({"crash": True})


def statistics(core: Core, transport: Transport) -> dict[str, Any]:
    return {
        "handles": len(core.handles),
        "directories": len(core.directories),
        "reads": core.reader.reads,
        "offloaded": core.reader.offloaded,
        "pool": core.pool.statistics(),
        "budget": core.budget.statistics(),
        "layouts": core.layouts.statistics(),
        "devices": core.devices.statistics(),
        "counters": {c.value: n for c, n in current_tally().snapshot().items()},
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "resident_kib": int(Path("/proc/self/statm").read_text().split()[1]) * 4,
        "transport": transport.statistics(),
    }


def say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
