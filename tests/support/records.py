"""Builds FILE records byte by byte, so that each test says exactly what is on the disk."""

import struct
from dataclasses import dataclass, field

BASE_TIME = 131_000_000_000_000_000


def reference(record: int, sequence: int = 1) -> int:
    return record | sequence << 48


def resident(
    type_code: int, value: bytes, name: str = "", flags: int = 0, attribute_id: int = 0
) -> bytes:
    raw = name.encode("utf-16-le", "surrogatepass")
    value_at = (0x18 + len(raw) + 7) & ~7
    length = (value_at + len(value) + 7) & ~7
    head = struct.pack(
        "<IIBBHHHIHH", type_code, length, 0, len(raw) // 2, 0x18, flags, attribute_id,
        len(value), value_at, 0,
    )  # fmt: skip
    return (head + raw).ljust(value_at, b"\0").ljust(value_at, b"\0") + value.ljust(
        length - value_at, b"\0"
    )


def extent(
    type_code: int,
    runs: bytes,
    clusters: int,
    *,
    name: str = "",
    lowest: int = 0,
    real: int = 0,
    allocated: int | None = None,
    initialised: int | None = None,
    total: int | None = None,
    flags: int = 0,
    unit: int = 0,
) -> bytes:
    raw = name.encode("utf-16-le", "surrogatepass")
    head_bytes = 0x40 if total is None else 0x48
    runs_at = (head_bytes + len(raw) + 7) & ~7
    length = (runs_at + len(runs) + 7) & ~7
    head = struct.pack(
        "<IIBBHHHQqHBxxxxxQQQ", type_code, length, 1, len(raw) // 2, head_bytes, flags, 0,
        lowest, lowest + clusters - 1, runs_at, unit,
        clusters * 4096 if allocated is None else allocated,
        real, real if initialised is None else initialised,
    )  # fmt: skip
    if total is not None:
        head += struct.pack("<Q", total)
    return (head + raw).ljust(runs_at, b"\0") + runs.ljust(length - runs_at, b"\0")


def run_list(*runs: tuple[int | None, int]) -> bytes:
    """(lcn or None for a hole, clusters) in order."""
    out, last = b"", 0
    for lcn, clusters in runs:
        length = clusters.to_bytes((clusters.bit_length() + 8) // 8, "little", signed=True)
        offset = b""
        if lcn is not None:
            delta = lcn - last
            offset = delta.to_bytes(max(1, (delta.bit_length() + 8) // 8), "little", signed=True)
            last = lcn
        out += bytes([len(length) | len(offset) << 4]) + length + offset
    return out + b"\0"


def standard_information(
    attributes: int = 0x20, security_id: int | None = 0x100, times: tuple[int, ...] = ()
) -> bytes:
    stamps = times or (BASE_TIME, BASE_TIME + 1, BASE_TIME + 2, BASE_TIME + 3)
    value = struct.pack("<QQQQI", *stamps, attributes) + bytes(12)
    if security_id is not None:
        value += struct.pack("<IIQQ", 0, security_id, 0, 0)
    return resident(0x10, value)


def file_name(
    name: str | bytes,
    parent: int = reference(5, 5),
    space: int = 3,
    tag: int = 0,
    times: tuple[int, ...] = (BASE_TIME, BASE_TIME, BASE_TIME, BASE_TIME),
) -> bytes:
    raw = name if isinstance(name, bytes) else name.encode("utf-16-le", "surrogatepass")
    value = struct.pack("<QQQQQQQIIBB", parent, *times, 0, 77, 0, tag, len(raw) // 2, space) + raw
    return resident(0x30, value)


def data(value: bytes, name: str = "", flags: int = 0) -> bytes:
    return resident(0x80, value, name, flags)


def list_entry(
    type_code: int, holder: int, lowest: int = 0, name: str = "", length: int | None = None
) -> bytes:
    raw = name.encode("utf-16-le")
    size = (0x1A + len(raw) + 7) & ~7
    entry = struct.pack(
        "<IHBBQQH", type_code, size if length is None else length, len(raw) // 2, 0x1A,
        lowest, holder, 0,
    )  # fmt: skip
    return (entry + raw).ljust(size, b"\0")


def attribute_list(*entries: bytes) -> bytes:
    return resident(0x20, b"".join(entries))


@dataclass
class Record:
    """A FILE record that knows how to become bytes with fixups in place."""

    attributes: list[bytes] = field(default_factory=list)
    sequence: int = 1
    flags: int = 1
    base: int = 0
    links: int = 1
    lsn: int = 4711
    size: int = 1024
    number: int = 0
    end: bytes = b"\xff\xff\xff\xff\0\0\0\0"
    used: int | None = None

    def unfixed(self) -> bytes:
        strides = self.size // 512
        first = (0x30 + 2 * (strides + 1) + 7) & ~7
        body = b"".join(self.attributes) + self.end
        used = first + len(body) if self.used is None else self.used
        head = struct.pack(
            "<4sHHQHHHHIIQHHI", b"FILE", 0x30, strides + 1, self.lsn, self.sequence, self.links,
            first, self.flags, used, self.size, self.base, 9, 0, self.number,
        )  # fmt: skip
        record = head.ljust(first, b"\0") + body
        assert len(record) <= self.size, "attributes do not fit"
        return record.ljust(self.size, b"\0")

    def build(self, check: int = 0x0101) -> bytes:
        return protect(self.unfixed(), check)


def protect(record: bytes, check: int = 0x0101) -> bytes:
    """Move the tails into the fixup array and put the check number in their place."""
    out = bytearray(record)
    array = struct.unpack_from("<H", out, 4)[0]
    out[array : array + 2] = check.to_bytes(2, "little")
    for index in range(len(out) // 512):
        tail = index * 512 + 510
        out[array + 2 + 2 * index : array + 4 + 2 * index] = out[tail : tail + 2]
        out[tail : tail + 2] = check.to_bytes(2, "little")
    return bytes(out)


def simple_file(
    name: str, parent: int = reference(5, 5), content: bytes = b"x", **more: int
) -> Record:
    return Record([standard_information(), file_name(name, parent), data(content)], **more)


def folder(name: str, parent: int = reference(5, 5), attributes: int = 0, **more: int) -> Record:
    more.setdefault("flags", 3)
    return Record([standard_information(attributes), file_name(name, parent)], **more)


def table(records: dict[int, Record | bytes], size: int = 1024, slots: int = 0) -> bytes:
    """Return a logical $MFT with each record at its number and zeros elsewhere."""
    count = max(slots, max(records) + 1)
    out = bytearray(count * size)
    for number, record in records.items():
        raw = record if isinstance(record, bytes) else record.build()
        out[number * size : number * size + len(raw)] = raw
    return bytes(out)


def root() -> Record:
    return Record([standard_information(6), file_name(".", reference(5, 5))], 5, 3)
