"""The raw-volume backing: runs, holes, compression, stamps read again, refusals by name."""

import contextlib
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musefs.index.backing.content import ContentKind, ContentRef, Stamp
from musefs.index.backing.file_record import filetime_to_ns, read_current
from musefs.index.backing.lznt1 import CorruptCompressionError, decompress
from musefs.index.backing.raw_volume import (
    REFUSALS,
    FileSource,
    Geometry,
    VolumeBacking,
    find_volume,
)
from musefs.index.backing.run_content import HOLE, RunMap
from musefs.index.errors import (
    BackingChangedError,
    BackingMissingError,
    BackingReadError,
    ContentRefusedError,
    VolumeError,
    VolumeNotFoundError,
)

CLUSTER = 4096
MODIFIED = 133_000_000_123_456_700
SHARED = Path(os.environ.get("MUSEFS_SHARED_DATA", Path(__file__).parents[2] / "../shared/data"))


def record(
    *, size: int, sequence: int = 3, lsn: int = 77, in_use: bool = True, modified: int = MODIFIED
) -> bytes:
    """Build a 1 KiB FILE record with $STANDARD_INFORMATION and a non-resident $DATA."""
    si = struct.pack("<IIBBHHHIHH", 0x10, 0x48, 0, 0, 0x18, 0, 0, 0x30, 0x18, 0)
    si += struct.pack("<QQQQ", 1, modified, 1, 1) + bytes(16)
    data = struct.pack("<IIBBHHH", 0x80, 0x48, 1, 0, 0x40, 0, 0)
    data += struct.pack("<QQHHIQQQ", 0, 0, 0x40, 0, 0, size, size, size) + bytes(8)
    body = si + data + struct.pack("<I", 0xFFFFFFFF)
    head = struct.pack("<4sHHQHHHHIIQH", b"FILE", 0x30, 3, lsn, sequence, 1, 0x38, int(in_use),
                       0x38 + len(body), 1024, 0, 4)  # fmt: skip
    raw = bytearray((head.ljust(0x38, b"\0") + body).ljust(1024, b"\0"))
    for n, tail in enumerate((510, 1022), 1):
        raw[0x30 + 2 * n : 0x32 + 2 * n] = raw[tail : tail + 2]
        raw[tail : tail + 2] = b"\x07\x00"
    raw[0x30:0x32] = b"\x07\x00"
    return bytes(raw)


class Image:
    """A volume in memory: records at cluster 1, data where a test puts it."""

    def __init__(self, **fields: int) -> None:
        self.data = bytearray(64 * CLUSTER)
        self.put_record(**fields)

    def put_record(self, **fields: int) -> None:
        self.data[CLUSTER + 5 * 1024 : CLUSTER + 6 * 1024] = record(**fields)

    def read_at(self, offset: int, length: int) -> bytes:
        return bytes(self.data[offset : offset + length])

    def close(self) -> None:
        """Nothing to close."""

    def backing(self) -> VolumeBacking:
        return VolumeBacking(self, Geometry(0, CLUSTER, 1024, ((CLUSTER, 8 * CLUSTER),)))


def ref(size: int, **fields: object) -> ContentRef:
    stamp = Stamp(size, filetime_to_ns(MODIFIED), lsn=77)
    return ContentRef(b"/a.flac", 5, 3, stamp, **{"valid_size": size, **fields})  # type: ignore[arg-type]


def test_plain_runs_are_read_across_their_border_in_any_order() -> None:
    image = Image(size=2 * CLUSTER - 10)
    image.data[20 * CLUSTER : 21 * CLUSTER] = b"A" * CLUSTER
    image.data[30 * CLUSTER : 31 * CLUSTER] = b"B" * CLUSTER
    runs = ((30 * CLUSTER, CLUSTER), (20 * CLUSTER, CLUSTER))
    with image.backing().open(ref(2 * CLUSTER - 10, runs=runs)) as content:
        assert content.read_at(CLUSTER - 2, 4) == b"BBAA"
        assert len(content.read_at(0, 10 * CLUSTER)) == content.size == 2 * CLUSTER - 10
        assert content.read_at(content.size, 1) == b""
        assert content.descriptor is None
        assert content.stamp().lsn == 77


