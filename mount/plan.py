"""What a mount is asked to do, resolved and frozen.

Made by `cli` from the flags; read by `session` (which mounts) and by what it hands parts of it to.
Templates are text here: they are compiled, and refused, by `template`.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from musefs.index.command.common import CommonPlan


class Mode(StrEnum):
    """What a served file consists of."""

    SYNTHESIS = "synthesis"
    """A fresh header with the index's tags, then the original's audio."""
    STRUCTURE_ONLY = "structure-only"
    """The original's bytes under the new name."""


class Loop(StrEnum):
    """Which event loop runs the handlers."""

    MINI = "mini"
    TRIO = "trio"


class Transport(StrEnum):
    """How requests come from the kernel."""

    AUTO = "auto"
    """The raw one where passthrough applies, pyfuse3 otherwise."""
    PYFUSE3 = "pyfuse3"
    RAW = "raw"


@dataclass(frozen=True, slots=True)
class NamingPlan:
    """How tracks become paths."""

    template: str = "$albumartist/$album/$title"
    views: tuple[tuple[str, str], ...] = ()
    """(folder at the root, template); when there are any they replace `template`."""
    fallbacks: tuple[tuple[str, str], ...] = ()
    """(field in lower case, text used when a track has no such tag); the last of a field wins."""
    default_fallback: str = "Unknown"
    skip_on_missing: bool = False
    case_insensitive: bool = False
    safe_names: bool = False
    """Whether names are made acceptable to SMB and Windows clients."""
    where: str | None = None
    """SQL condition over tracks_v; None serves all."""


@dataclass(frozen=True, slots=True)
class ExtrasPlan:
    """What stands in the tree beside tracks."""

    covers: bool = True
    sidecars: bool = True
    playlists: bool = True
    metrics: bool = False


@dataclass(frozen=True, slots=True)
class OwnershipPlan:
    """Whom files seem to belong to, and who may look."""

    uid: int | None = None
    """None is the user who mounts."""
    gid: int | None = None
    file_mode: int = 0o444
    dir_mode: int = 0o555
    allow_other: bool = False


@dataclass(frozen=True, slots=True)
class BackingPlan:
    """Where the bytes of the originals are."""

    root: Path | None = None
    """Where the volume is mounted here; None uses what the scan recorded."""
    volume: Path | None = None
    """The volume itself: a device or an image."""


@dataclass(frozen=True, slots=True)
class KernelPlan:
    """What the kernel may keep and ask for."""

    entry_timeout_s: float = 3600.0
    """Long, because changed names are expired by message and an inode never changes."""
    attr_timeout_s: float = 3600.0
    negative_timeout_s: float = 3600.0
    keep_cache: bool = True
    max_read_ahead_bytes: int = 512 << 10
    max_background: int = 64
    loop: Loop = Loop.MINI
    transport: Transport = Transport.AUTO


@dataclass(frozen=True, slots=True)
class ReadingPlan:
    """How originals are read."""

    workers: int = 0
    """Threads for reads that may wait; 0 is chosen by the machine (32 to 64)."""
    read_ahead_budget_bytes: int = 64 << 20
    """Over all handles; 0 switches read-ahead off."""
    prefetch: bool = False


@dataclass(frozen=True, slots=True)
class MountPlan:
    """One mount, or its preview."""

    index: Path
    mountpoint: Path | None
    """None only with `dry_run`."""
    common: CommonPlan = field(default_factory=CommonPlan)
    mode: Mode = Mode.SYNTHESIS
    poll_interval_s: float = 1.0
    """How often the index is looked at; 0 looks at every request that could notice."""
    naming: NamingPlan = field(default_factory=NamingPlan)
    extras: ExtrasPlan = field(default_factory=ExtrasPlan)
    ownership: OwnershipPlan = field(default_factory=OwnershipPlan)
    backing: BackingPlan = field(default_factory=BackingPlan)
    kernel: KernelPlan = field(default_factory=KernelPlan)
    reading: ReadingPlan = field(default_factory=ReadingPlan)
    dry_run: bool = False
    limit: int = 30
    """Paths shown by a dry run; 0 shows all."""
    daemon: bool = False
    clean_stale: bool = False
