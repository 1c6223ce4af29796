"""musefs beside what a user would pick instead: scan, tags, mount, refresh, in one run.

    python tests/bench/bench_compare.py [--files 60000] [--tracks 4000] [--seed 7] [--runs 3]
                                        [--json FILE]

Each figure is a whole command, start-up included, as a user waits for it; page caches are warm.
The workload is made with a seed: an NTFS volume of many small files, and a folder of tagged music.
A peer that is not installed is named and left out. `times` is the peer's median over ours.
"""

import argparse
import json
import os
import platform
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "data" / "fixtures"))
import duckdb
import make_audio
import make_ntfs
import music_drive
from peers import SCAN_PEERS, Peer, Volume, program_version
from timing import SUCCESS, Timing, summarise

from musefs.index.read.attach import attached
from musefs.pipeline.read.layout import read_exactly, read_layout
from musefs.pipeline.read.run_map import HOLE
from musefs.pipeline.volume.opening import VolumeSource, open_source

BIN = Path(sys.executable).parent
TUNES = 6
SLOW_SECONDS = 8.0
"""A command that takes longer is run once, not `--runs` times after a warm-up."""
LONG_BYTES = 256 << 20
"""A file that shows throughput, where songs show what opening costs."""
POLL = "100"
"""Poll interval of both mounts, in milliseconds."""
RUST = shutil.which("musefs") or str(Path.home() / ".cargo" / "bin" / "musefs")

MUTAGEN_LOOP = """
import os, sys, mutagen
count = 0
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        try:
            found = mutagen.File(os.path.join(folder, name), easy=True)
        except mutagen.MutagenError:
            continue
        count += found is not None and len(found.items()) > 0
print(count)
"""


