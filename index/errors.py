"""Every error musefs raises, as one tree.

Each class fixes an exit code (the command's contract with scripts) and each instance names the
path it is about and a hint: what the reader can do next. Commands print `message`, `path` and
`hint`; nothing else in the project decides an exit code. The mount turns errors into errno in
one table of its own (`musefs.mount.serve.errno_table`).

    MusefsError                         1
    ├── UsageError                      2
    │   ├── ConfigError                 2
    │   ├── TemplateError               2
    │   └── SelectionError              2
    ├── NotElevatedError                3
    ├── VolumeError                     4
    │   ├── VolumeNotFoundError         4
    │   ├── UnsupportedVolumeError      4
    │   ├── PartitionError              4
    │   ├── VolumeReadError             4
    │   └── DamagedVolumeError          4
    ├── IndexFileError                  5
    │   ├── IndexMissingError           5
    │   ├── NotAnIndexError             5
    │   ├── SchemaVersionError          5
    │   ├── OtherVolumeError            5
    │   └── IndexDamagedError           5
    ├── IndexWriteError                 6
    │   ├── IndexDiskFullError          6
    │   ├── PublishError                6
    │   └── WriterDiedError             6
    ├── IndexBusyError                  7
    ├── MountRefusedError               8
    │   ├── FuseMissingError            8
    │   ├── FuseConfError               8
    │   ├── MountpointError             8
    │   └── StaleMountError             8
    ├── ContentError                    1
    │   ├── BackingChangedError         1
    │   ├── BackingMissingError         1
    │   ├── BackingReadError            1
    │   ├── ContentRefusedError         1
    │   └── MediaFormatError            1
    └── CancelledError                  130
"""

from enum import IntEnum
from pathlib import Path
from typing import ClassVar


class ExitCode(IntEnum):
    """What a command's exit status means. Changing a number is a breaking release."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_ELEVATED = 3
    VOLUME = 4
    INDEX = 5
    WRITE = 6
    BUSY = 7
    MOUNT_REFUSED = 8
    PARTIAL = 10
    BUG = 99
    INTERRUPTED = 130
    TERMINATED = 143


EXIT_CODE_MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.FAILURE: "failed; the message says why",
    ExitCode.USAGE: "wrong command line, environment or configuration",
    ExitCode.NOT_ELEVATED: "needs administrator or root rights",
    ExitCode.VOLUME: "the volume, image or directory cannot be read",
    ExitCode.INDEX: "the index is missing, unreadable, of another schema or volume",
    ExitCode.WRITE: "the index could not be written; the old one is untouched",
    ExitCode.BUSY: "another process is using the index",
    ExitCode.MOUNT_REFUSED: "the system refused the mount",
    ExitCode.PARTIAL: "finished, but some files failed; they are listed in the problems table",
    ExitCode.BUG: "a bug in musefs; please report it",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C",
    ExitCode.TERMINATED: "stopped by SIGTERM",
}


class MusefsError(Exception):
    """Anything musefs can explain; the root of the tree."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILURE
    default_hint: ClassVar[str] = "Run again with -vv and look at the last lines of the log."

    def __init__(
        self, message: str, *, path: str | Path | None = None, hint: str | None = None
    ) -> None:
        """Say what went wrong in `message`, what it is about in `path`, what to do in `hint`."""
        super().__init__(message)
        self.message = message
        self.path = None if path is None else str(path)
        self.hint = self.default_hint if hint is None else hint

    def __str__(self) -> str:
        if self.path is None or self.path in self.message:
            return self.message
        return f"{self.path}: {self.message}"


class UsageError(MusefsError, ValueError):
    """A flag, a value or a combination that the command does not accept."""

    exit_code = ExitCode.USAGE
    default_hint = "See --help for what is allowed."


class ConfigError(UsageError):
    """A configuration file or MUSEFS_* variable that cannot be used."""

    default_hint = "Run with --print-config to see each value and where it came from."


class TemplateError(UsageError):
    """A path template that does not parse; the message shows the place with a caret."""

    default_hint = "See docs/templates.md for the language."


class SelectionError(UsageError):
    """A --where condition, glob or track id that selects nothing it could select."""

    default_hint = "Try the same selection with `musefs-tag list` first."


class NotElevatedError(MusefsError, PermissionError):
    """Raw access to a volume needs rights that this process does not have."""

    exit_code = ExitCode.NOT_ELEVATED
    default_hint = "Run as root, or on Windows from a terminal opened as administrator."


