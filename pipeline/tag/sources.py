"""What travels to a worker: where bytes come from, and one file to be read."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from musefs.index.backing.content import Content, ContentKind, ContentRef, Stamp
from musefs.index.backing.mounted import FolderOpener
from musefs.index.backing.raw_volume import FileSource, Geometry, Source, VolumeBacking
from musefs.index.errors import BackingChangedError


class Opened(NamedTuple):
    """One opened original and the stamp that what is read from it has."""

    content: Content
    stamp: Stamp


class Opener(Protocol):
    """Opens the files of jobs; each worker has its own."""

    def open(self, job: "Job") -> Opened:
        """Open a file; raises what a backing raises."""
        ...

    def check_unchanged(self, opened: Opened) -> None:
        """Raise BackingChangedError if the file was written to since it was opened."""
        ...


class MountedOpener:
    """Opens files below a folder.

    A record's times are multiples of 100 ns; what the mounted file system says is more exact. A
    file that changed since its record was read is read as it is now, under its new stamp.
    """

    def __init__(self, root: Path) -> None:
        self._folder = FolderOpener(root)

    def open(self, job: "Job") -> Opened:
        """Open a file under the stamp that it has now."""
        content, stamp = self._folder.open(job.path)
        if sys.platform == "win32":  # there st_ctime is the creation, which no record calls so
            stamp = Stamp(stamp.size, stamp.mtime_ns, 0, stamp.inode)
        return Opened(content, stamp)

    def check_unchanged(self, opened: Opened) -> None:
        """Compare size and time of modification."""
        now, stamp = opened.content.stamp(), opened.stamp
        if now.size != stamp.size or now.mtime_ns != stamp.mtime_ns:
            raise BackingChangedError("it was written to while its tags were read")


class VolumeOpener:
    """Opens files through the runs that the scan found moments ago.

    Their records are not read again, which would send a disk's head back to the $MFT for every
    file; a file that changed since then has another `lsn` at the next scan and is read then.
    """

    def __init__(self, volume: Source, geometry: Geometry) -> None:
        self._backing = VolumeBacking(volume, geometry)

    def open(self, job: "Job") -> Opened:
        """Open a file as it was recorded."""
        stamp = job.recorded()
        return Opened(self._backing.open_as_recorded(job.ref(stamp)), stamp)

    def check_unchanged(self, opened: Opened) -> None:
        """Nothing can be told without the record; the next scan will see it."""


@dataclass(frozen=True, slots=True)
class MountedSource:
    """Files below a folder: a mounted volume, or any folder that was scanned as such."""

    root: Path

    def opener(self) -> Opener:
        """Return what opens these files."""
        return MountedOpener(self.root)


@dataclass(frozen=True, slots=True)
class VolumeSource:
    """Files on a device or image, through the runs that the scan found."""

    path: Path
    geometry: Geometry

    def opener(self) -> Opener:
        """Return what opens these files."""
        return VolumeOpener(FileSource(self.path), self.geometry)


BytesSource = MountedSource | VolumeSource

Runs = list[tuple[int, int]]


class Job(NamedTuple):
    """One file to be read: its row in the stage's list, and what a ContentRef says."""

    row: int
    path: bytes
    record_number: int
    sequence: int
    size: int
    mtime_ns: int
    ctime_ns: int
    lsn: int
    kind: str
    valid_size: int
    unit_clusters: int
    resident: bytes | None
    runs: Runs | None

    def recorded(self) -> Stamp:
        """Return the stamp that the scan saw."""
        return Stamp(self.size, self.mtime_ns, self.ctime_ns, lsn=self.lsn)

    def ref(self, stamp: Stamp) -> ContentRef:
        """Return the reference that a backing opens, with `stamp` as what must hold."""
        return ContentRef(
            path=self.path,
            record_number=self.record_number,
            sequence=self.sequence,
            stamp=stamp,
            kind=ContentKind(self.kind),
            valid_size=self.valid_size,
            unit_clusters=self.unit_clusters,
            resident=self.resident,
            runs=tuple(self.runs or ()),
        )


TIME_UNIT_NS: Final = 100
"""A record's times count 100 ns; a mounted file system may know single ones."""
