"""Attributes and listings as the kernel's protocol wants them."""

from collections.abc import Iterable

from musefs.mount.plan import KernelPlan
from musefs.mount.serve.core import Core, Entry
from musefs.mount.serve.generation import Attributes
from musefs.mount.serve.statfs import BLOCK_BYTES
from musefs.mount.transport.fuse_protocol import (
    ATTR_HEAD,
    ATTRIBUTES,
    DIRENT,
    ENTRY_HEAD,
    seconds,
)

SECTOR_BYTES = 512
_NS = 1_000_000_000
_DIRECTORY_TYPE, _FILE_TYPE = 4, 8
"""DT_DIR and DT_REG."""


class EntryPacker:
    """Packs attributes with the owner, modes and time-outs of one mount."""

    def __init__(self, core: Core, kernel: KernelPlan) -> None:
        self._core = core
        self._entry_s, self._entry_ns = seconds(kernel.entry_timeout_s)
        self._attr_s, self._attr_ns = seconds(kernel.attr_timeout_s)
        negative_s, negative_ns = seconds(kernel.negative_timeout_s)
        self.nothing = ENTRY_HEAD.pack(0, 0, negative_s, 0, negative_ns, 0) + bytes(ATTRIBUTES.size)
        """The answer to a lookup that the kernel remembers as "no such name"."""

    def entry(self, found: Attributes) -> bytes:
        """Pack the answer to a lookup."""
        head = ENTRY_HEAD.pack(
            found.inode, 0, self._entry_s, self._attr_s, self._entry_ns, self._attr_ns
        )
        return head + self._packed(found)

    def attributes(self, found: Attributes) -> bytes:
        """Pack the answer to a getattr."""
        return ATTR_HEAD.pack(self._attr_s, self._attr_ns, 0) + self._packed(found)

    def listing(self, entries: Iterable[Entry], limit: int, *, plus: bool) -> bytes:
        """Pack as many lines of a listing as fit into `limit` bytes."""
        parts: list[bytes] = []
        room = limit
        for offset, name, found in entries:
            kind = _DIRECTORY_TYPE if found.is_directory else _FILE_TYPE
            line = DIRENT.pack(found.inode, offset, len(name), kind) + name
            line += bytes(-len(line) % 8)
            if plus:
                line = self.entry(found) + line
            if len(line) > room:
                break
            room -= len(line)
            parts.append(line)
        return b"".join(parts)

    def _packed(self, found: Attributes) -> bytes:
        inode, is_directory, size, mtime_ns = found
        ownership = self._core.ownership
        second, nanosecond = divmod(mtime_ns if mtime_ns > 0 else self._core.started_ns, _NS)
        return ATTRIBUTES.pack(
            inode, size, -(-size // SECTOR_BYTES), second, second, second,
            nanosecond, nanosecond, nanosecond,
            ownership.directory_mode if is_directory else ownership.file_mode,
            2 if is_directory else 1, ownership.uid, ownership.gid, 0, BLOCK_BYTES, 0,
        )  # fmt: skip
