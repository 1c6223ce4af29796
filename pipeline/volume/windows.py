r"""Live Windows volumes, \\.\C: — the only module that talks to kernel32.

A raw volume is read in whole, aligned sectors only; everything else is refused by the system with
ERROR_INVALID_PARAMETER. `WindowsVolume` keeps that rule over a small device seam, so that the rule
is tested anywhere with a device double that refuses what Windows refuses.
"""

import re
import struct
import sys
import threading
from types import TracebackType
from typing import Protocol, Self

from musefs.index.errors import NotElevatedError, VolumeNotFoundError, VolumeReadError

ALIGNMENT_BYTES = 4096
"""Every read starts and ends here: whole sectors on 512-byte, 512e and 4Kn disks alike."""

IOCTL_DISK_GET_LENGTH_INFO = 0x0007405C
FSCTL_GET_NTFS_VOLUME_DATA = 0x00090064
FSCTL_ALLOW_EXTENDED_DASD_IO = 0x00090083

ERROR_FILE_NOT_FOUND = 2
ERROR_PATH_NOT_FOUND = 3
ERROR_ACCESS_DENIED = 5

_DRIVE = re.compile(r"^(?:\\\\[.?]\\)?([A-Za-z]:)\\?$")


def drive_device(source: str) -> str | None:
    r"""Return \\.\C: for C:, c:\ or \\.\C:; None for anything that is no drive."""
    match = _DRIVE.match(source)
    if match:
        return rf"\\.\{match[1].upper()}"
    raw_device = source.startswith(("\\\\.\\", "\\\\?\\GLOBALROOT\\"))
    return source.rstrip("\\") if raw_device else None


class Device(Protocol):
    """What Windows offers for a volume handle."""

    def read(self, offset: int, length: int) -> bytes:
        """Read whole sectors."""
        ...

    def control(self, code: int, output_bytes: int) -> bytes:
        """Call DeviceIoControl without input."""
        ...

    def close(self) -> None:
        """Close the handle."""
        ...


class WindowsVolume:
    """A live volume over a device that only takes aligned reads; implements `Volume`."""

    partition_offset = 0
    is_live = True

    def __init__(self, device: Device, name: str) -> None:
        self.source = name
        self._device = device
        self._lock = threading.Lock()  # one handle has one position
        device.control(FSCTL_ALLOW_EXTENDED_DASD_IO, 0)
        data = device.control(FSCTL_GET_NTFS_VOLUME_DATA, 96)
        length = device.control(IOCTL_DISK_GET_LENGTH_INFO, 8)
        self.sector_bytes: int = struct.unpack_from("<I", data, 40)[0]
        self.mft_valid_bytes: int = struct.unpack_from("<Q", data, 56)[0]
        self.size: int = struct.unpack("<Q", length[:8])[0]

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` from `offset`; return the bytes read, fewer only at the end."""
        length = min(len(buffer), self.size - offset)
        if length <= 0:
            return 0
        start = offset - offset % ALIGNMENT_BYTES
        end = min(_round_up(offset + length, ALIGNMENT_BYTES), self._readable_bytes())
        with self._lock:
            data = self._device.read(start, end - start)
        piece = data[offset - start : offset - start + length]
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Close the handle."""
        self._device.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _readable_bytes(self) -> int:
        """The end of the volume in whole sectors: a longer read fails instead of being short."""
        return _round_up(self.size, max(self.sector_bytes, 512))


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def explain_open_failure(code: int, name: str) -> OSError:
    """Return our error for a failed CreateFile."""
    if code == ERROR_ACCESS_DENIED:
        return NotElevatedError(
            "Windows lets only administrators read a volume",
            path=name,
            hint="Open the terminal with 'Run as administrator' and run the same command again.",
        )
    if code in (ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND):
        return VolumeNotFoundError("there is no such drive", path=name)
    return VolumeReadError(f"cannot be opened (Windows error {code})", path=name)


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _GENERIC_READ = 0x80000000
    _SHARE_ALL = 0x7
    _OPEN_EXISTING = 3
    _INVALID_HANDLE = ctypes.c_void_p(-1).value

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel32.CreateFileW.restype = wintypes.HANDLE
    _kernel32.CreateFileW.argtypes = (
        wintypes.LPCWSTR, wintypes.DWORD, wintypes.DWORD, wintypes.LPVOID,
        wintypes.DWORD, wintypes.DWORD, wintypes.HANDLE,
    )  # fmt: skip
    _kernel32.SetFilePointerEx.argtypes = (
        wintypes.HANDLE, ctypes.c_longlong, wintypes.LPVOID, wintypes.DWORD,
    )  # fmt: skip
    _kernel32.ReadFile.argtypes = (
        wintypes.HANDLE, wintypes.LPVOID, wintypes.DWORD, wintypes.LPVOID, wintypes.LPVOID,
    )  # fmt: skip
    _kernel32.DeviceIoControl.argtypes = (
        wintypes.HANDLE, wintypes.DWORD, wintypes.LPVOID, wintypes.DWORD,
        wintypes.LPVOID, wintypes.DWORD, wintypes.LPVOID, wintypes.LPVOID,
    )  # fmt: skip
    _kernel32.CloseHandle.argtypes = (wintypes.HANDLE,)

    class Kernel32Device:
        """A volume handle of kernel32; used by one thread at a time, as its position is shared."""

        def __init__(self, name: str) -> None:
            self._name = name
            self._handle = _kernel32.CreateFileW(
                name, _GENERIC_READ, _SHARE_ALL, None, _OPEN_EXISTING, 0, None
            )
            if self._handle == _INVALID_HANDLE:
                raise explain_open_failure(ctypes.get_last_error(), name)

        def read(self, offset: int, length: int) -> bytes:
            """Read whole sectors."""
            buffer = ctypes.create_string_buffer(length)
            done = wintypes.DWORD()
            ok = _kernel32.SetFilePointerEx(self._handle, offset, None, 0)
            ok = ok and _kernel32.ReadFile(self._handle, buffer, length, ctypes.byref(done), None)
            if not ok:
                code = ctypes.get_last_error()
                text = f"reading {length} bytes at {offset} failed (Windows error {code})"
                raise VolumeReadError(text, path=self._name)
            return buffer.raw[: done.value]

        def control(self, code: int, output_bytes: int) -> bytes:
            """Call DeviceIoControl without input."""
            buffer = ctypes.create_string_buffer(max(output_bytes, 1))
            done = wintypes.DWORD()
            ok = _kernel32.DeviceIoControl(
                self._handle, code, None, 0, buffer, output_bytes, ctypes.byref(done), None
            )
            if not ok:
                error = ctypes.get_last_error()
                text = f"device control {code:#x} failed (Windows error {error})"
                raise VolumeReadError(text, path=self._name)
            return buffer.raw[: done.value]

        def close(self) -> None:
            """Close the handle; a second call does nothing."""
            if self._handle is not None:
                _kernel32.CloseHandle(self._handle)
                self._handle = None

    def open_windows_volume(name: str) -> WindowsVolume:
        """Open a live volume by its device name."""
        return WindowsVolume(Kernel32Device(name), name)

else:

    def open_windows_volume(name: str) -> WindowsVolume:
        """Refuse: drive letters exist on Windows only."""
        raise VolumeNotFoundError(
            "drive letters and \\\\.\\ devices exist on Windows only",
            path=name,
            hint="On Linux name the partition, such as /dev/sdb1, or a mounted folder.",
        )