@dataclass
class Table:
    """What was measured, in order, and the peers that were not there."""

    rows: list[dict[str, object]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add(self, part: str, who: str, timing: Timing, release: str, note: str = "") -> None:
        """Add one row; the first of a part is ours and what others are compared with."""
        first = next((row for row in self.rows if row["part"] == part), None)
        times = timing.median / float(str(first["median"])) if first else 1.0
        self.rows.append(
            {"part": part, "who": who, **timing.as_dict(), "times": times, "version": release,
             "note": note, "text": timing.text()}
        )  # fmt: skip
        sys.stderr.write(f"  {part}: {who} {timing.text()}\n")

    def skip(self, who: str) -> None:
        """Name a peer that is not installed."""
        if who not in self.skipped:
            self.skipped.append(who)

    def lines(self) -> Iterator[str]:
        """Yield the table as Markdown, rows of the same work together."""
        works = list(dict.fromkeys(str(row["part"]) for row in self.rows))
        self.rows.sort(key=lambda row: works.index(str(row["part"])))
        yield "| work | program | median (least..most) | times | peak | version | what it lacks |"
        yield "|---|---|---|---|---|---|---|"
        for row in self.rows:
            peak = f"{int(str(row['peak_bytes'])) >> 20} MiB" if row["peak_bytes"] else ""
            yield (
                f"| {row['part']} | {row['who']} | {row['text']} | {row['times']:.2f} | {peak} "
                f"| {row['version']} | {row['note']} |"
            )
        for who in self.skipped:
            yield f"\nnot installed, left out: {who}"


def timed(command: Sequence[object], before: Callable[[], object], runs: int) -> Timing:
    """Time a whole command: once to warm up, then `runs` times, or once if it is slow."""
    seconds: list[float] = []
    peak = 0
    while len(seconds) < (1 if seconds and seconds[0] > SLOW_SECONDS else runs + 1):
        before()
        begin = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds.append(time.perf_counter() - begin)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in SUCCESS:
            raise RuntimeError(f"{command[0]} gave {process.returncode}")
        peak = max(peak, usage.ru_maxrss * 1024)
    if peak <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 * 1.05:
        peak = 0  # a child begins with what its parent had: smaller peaks cannot be seen
    return summarise(seconds[1:] or seconds, peak or None)


def nothing() -> None:
    """Prepare nothing."""


def save_mft(image: Path, target: Path) -> Path:
    """Write the $MFT of an image as a file, for peers that want it so."""
    source = open_source(str(image), None)
    assert isinstance(source, VolumeSource)
    with source.volume as volume, target.open("wb") as out:
        layout = read_layout(volume)
        for span in layout.run_map.pieces(0, layout.data_bytes):
            hole = span.physical == HOLE
            data = bytes(span.length) if hole else read_exactly(volume, span.physical, span.length)
            out.write(data)
    return target


def work_seconds(index: Path) -> float:
    """Return what the last scan says of its own length."""
    with attached(index) as con:
        ((seconds,),) = con.execute(
            "SELECT epoch(finished_at - started_at) FROM scans ORDER BY generation DESC LIMIT 1"
        ).fetchall()
    return float(seconds)


def compare_scans(table: Table, volume: Volume, work: Path, runs: int) -> None:
    """Image to published index, beside programs that list an image."""
    index = work / "scan.duckdb"
    ours = [BIN / "musefs-scan", volume.image, "--no-tags", "-q", "--out", index]
    inside: list[float] = []

    def forget() -> None:
        if index.exists():
            inside.append(work_seconds(index))
            index.unlink()

    timing = timed(ours, forget, runs)
    forget()
    table.add("scan", "musefs-scan", timing, version("musefs"))
    table.add(
        "scan", "musefs-scan, work only", summarise(inside[1:] or inside), version("musefs"),
        "the same runs without the start of Python",
    )  # fmt: skip
    for peer in SCAN_PEERS:
        release = peer.version()
        if release is None:
            table.skip(peer.name)
            continue
        timing = timed(peer.command(volume), nothing, runs)
        table.add("scan", peer.name, timing, _number(release), peer.answer)


def _number(release: str) -> str:
    return next((word for word in release.split() if word[:1].isdigit()), release)


def rust_peer() -> Peer:
    """Return the Rust reference as a peer."""
    return Peer("musefs (Rust)", "", program_version(RUST, "--version"), lambda _: [])


def compare_tags(table: Table, music: Path, work: Path, runs: int) -> tuple[Path, Path | None]:
    """Read the tags of a folder the first time and again; return both programs' indexes."""
    index, store = work / "music.duckdb", work / "music.sqlite"
    ours = [BIN / "musefs-scan", music, "-q", "--out", index]
    first = timed(ours, lambda: index.unlink(missing_ok=True), runs)
    again = timed(ours, nothing, runs)
    loop = timed([sys.executable, "-c", MUTAGEN_LOOP, music], nothing, runs)
    table.add("tags, first scan", "musefs-scan", first, version("musefs"))
    table.add("tags, first scan", "loop over mutagen", loop, version("mutagen"), "stores nothing")
    table.add("tags, nothing changed", "musefs-scan", again, version("musefs"))
    release = rust_peer().version()
    if release is None:
        table.skip("musefs (Rust)")
        return index, None
    scan = [RUST, "scan", music, "--db", store, "--quiet"]
    timing = timed(scan, lambda: _forget(store), runs)
    table.add("tags, first scan", "musefs (Rust)", timing, _number(release),
              "seven formats; folders, not volumes")  # fmt: skip
    timing = timed(scan, nothing, runs)
    table.add("tags, nothing changed", "musefs (Rust)", timing, _number(release))
    return index, store


def _forget(store: Path) -> None:
    for path in store.parent.glob(store.name + "*"):
        path.unlink()


@contextmanager
def mounted(command: Sequence[object], mountpoint: Path) -> Iterator[float]:
    """Mount, give the seconds until it was there, unmount."""
    mountpoint.mkdir(exist_ok=True)
    begin = time.perf_counter()
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not mountpoint.is_mount():
            if process.poll() is not None or time.perf_counter() - begin > 60:
                raise RuntimeError(f"{command[0]} did not mount")
            time.sleep(0.005)
        yield time.perf_counter() - begin
    finally:
        subprocess.run(["umount", str(mountpoint)], check=False)
        process.terminate()
        process.wait(20)


def complaints(*command: object) -> int:
    """Run a command to its end and return how many lines it complains; its answer is dropped."""
    done = subprocess.run(
        list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    return done.stderr.count(b"\n")


def walk(root: Path) -> int:
    """List everything below a folder with its attributes; returns how many could not be."""
    return complaints("find", root, "-ls")


def read_all(root: Path) -> int:
    """Read every song below a folder; returns how many files could not be read."""
    small = ("-type", "f", "-size", f"-{LONG_BYTES // 2}c")
    return complaints("find", root, *small, "-exec", "cat", "{}", "+")


def read_long(root: Path) -> int:
    """Read the one long file below a folder."""
    return complaints("find", root, "-size", f"+{LONG_BYTES // 2}c", "-exec", "cat", "{}", "+")


def write_long_file(target: Path) -> None:
    """Write a WAV of about `LONG_BYTES`, as recordings of a whole evening are."""
    target.parent.mkdir(parents=True, exist_ok=True)
    sound = f"sine=frequency=220:duration={LONG_BYTES // 176_400}:sample_rate=44100"
    make_audio.run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", sound, "-ac", "2", target)


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


@dataclass(frozen=True, slots=True)
class Mount:
    """A program that mounts an index, and how somebody edits that index."""

    who: str
    release: str
    command: Callable[[Path], list[object]]
    edit: Callable[[str], None]
    """Gives the first track in the order of ids another title."""


def our_mount(index: Path) -> Mount:
    """Return musefs-mount over an index."""

    def edit(title: str) -> None:
        with duckdb.connect(str(index)) as con:
            con.execute(
                "UPDATE tags SET value = ? WHERE key = 'title' AND track_id = "
                "(SELECT min(track_id) FROM tags WHERE key = 'title')",
                [title],
            )

    return Mount(
        "musefs-mount",
        version("musefs"),
        lambda at: [BIN / "musefs-mount", index, at, "--poll-interval", f"{POLL}ms"],
        edit,
    )


def rust_mount(store: Path, release: str) -> Mount:
    """Return the reference over its store."""

    def edit(title: str) -> None:
        with sqlite3.connect(store, timeout=20) as con:
            con.execute(
                "UPDATE tags SET value = ? WHERE key = 'title' AND track_id = "
                "(SELECT min(track_id) FROM tags WHERE key = 'title')",
                [title],
            )
        con.close()

    return Mount(
        "musefs (Rust)",
        _number(release),
        lambda at: [RUST, "mount", "--db", store, at, "--poll-interval-ms", POLL],
        edit,
    )


def compare_mounts(
    table: Table, mounts: Sequence[Mount], music: Path, work: Path, runs: int
) -> None:
    """Mount, walk, read everything, edit one tag and wait for it."""
    for mount in mounts:
        found: dict[str, list[float]] = {}
        failed = 0
        for number in range(runs):
            at = work / f"mnt-{mount.who.split()[0]}-{number}"
            with mounted(mount.command(at), at) as ready:
                found.setdefault("mount, until it is there", []).append(ready)
                walks = [seconds_of(lambda r=at: walk(r)) for _ in range(2)]
                found.setdefault("mount, first find -ls", []).append(walks[0])
                found.setdefault("mount, second find -ls", []).append(walks[1])
                found.setdefault("mount, read every song", []).append(
                    seconds_of(lambda r=at: read_all(r))
                )
                found.setdefault("mount, read a 256 MiB file", []).append(
                    seconds_of(lambda r=at: read_long(r))
                )
                failed = max(failed, walk(at))
                found.setdefault("refresh, edit to visible name", []).append(
                    _refresh(mount, at, f"Edited {number} {time.time_ns()}")
                )
        for part, seconds in found.items():
            reads = "find" in part or "read" in part
            note = f"{failed} files answer with an error" if failed and reads else ""
            table.add(part, mount.who, summarise(seconds), mount.release, note)
    plain = [seconds_of(lambda: walk(music)) for _ in range(runs)]
    table.add("mount, second find -ls", "the folder itself", summarise(plain), "", "no new names")
    plain = [seconds_of(lambda: read_all(music)) for _ in range(runs)]
    table.add("mount, read every song", "the folder itself", summarise(plain), "", "no new tags")
    plain = [seconds_of(lambda: read_long(music)) for _ in range(runs)]
    table.add(
        "mount, read a 256 MiB file", "the folder itself", summarise(plain), "", "no new tags"
    )


def _refresh(mount: Mount, at: Path, title: str) -> float:
    """Return the seconds from the start of an edit until a walk finds the new name."""
    begin = time.perf_counter()
    mount.edit(title)
    while time.perf_counter() - begin < 30:
        if any(title in path.name for path in at.glob("*/*/*")):
            return time.perf_counter() - begin
        time.sleep(0.01)
    raise RuntimeError(f"{mount.who} did not show the edit")


def main() -> int:
    """Make the workload, measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=60_000, help="small files on the volume")
    parser.add_argument("--tracks", type=int, default=4_000, help="tagged tracks in the folder")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    if not make_ntfs.can_mount():
        sys.stderr.write("left out: making NTFS volumes and mounting needs root and ntfs-3g\n")
        return 0
    table = Table()
    with tempfile.TemporaryDirectory(prefix="musefs-compare-") as name:
        work = Path(name)
        _measure(table, work, chosen)
    lines = list(table.lines())
    sys.stdout.write("\n".join(lines) + "\n")
    if chosen.json is not None:
        told = {
            "workload": {k: getattr(chosen, k) for k in ("files", "tracks", "seed", "runs")},
            "machine": f"{platform.machine()}, {platform.release()}, Python "
            f"{platform.python_version()}",
            "rows": table.rows,
            "skipped": table.skipped,
        }
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(told, indent=2), encoding="utf-8")
    return 0


def _measure(table: Table, work: Path, chosen: argparse.Namespace) -> None:
    sys.stderr.write("making the workload …\n")
    image, music = work / "volume.ntfs", work / "music"
    music_drive.make_drive(image, 0, chosen.files, chosen.seed)
    music.mkdir()
    music_drive.fill_music(music, chosen.tracks, random.Random(chosen.seed), TUNES)
    write_long_file(music / "recordings" / "evening.wav")
    mft = save_mft(image, work / "saved.mft")
    with make_ntfs.mounted(image, "ro") as at:
        compare_scans(table, Volume(image, mft, at), work, chosen.runs)
    index, store = compare_tags(table, music, work, chosen.runs)
    mounts = [our_mount(index)]
    if store is not None:
        mounts.append(rust_mount(store, rust_peer().version() or ""))
    compare_mounts(table, mounts, music, work, chosen.runs)


if __name__ == "__main__":
    sys.exit(main())