def test_holes_and_what_was_never_written_read_as_zeros() -> None:
    size = 3 * CLUSTER
    image = Image(size=size)
    image.data[20 * CLUSTER : 22 * CLUSTER] = b"A" * (2 * CLUSTER)
    runs = ((HOLE, CLUSTER), (20 * CLUSTER, 2 * CLUSTER))
    content = image.backing().open(ref(size, runs=runs, valid_size=2 * CLUSTER + 5))
    whole = content.read_at(0, size)
    assert whole == bytes(CLUSTER) + b"A" * (CLUSTER + 5) + bytes(CLUSTER - 5)


def test_resident_content_comes_from_the_index_after_the_record_was_checked() -> None:
    image = Image(size=5)
    content = image.backing().open(ref(5, kind=ContentKind.RESIDENT, resident=b"hello"))
    assert content.read_at(1, 3) == b"ell"
    assert content.size == 5


@pytest.mark.parametrize("kind", sorted(REFUSALS))
def test_content_that_cannot_be_decoded_is_refused_by_name(kind: ContentKind) -> None:
    with pytest.raises(ContentRefusedError, match="cannot be read") as caught:
        Image(size=5).backing().open(ref(5, kind=kind))
    assert caught.value.path == "/a.flac"


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"lsn": 78}, BackingChangedError, "record was written"),
        ({"size": 6}, BackingChangedError, "size is 6"),
        ({"modified": MODIFIED + 10}, BackingChangedError, "modified"),
        ({"sequence": 4}, BackingChangedError, "another file"),
        ({"in_use": False}, BackingMissingError, "no longer in use"),
    ],
)
def test_a_record_that_moved_on_is_noticed_at_open(
    change: dict[str, int], error: type[Exception], words: str
) -> None:
    image = Image(size=5)
    image.put_record(**{"size": 5, **change})
    with pytest.raises(error, match=words):
        image.backing().open(ref(5, runs=((20 * CLUSTER, CLUSTER),)))


def test_a_volume_that_ends_inside_a_run_is_an_error_not_zeros() -> None:
    image = Image(size=CLUSTER)
    content = image.backing().open(ref(CLUSTER, runs=((1000 * CLUSTER, CLUSTER),)))
    with pytest.raises(BackingReadError, match="ends inside the run"):
        content.read_at(0, 10)


def test_runs_shorter_than_the_content_are_an_error_not_zeros() -> None:
    image = Image(size=3 * CLUSTER)
    content = image.backing().open(ref(3 * CLUSTER, runs=((20 * CLUSTER, CLUSTER),)))
    with pytest.raises(BackingReadError, match="data runs end"):
        content.read_at(0, 3 * CLUSTER)


def literal_chunks(plain: bytes) -> bytes:
    """Compress with literals only, which every decoder must take."""
    out = b""
    for start in range(0, len(plain), 4096):
        piece = plain[start : start + 4096]
        body = b"".join(b"\0" + piece[n : n + 8] for n in range(0, len(piece), 8))
        out += struct.pack("<H", 0x8000 | 0x3000 | (len(body) - 1)) + body
    return out


def test_compressed_units_are_stored_empty_or_lznt1() -> None:
    unit = 16 * CLUSTER
    image = Image(size=3 * unit)
    packed = struct.pack("<H", 0xB000 | 3) + b"\x02A\xfc\x0f" + bytes(4)
    image.data[40 * CLUSTER : 40 * CLUSTER + len(packed)] = packed
    image.data[10 * CLUSTER : 26 * CLUSTER] = b"S" * unit
    runs = ((10 * CLUSTER, unit), (HOLE, unit), (40 * CLUSTER, CLUSTER), (HOLE, unit - CLUSTER))
    given_ref = ref(3 * unit, kind=ContentKind.COMPRESSED, unit_clusters=16, runs=runs)
    content = image.backing().open(given_ref)
    assert content.read_at(unit - 2, 4) == b"SS\0\0"
    assert content.read_at(2 * unit, 6) == b"AAAAAA"
    assert len(content.read_at(0, 3 * unit)) == 3 * unit


