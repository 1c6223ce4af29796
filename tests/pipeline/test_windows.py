"""Live Windows volumes, against a device that refuses what Windows refuses (row F17)."""

import struct
import sys

import pytest

from musefs.index.errors import ExitCode, NotElevatedError, VolumeNotFoundError, VolumeReadError
from musefs.pipeline.volume.windows import (
    FSCTL_GET_NTFS_VOLUME_DATA,
    IOCTL_DISK_GET_LENGTH_INFO,
    WindowsVolume,
    drive_device,
    explain_open_failure,
    open_windows_volume,
)


class AlignedDevice:
    """A volume that takes whole sectors inside its length only, as Windows does."""

    def __init__(self, size: int, sector: int) -> None:
        self.data = bytes(n * 7 % 256 for n in range(size))
        self.sector = sector
        self.reads: list[tuple[int, int]] = []
        self.closed = False

    def read(self, offset: int, length: int) -> bytes:
        if offset % self.sector or length % self.sector:
            raise VolumeReadError("ERROR_INVALID_PARAMETER (87)")
        if offset + length > len(self.data):
            raise VolumeReadError("ERROR_SECTOR_NOT_FOUND (27)")
        self.reads.append((offset, length))
        return self.data[offset : offset + length]

    def control(self, code: int, output_bytes: int) -> bytes:
        if code == IOCTL_DISK_GET_LENGTH_INFO:
            return struct.pack("<Q", len(self.data))
        if code == FSCTL_GET_NTFS_VOLUME_DATA:
            head = struct.pack("<QQQQQIIII", 1, 2, 3, 4, 0, self.sector, 4096, 1024, 0)
            return (head + struct.pack("<Q", 123 << 10)).ljust(output_bytes, b"\0")
        return b""

    def close(self) -> None:
        self.closed = True


def read(volume: WindowsVolume, offset: int, length: int) -> bytes:
    buffer = bytearray(length)
    return bytes(buffer[: volume.read_at(offset, memoryview(buffer))])


@pytest.mark.parametrize("sector", [512, 4096])
def test_any_range_is_read_through_aligned_reads(sector: int) -> None:
    device = AlignedDevice(64 << 10, sector)
    volume = WindowsVolume(device, r"\\.\C:")
    for offset, length in [(0, 512), (3, 10), (4095, 2), (60_000, 5536), (65_535, 1)]:
        assert read(volume, offset, length) == device.data[offset : offset + length]
    assert read(volume, 65_530, 100) == device.data[65_530:]
    assert read(volume, 70_000, 10) == b""
    assert (volume.size, volume.sector_bytes) == (64 << 10, sector)
    assert volume.mft_valid_bytes == 123 << 10


def test_a_volume_that_is_no_multiple_of_the_alignment_is_read_to_its_last_sector() -> None:
    device = AlignedDevice(9 * 512, 512)
    with WindowsVolume(device, r"\\.\C:") as volume:
        assert read(volume, 8 * 512, 512) == device.data[8 * 512 :]
    assert device.closed


@pytest.mark.parametrize(
    ("source", "device"),
    [
        ("C:", r"\\.\C:"),
        ("d:\\", r"\\.\D:"),
        (r"\\.\E:", r"\\.\E:"),
        (r"\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy3", None),
        ("/dev/sdb1", None),
        ("C:\\Music", None),
        ("disk.img", None),
    ],
)
def test_drives_are_told_from_paths(source: str, device: str | None) -> None:
    expected = source if source.startswith("\\\\?\\GLOBALROOT") else device
    assert drive_device(source) == expected


def test_missing_rights_have_their_own_error_exit_code_and_advice_f17() -> None:
    error = explain_open_failure(5, r"\\.\C:")
    assert isinstance(error, NotElevatedError)
    assert isinstance(error, PermissionError)
    assert error.exit_code is ExitCode.NOT_ELEVATED
    assert "administrator" in error.hint


def test_other_open_failures_name_the_drive() -> None:
    assert isinstance(explain_open_failure(2, r"\\.\X:"), VolumeNotFoundError)
    assert "Windows error 32" in str(explain_open_failure(32, r"\\.\X:"))


@pytest.mark.skipif(sys.platform == "win32", reason="about other systems")
def test_drive_letters_elsewhere_say_what_to_use() -> None:
    with pytest.raises(VolumeNotFoundError) as caught:
        open_windows_volume(r"\\.\C:")
    assert "/dev/sdb1" in caught.value.hint