class VolumeError(MusefsError, OSError):
    """The thing to be scanned cannot be used."""

    exit_code = ExitCode.VOLUME
    default_hint = "Check that the path names an NTFS volume, an image, a saved $MFT or a folder."


class VolumeNotFoundError(VolumeError, FileNotFoundError):
    """Nothing exists at the path that was given."""

    default_hint = "Check the path; on Windows name a drive as C: and on Linux as /dev/sdb1."


class UnsupportedVolumeError(VolumeError):
    """A recognised file system or encryption that musefs does not read as NTFS."""

    default_hint = "Mount it and scan the mounted folder instead."


class PartitionError(VolumeError):
    """A whole-disk image with no, or with several, NTFS partitions."""

    default_hint = "Choose one with --partition N."


class VolumeReadError(VolumeError):
    """The device or image failed while it was read."""

    default_hint = "Check the cable and the drive's health, then run again; the old index is kept."


class DamagedVolumeError(VolumeError):
    """The volume is NTFS, but what leads to its records is damaged."""

    default_hint = "Run chkdsk on Windows, or scan an image made with ddrescue."


class IndexFileError(MusefsError):
    """The index cannot be read."""

    exit_code = ExitCode.INDEX
    default_hint = "Make a new one with musefs-scan."


class IndexMissingError(IndexFileError, FileNotFoundError):
    """There is no index at the path."""


class NotAnIndexError(IndexFileError):
    """The file is not a musefs index."""

    default_hint = "Name a file that musefs-scan wrote; it never overwrites any other file."


class SchemaVersionError(IndexFileError):
    """The index was written by a version with another schema."""

    default_hint = "Update musefs, or make a new index with musefs-scan."


class OtherVolumeError(IndexFileError):
    """The index is of another volume than the one that is scanned into it."""

    default_hint = (
        "Choose another index with --out. If this index shall go on with the other volume, "
        "say --other-volume."
    )


class IndexDamagedError(IndexFileError):
    """The index contradicts itself."""

    default_hint = "Run musefs-scan --check INDEX for details, then scan again."


class IndexWriteError(MusefsError, OSError):
    """The new index could not be written; the published one is untouched."""

    exit_code = ExitCode.WRITE
    default_hint = "Check that the folder of the index exists and can be written."


class IndexDiskFullError(IndexWriteError):
    """No space is left for the new index."""

    default_hint = "Free some space, or choose a folder on another disk with --out."


class PublishError(IndexWriteError):
    """The finished index could not take the published path."""


class WriterDiedError(IndexWriteError):
    """The index writer's thread ended without an answer."""


class IndexBusyError(MusefsError):
    """Another process holds the index or its lock."""

    exit_code = ExitCode.BUSY
    default_hint = "Wait for the other process to end, or choose another index."


class MountRefusedError(MusefsError):
    """The file system could not be mounted."""

    exit_code = ExitCode.MOUNT_REFUSED
    default_hint = "See docs/troubleshooting.md, section Mounting."


class FuseMissingError(MountRefusedError):
    """FUSE is not available on this machine."""

    default_hint = "Install the fuse3 package, and load the module with `modprobe fuse`."


class FuseConfError(MountRefusedError, PermissionError):
    """--allow-other is not permitted by /etc/fuse.conf."""

    default_hint = "Add the line user_allow_other to /etc/fuse.conf, or mount as root."


class MountpointError(MountRefusedError):
    """The mountpoint is missing, busy or not a directory."""

    default_hint = "Create an empty directory and mount there."


class StaleMountError(MountpointError):
    """A mount whose process died still covers the mountpoint."""

    default_hint = "Run again with --clean-stale, or `umount -l` it yourself."


class ContentError(MusefsError):
    """The bytes of one file cannot be served or read; other files are not affected."""

    default_hint = "Scan again so that the index matches the files."


class BackingChangedError(ContentError):
    """The original changed since it was scanned."""


class BackingMissingError(ContentError, FileNotFoundError):
    """The original is gone."""

    default_hint = "Connect the drive, give --root where it is mounted now, or scan again."


class BackingReadError(ContentError, OSError):
    """The original exists but reading it failed."""


class ContentRefusedError(ContentError):
    """Content that musefs does not decode: encrypted, deduplicated or kept in the cloud."""

    default_hint = "Open the file once in Windows so that a plain copy exists, then scan again."


class MediaFormatError(ContentError):
    """An audio file whose structure cannot be followed."""

    default_hint = "Try to play the original; the file is served untouched where that is possible."


class CancelledError(MusefsError):
    """The user stopped the work; nothing was published."""

    exit_code = ExitCode.INTERRUPTED
    default_hint = "The previous index, if any, is untouched."