@given(st.binary(max_size=9000))
def test_lznt1_returns_what_was_packed_with_literals(plain: bytes) -> None:
    assert decompress(literal_chunks(plain), len(plain)) == plain


@given(st.binary(max_size=600))
def test_lznt1_never_hangs_or_overruns_on_garbage(data: bytes) -> None:
    with contextlib.suppress(CorruptCompressionError):
        assert len(decompress(data, 8192)) == 8192


@pytest.mark.skipif(not (SHARED / "ntfs").is_dir(), reason="the real volumes are not here")
def test_lznt1_decodes_a_cluster_that_windows_wrote() -> None:
    expected = (SHARED / "ntfs/lznt1_real.expected").read_bytes()
    assert decompress((SHARED / "ntfs/lznt1_real.bin").read_bytes(), len(expected)) == expected


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"BAAD" + raw[4:],
        lambda raw: raw[:510] + b"\xaa\xaa" + raw[512:],
        lambda raw: raw[:100],
        lambda raw: raw[:6] + b"\xff\xff" + raw[8:],
    ],
)
def test_a_torn_record_gives_no_stamp(damage: Callable[[bytes], bytes]) -> None:
    assert read_current(record(size=1)) is not None
    assert read_current(damage(record(size=1))) is None


@given(st.binary(min_size=1024, max_size=1024))
def test_reading_a_garbage_record_never_raises(raw: bytes) -> None:
    read_current(b"FILE" + raw[4:])


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(0, 400), st.integers(0, 99)
)
def test_pieces_cover_exactly_the_asked_range(lengths: list[int], offset: int, size: int) -> None:
    position, runs = 0, []
    for length in lengths:
        runs.append((position, length))
        position += length
    image = bytes(n % 251 for n in range(position))
    mapped = RunMap(tuple(runs), lambda start, count: image[start : start + count])
    assert mapped.read(offset, size) == image[offset : offset + size]


def test_only_the_volume_of_the_index_is_taken() -> None:
    image = Image(size=5)
    geometry = Geometry(0, CLUSTER, 1024, ((CLUSTER, 8 * CLUSTER),))
    image.data[3:11] = b"NTFS    "
    image.data[0x48:0x50] = bytes.fromhex("efcdab8967452301")
    find_volume(image, geometry, "0123456789ABCDEF", Path("v.img"))
    with pytest.raises(VolumeError, match="another volume") as caught:
        find_volume(image, geometry, "FFFF456789ABCDEF", Path("v.img"))
    assert caught.value.path == "v.img"
    # scanned as a partition of a disk, given as that partition
    partition = replace(geometry, partition_offset=8 * CLUSTER)
    assert find_volume(image, partition, "0123456789ABCDEF", Path("p")) == geometry
    with pytest.raises(VolumeError, match="not here"):
        find_volume(image, partition, "FFFF456789ABCDEF", Path("p"))


def test_a_damaged_boot_sector_is_no_reason_but_no_file_records_are() -> None:
    image = Image(size=5)
    geometry = Geometry(0, CLUSTER, 1024, ((CLUSTER, 8 * CLUSTER),))
    with pytest.raises(VolumeError, match="not here"):
        find_volume(image, geometry, None, Path("v.img"))
    image.data[CLUSTER : CLUSTER + 4] = b"FILE"
    find_volume(image, geometry, None, Path("v.img"))


def test_a_missing_device_is_named(tmp_path: Path) -> None:
    with pytest.raises(VolumeNotFoundError, match="no such volume"):
        FileSource(tmp_path / "gone.img")


def test_a_file_source_reads_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "v.img"
    path.write_bytes(b"0123456789")
    source = FileSource(path)
    assert source.read_at(4, 100) == b"456789"
    source.close()
    source.close()
