"""The boot sector: geometry of the volume and where the $MFT begins.

Other file systems and BitLocker are recognised and named here, so that nobody reads "bad magic".
Where the sector comes from, and the backup copy in the last sector, is `pipeline/read/layout`.
"""

from dataclasses import dataclass

from musefs.index.errors import DamagedVolumeError, UnsupportedVolumeError
from musefs.pipeline.ntfs.integers import Bytes, u16, u64

BOOT_SECTOR_BYTES = 512
OEM_NTFS = b"NTFS    "
MIN_RECORD_BYTES = 256
MAX_RECORD_BYTES = 65536
MAX_CLUSTER_BYTES = 2 << 20

_BITLOCKER = (b"-FVE-FS-", b"MSWIN4.1")
_EXT_MAGIC_AT = 1024 + 0x38
_EXT_MAGIC = 0xEF53


@dataclass(frozen=True, slots=True)
class BootSector:
    """What the boot sector says; all sizes in bytes."""

    sector_bytes: int
    cluster_bytes: int
    record_bytes: int
    index_bytes: int
    total_sectors: int
    mft_lcn: int
    mirror_lcn: int
    serial: int

    @property
    def mft_offset(self) -> int:
        """First byte of the $MFT on the volume."""
        return self.mft_lcn * self.cluster_bytes

    @property
    def mirror_offset(self) -> int:
        """First byte of the $MFTMirr on the volume."""
        return self.mirror_lcn * self.cluster_bytes

    @property
    def volume_bytes(self) -> int:
        """Bytes that the file system covers, its backup boot sector not included."""
        return self.total_sectors * self.sector_bytes


def name_file_system(head: Bytes) -> str | None:
    """Return the name of a file system other than NTFS whose first 2 KiB are `head`."""
    oem = bytes(head[3:11])
    if oem == _BITLOCKER[0]:
        return "BitLocker"
    if oem == b"EXFAT   ":
        return "exFAT"
    if bytes(head[3:7]) == b"ReFS":
        return "ReFS"
    if bytes(head[0x52:0x57]) == b"FAT32" or bytes(head[0x36:0x39]) == b"FAT":
        return "FAT"
    if len(head) > _EXT_MAGIC_AT + 2 and u16(head, _EXT_MAGIC_AT) == _EXT_MAGIC:
        return "ext"
    if bytes(head[:4]) == b"XFSB":
        return "XFS"
    if bytes(head[:6]) == b"LUKS\xba\xbe":
        return "LUKS"
    return None


def is_ntfs(head: Bytes) -> bool:
    """Say whether `head` begins an NTFS volume."""
    return bytes(head[3:11]) == OEM_NTFS


def refuse_other_file_systems(head: Bytes, source: str) -> None:
    """Raise UnsupportedVolumeError if `head` is a file system that has a name."""
    name = name_file_system(head)
    if name == "BitLocker":
        raise UnsupportedVolumeError(
            "the volume is encrypted with BitLocker",
            path=source,
            hint="Unlock it first, then scan the unlocked drive (or its dislocker file).",
        )
    if name is not None:
        raise UnsupportedVolumeError(f"the volume is {name}, not NTFS", path=source)


def parse_boot(sector: Bytes, source: str = "boot sector") -> BootSector:
    """Decode a boot sector.

    Raises DamagedVolumeError when a field makes no sense, so that the caller can try the backup.
    """
    if len(sector) < BOOT_SECTOR_BYTES or not is_ntfs(sector):
        raise DamagedVolumeError("no NTFS boot sector", path=source)
    sector_bytes = u16(sector, 0x0B)
    cluster_bytes = _sectors_per_cluster(sector[0x0D]) * sector_bytes
    boot = BootSector(
        sector_bytes=sector_bytes,
        cluster_bytes=cluster_bytes,
        record_bytes=_clusters_or_power(sector[0x40], cluster_bytes),
        index_bytes=_clusters_or_power(sector[0x44], cluster_bytes),
        total_sectors=u64(sector, 0x28),
        mft_lcn=u64(sector, 0x30),
        mirror_lcn=u64(sector, 0x38),
        serial=u64(sector, 0x48),
    )
    _check(boot, source)
    return boot


def _sectors_per_cluster(code: int) -> int:
    """Return the count that one byte stands for: literal up to 0x80, above it 2 ** (256 - v)."""
    return code if code <= 0x80 else 1 << min(256 - code, 63)


def _clusters_or_power(code: int, cluster_bytes: int) -> int:
    """Return a size from a signed byte: clusters if positive, else the exponent of two."""
    return code * cluster_bytes if code < 0x80 else 1 << min(256 - code, 63)


def _check(boot: BootSector, source: str) -> None:
    sound = (
        _power_of_two(boot.sector_bytes, 256, 4096)
        and _power_of_two(boot.cluster_bytes, boot.sector_bytes, MAX_CLUSTER_BYTES)
        and _power_of_two(boot.record_bytes, MIN_RECORD_BYTES, MAX_RECORD_BYTES)
        and 0 < boot.volume_bytes < 1 << 62
        and 0 < boot.mft_offset < boot.volume_bytes
    )
    if not sound:
        raise DamagedVolumeError("the boot sector contradicts itself", path=source)


def _power_of_two(value: int, low: int, high: int) -> bool:
    return low <= value <= high and value & (value - 1) == 0
