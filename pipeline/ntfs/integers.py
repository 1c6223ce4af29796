"""Little-endian integers at an offset: the only way this grammar reads numbers."""

import struct

Bytes = bytes | bytearray | memoryview

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_I64 = struct.Struct("<q")


def u16(data: Bytes, at: int) -> int:
    """Return the unsigned 16-bit number at `at`."""
    value: int = _U16.unpack_from(data, at)[0]
    return value


def u32(data: Bytes, at: int) -> int:
    """Return the unsigned 32-bit number at `at`."""
    value: int = _U32.unpack_from(data, at)[0]
    return value


def u64(data: Bytes, at: int) -> int:
    """Return the unsigned 64-bit number at `at`."""
    value: int = _U64.unpack_from(data, at)[0]
    return value


def i64(data: Bytes, at: int) -> int:
    """Return the signed 64-bit number at `at`."""
    value: int = _I64.unpack_from(data, at)[0]
    return value
