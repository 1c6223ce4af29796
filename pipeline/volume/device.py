"""Image files and Linux block devices, opened for shared reading."""

import os
import stat
import struct
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from musefs.index.errors import NotElevatedError, VolumeNotFoundError, VolumeReadError

assert sys.platform != "win32", "Windows has neither preadv nor block devices"  # noqa: S101

_BLKGETSIZE64 = 0x80081272
_BLKSSZGET = 0x1268
DEFAULT_SECTOR_BYTES = 512


class DeviceVolume:
    """A file or block device; implements `Volume`."""

    def __init__(self, path: str | Path) -> None:
        """Open `path`; raises VolumeNotFoundError, NotElevatedError or VolumeReadError."""
        self._path = Path(path)
        self._descriptor = _open(self._path)
        status = os.fstat(self._descriptor)
        self._is_block = stat.S_ISBLK(status.st_mode)
        self._sector_bytes = DEFAULT_SECTOR_BYTES
        self._size = status.st_size
        if self._is_block:
            self._size, self._sector_bytes = _block_geometry(self._descriptor)
        if sys.platform == "linux":
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)

    @property
    def source(self) -> str:
        """The path."""
        return str(self._path)

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._size

    @property
    def sector_bytes(self) -> int:
        """Logical sector size of the device, 512 for a file."""
        return self._sector_bytes

    @property
    def partition_offset(self) -> int:
        """Always 0."""
        return 0

    @property
    def is_live(self) -> bool:
        """Whether this is a device, which may be mounted and written to."""
        return self._is_block

    @property
    def descriptor(self) -> int:
        """The open descriptor, for the modes of the I/O probe."""
        return self._descriptor

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` from `offset`; return the bytes read, fewer only at the end."""
        done = 0
        while done < len(buffer):
            count = os.preadv(self._descriptor, [buffer[done:]], offset + done)
            if count == 0:
                break
            done += count
        return done

    def close(self) -> None:
        """Close the descriptor; closing twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise VolumeNotFoundError("no such volume, image or folder", path=path) from error
    except PermissionError as error:
        raise NotElevatedError("no permission to read the raw volume", path=path) from error
    except OSError as error:
        raise VolumeReadError(f"cannot be opened: {error.strerror}", path=path) from error


def _block_geometry(descriptor: int) -> tuple[int, int]:
    if sys.platform == "win32":
        raise AssertionError("Windows volumes are opened in another module")
    import fcntl  # not on Windows, where image files are opened here too

    size = fcntl.ioctl(descriptor, _BLKGETSIZE64, bytes(8))
    sector = fcntl.ioctl(descriptor, _BLKSSZGET, bytes(4))
    return struct.unpack("<Q", size)[0], struct.unpack("<i", sector)[0]
