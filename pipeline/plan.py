"""What a scan, a check or a probe is asked to do, resolved and frozen.

Made by `cli` from the flags; read by `scan`, `check` and `read.probe`. No I/O has
happened when a plan exists, so a path in it may well not.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from musefs.index.command.common import CommonPlan


class Fingerprint(StrEnum):
    """How the audio of a track is recognised again."""

    CHEAP = "cheap"
    """Size of the audio and a few samples of it: nothing more is read than tags need."""
    FULL = "full"
    """A hash over all of the audio: exact, and as slow as reading every file."""


class ProbeMode(StrEnum):
    """How the probe reads."""

    ALL = "all"
    """Each of the others that this system offers, one after the other."""
    BUFFERED = "buffered"
    """Through the page cache, as a scan does."""
    SEQUENTIAL = "sequential"
    """Through the page cache, announced as sequential."""
    UNBUFFERED = "unbuffered"
    """Past the page cache (O_DIRECT, FILE_FLAG_NO_BUFFERING)."""
    PARALLEL = "parallel"
    """Past the page cache with `queue_depth` requests at a time."""


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """One scan of one source into one index."""

    source: str
    """As typed: `C:`, `/dev/sdb1`, an image, a saved $MFT or a directory."""
    out: Path
    common: CommonPlan = field(default_factory=CommonPlan)
    partition: int | None = None
    """1-based number of the NTFS partition in a whole-disk image."""
    root: Path | None = None
    """Where the volume is mounted now; None reads audio from the volume itself."""
    workers: int = 0
    """Parser threads; 0 is one for each CPU."""
    deleted: bool = False
    """Whether deleted records get rows."""
    tags: bool = True
    """Whether audio files are opened for their tags."""
    fingerprint: Fingerprint = Fingerprint.CHEAP
    force: bool = False
    """Whether unchanged files are read again."""
    prune: bool = False
    """Whether tracks whose file is gone are dropped now and not kept as missing."""
    other_volume: bool = False
    """Whether an index of another volume is continued with this one."""
    follow_symlinks: bool = False
    """Whether the walk of a directory enters links to directories."""
    exclude: tuple[str, ...] = ()
    """Globs of paths below the source whose audio is not read; rows of files remain."""


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """One check of an index; nothing is written."""

    index: Path
    common: CommonPlan = field(default_factory=CommonPlan)


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """One measurement of how fast a volume's records can be read."""

    source: str
    common: CommonPlan = field(default_factory=CommonPlan)
    partition: int | None = None
    mode: ProbeMode = ProbeMode.ALL
    runs: int = 3
    """Runs of each mode; the best counts."""
    chunk_bytes: int = 16 << 20
    queue_depth: int = 4
    """Requests in flight in PARALLEL mode."""
