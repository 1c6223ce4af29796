"""Where the originals of a library are on this machine, and how one track's is referred to."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musefs.index.backing.content import ContentKind, ContentRef, Stamp
from musefs.index.backing.mounted import MountedBacking
from musefs.index.backing.raw_volume import (
    FileSource,
    Geometry,
    VolumeBacking,
    find_volume,
)
from musefs.index.errors import UsageError
from musefs.index.read.snapshot import LibrarySnapshot, VolumeFacts
from musefs.mount.plan import BackingPlan
from musefs.mount.serve.devices import Devices
from musefs.mount.serve.opening import MountedOpener, Opener, WaitingOpener

_log = logging.getLogger(__name__)

WITH_INODES = "directory"
"""The kind of volume whose record numbers are inode numbers that a `stat` shows again."""


@dataclass(frozen=True, slots=True)
class Originals:
    """Where originals are opened."""

    root: Path | None
    """The mounted path; None when the volume itself is read."""
    opener: Callable[[Devices], Opener]
    compares_inodes: bool
    close: Callable[[], None]


def needs_contents(plan: BackingPlan, volume: VolumeFacts | None) -> bool:
    """Say whether the data runs of files are needed: the volume itself is read."""
    return plan.volume is not None or _implied_volume(plan, volume) is not None


def find_originals(plan: BackingPlan, volume: VolumeFacts | None) -> Originals:
    """Return where the originals are; raises UsageError if nothing says it."""
    device = plan.volume or _implied_volume(plan, volume)
    if device is not None:
        return _on_volume(device, volume)
    recorded = None if volume is None or volume.root_path is None else Path(volume.root_path)
    root = plan.root or recorded
    if root is None:
        raise UsageError(
            "the index does not say where its volume is mounted",
            hint="Give --root where it is mounted here, or --volume with the device or image.",
        )
    if not root.is_dir():
        _log.warning("%s is not there now; files cannot be read until it is", root)
    backing = MountedBacking(root)
    same_place = plan.root is None and volume is not None and volume.kind == WITH_INODES
    return Originals(
        root=root,
        opener=lambda devices: MountedOpener(backing, devices),
        compares_inodes=same_place,
        close=lambda: None,
    )


def _implied_volume(plan: BackingPlan, volume: VolumeFacts | None) -> Path | None:
    """Return the scanned image or device if it is still there and nothing else was said."""
    if plan.root is not None or volume is None or volume.root_path is not None:
        return None
    if volume.kind != "ntfs" or volume.bytes_per_cluster is None:
        return None
    source = Path(volume.source)
    return source if source.exists() else None


def _on_volume(device: Path, volume: VolumeFacts | None) -> Originals:
    if volume is None or volume.bytes_per_cluster is None or volume.bytes_per_record is None:
        raise UsageError(
            "the index was not made from an NTFS volume", path=device,
            hint="Give --root with the folder where the files are.",
        )  # fmt: skip
    geometry = Geometry(
        partition_offset=volume.partition_offset,
        bytes_per_cluster=volume.bytes_per_cluster,
        bytes_per_record=volume.bytes_per_record,
        mft_runs=volume.mft_runs,
    )
    source = FileSource(device)
    backing = VolumeBacking(source, find_volume(source, geometry, volume.serial, device))
    return Originals(
        root=None,
        opener=lambda _: WaitingOpener(backing),
        compares_inodes=False,
        close=backing.close,
    )


_TRACK_COLUMNS = (
    "path", "path_bytes", "record_number", "sequence", "size", "mtime_ns", "ctime_ns", "lsn",
)  # fmt: skip
_CONTENT_COLUMNS = ("kind", "valid_size", "unit_clusters", "resident", "runs")


def original_of(library: LibrarySnapshot, position: int, *, compares_inodes: bool) -> ContentRef:
    """Return the reference to the original of the track at a position."""
    text, exact, record, sequence, size, mtime_ns, ctime_ns, lsn = library.track(
        position, _TRACK_COLUMNS
    )
    path: bytes = text.encode("utf-8", "surrogatepass") if exact is None else exact
    return ContentRef(
        path=path if path.startswith(b"/") else b"/" + path,
        record_number=record,
        sequence=sequence,
        stamp=Stamp(size, mtime_ns, ctime_ns, record if compares_inodes else 0, lsn),
        **_where(library, position),
    )


def _where(library: LibrarySnapshot, position: int) -> dict[str, Any]:
    """Return what only reading the volume itself needs."""
    content = library.content(position, _CONTENT_COLUMNS)
    if content is None:
        return {}
    kind, valid_size, unit_clusters, resident, runs = content
    if kind is None:
        return {"kind": ContentKind.DAMAGED}
    return {
        "kind": ContentKind(kind),
        "valid_size": valid_size,
        "unit_clusters": unit_clusters,
        "resident": resident,
        "runs": tuple(runs or ()),
    }
