"""LZNT1, the compression of NTFS: one unit of compressed clusters to plain bytes.

A compressed stream is a row of chunks, each at most 4096 plain bytes. Input is untrusted: every
length is checked, and a chunk never grows past its size.
"""

CHUNK_BYTES = 4096
"""Plain size of every chunk but the last."""

_COMPRESSED = 0x8000
_SIZE_MASK = 0x0FFF


class CorruptCompressionError(ValueError):
    """Bytes that are no LZNT1 stream."""


def decompress(data: bytes, plain_bytes: int) -> bytes:
    """Return `plain_bytes` plain bytes; what the stream does not fill is zero."""
    plain = bytearray()
    position = 0
    while position + 2 <= len(data) and len(plain) < plain_bytes:
        header = int.from_bytes(data[position : position + 2], "little")
        if header == 0:
            break
        end = position + 3 + (header & _SIZE_MASK)
        if end > len(data):
            raise CorruptCompressionError(f"the chunk at byte {position} ends past its unit")
        body = data[position + 2 : end]
        plain += b"\0" * (-len(plain) % CHUNK_BYTES)
        plain += _decompress_chunk(body) if header & _COMPRESSED else body
        position = end
    return bytes(plain[:plain_bytes]).ljust(plain_bytes, b"\0")


def _length_bits() -> tuple[int, ...]:
    """How many bits of a reference are its length, by the plain bytes already in the chunk."""
    bits = [12] * (CHUNK_BYTES + 1)
    for done in range(1, CHUNK_BYTES + 1):
        distance = done - 1
        while distance >= 16:
            distance >>= 1
            bits[done] -= 1
    return tuple(bits)


_LENGTH_BITS = _length_bits()


def _decompress_chunk(body: bytes) -> bytearray:
    plain = bytearray()
    position = 0
    while position < len(body):
        flags = body[position]
        position += 1
        for bit in range(8):
            if position >= len(body):
                break
            if not flags >> bit & 1:
                plain.append(body[position])
                position += 1
                continue
            _copy_reference(plain, body, position)
            position += 2
        if len(plain) > CHUNK_BYTES:
            raise CorruptCompressionError("a chunk holds more than 4096 plain bytes")
    return plain


def _copy_reference(plain: bytearray, body: bytes, position: int) -> None:
    done = len(plain)
    if position + 2 > len(body) or not 0 < done < CHUNK_BYTES:
        raise CorruptCompressionError("a reference lies outside its chunk")
    token = body[position] | body[position + 1] << 8
    length_bits = _LENGTH_BITS[done]
    distance = (token >> length_bits) + 1
    length = (token & (1 << length_bits) - 1) + 3
    if distance > done or done + length > CHUNK_BYTES:
        raise CorruptCompressionError("a reference points outside its chunk")
    if distance >= length:
        plain += plain[done - distance : done - distance + length]
    else:  # the copy overlaps itself: it repeats the last `distance` bytes
        pattern = plain[done - distance :]
        plain += (pattern * (length // distance + 1))[:length]
