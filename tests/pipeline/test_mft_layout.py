"""Finding the whole $MFT (B1, B2): backup copies, fragments, its own attribute list, truncation."""

import struct
from dataclasses import dataclass, field

import pytest
from support.records import (
    Record,
    attribute_list,
    extent,
    file_name,
    folder,
    list_entry,
    reference,
    resident,
    root,
    run_list,
    simple_file,
    standard_information,
    table,
)
from support.scanning import assert_equivalent, stream

from musefs.index.counters import Counter, fresh_tally
from musefs.index.errors import DamagedVolumeError
from musefs.pipeline.read.layout import read_layout
from musefs.pipeline.records import RecordOptions
from musefs.pipeline.volume.doubles import MemoryVolume
from musefs.pipeline.volume_row import ntfs_row


@dataclass
class Image:
    """A small NTFS volume whose $MFT lies where a test wants it."""

    cluster: int = 1024
    record: int = 1024
    clusters: int = 600
    runs: tuple[tuple[int, int], ...] = ((20, 32), (100, 7), (80, 9))
    files: int = 30
    mirror: int = 400
    zero: Record | None = None
    extra: dict[int, Record] = field(default_factory=dict)
    real: int | None = None
    initialised: int | None = None

    def mft_bytes(self) -> int:
        return sum(length for _, length in self.runs) * self.cluster

    def record_zero(self) -> Record:
        if self.zero is not None:
            return self.zero
        size = self.mft_bytes()
        content = extent(
            0x80,
            run_list(*self.runs),
            size // self.cluster,
            real=size if self.real is None else self.real,
            initialised=self.initialised,
        )
        return Record([standard_information(6), file_name("$MFT"), content], size=self.record)

    def boot(self) -> bytes:
        raw = bytearray(512)
        raw[3:11] = b"NTFS    "
        code = self.cluster // 512
        struct.pack_into(
            "<HB", raw, 0x0B, 512, code if code <= 128 else 256 - code.bit_length() + 1
        )
        sectors = self.clusters * self.cluster // 512 - 1
        struct.pack_into("<QQQ", raw, 0x28, sectors, self.runs[0][0], self.mirror)
        raw[0x40], raw[0x44] = 256 - self.record.bit_length() + 1, 1
        struct.pack_into("<Q", raw, 0x48, 0xABCDEF)
        return bytes(raw)

    def build(self) -> bytearray:
        records: dict[int, Record | bytes] = {0: self.record_zero(), 5: root()}
        records[5].size = self.record  # type: ignore[union-attr]
        records[24] = folder("Music", size=self.record)
        for number in range(25, 25 + self.files):
            records[number] = simple_file(f"song {number}.flac", reference(24), size=self.record)
        records.update(self.extra)
        mft = table(records, self.record).ljust(self.mft_bytes(), b"\0")[: self.mft_bytes()]
        out = bytearray(self.clusters * self.cluster)
        out[:512] = out[-512:] = self.boot()
        at = 0
        for lcn, length in self.runs:
            piece = mft[at : at + length * self.cluster]
            out[lcn * self.cluster : lcn * self.cluster + len(piece)] = piece
            at += len(piece)
        mirror = self.mirror * self.cluster
        out[mirror : mirror + self.record] = mft[: self.record]
        return out


def songs(image: bytes | bytearray) -> int:
    scanned = assert_equivalent(MemoryVolume(bytes(image)), RecordOptions(False, 2, 5000, 3000))
    return sum(row["name"].startswith("song") for row in scanned.rows["names"])


def test_b2_fragments_out_of_order() -> None:
    assert songs(Image(files=23).build()) == 23


def test_b2_records_that_straddle_two_runs() -> None:
    """E3: clusters of half a record, and runs of odd length."""
    image = Image(cluster=512, clusters=1200, runs=((30, 61), (200, 13), (150, 44)), files=34)
    assert songs(image.build()) == 34


def test_b2_records_of_4_kib_and_clusters_of_64_kib() -> None:
    image = Image(
        cluster=65536, clusters=12, runs=((2, 2), (6, 1)), record=4096, files=20, mirror=9
    )
    assert songs(image.build()) == 20


@pytest.mark.parametrize("cluster", [512, 131072, 2 << 20])
def test_b1_clusters_from_512_bytes_to_2_mib(cluster: int) -> None:
    need = max(1, 64 * 1024 // cluster)
    image = Image(cluster=cluster, clusters=4 * need + 2, runs=((need, need),), files=20, mirror=0)
    image.mirror = 3 * need
    assert songs(image.build()) == 20


@pytest.mark.expected_degradations(Counter.BACKUP_BOOT_SECTOR_USED)
def test_b1_the_backup_boot_sector_serves_when_the_first_is_damaged() -> None:
    image = Image(files=23).build()
    image[0x0D] = 3
    assert songs(image) == 23
    image[:512] = bytes(512)
    assert songs(image) == 23


@pytest.mark.expected_degradations(*Counter)
def test_b2_the_mirror_serves_when_record_0_is_damaged() -> None:
    image = Image(files=23).build()
    at = 20 * 1024
    image[at + 510 : at + 512] = b"??"
    with fresh_tally() as tally:
        assert read_layout(MemoryVolume(bytes(image))).records == 48
        assert tally[Counter.MFT_MIRROR_USED] == 1
    assert songs(image) == 23
    mirror = 400 * 1024
    image[mirror : mirror + 4] = b"BAAD"
    with pytest.raises(DamagedVolumeError, match="mirror"):
        read_layout(MemoryVolume(bytes(image)))


def with_own_list(order: tuple[int, ...], *, resident_list: bool = True) -> Image:
    """An $MFT whose extents beyond the first lie in its own records 16 and 17.

    Record 17 can be reached only through the extent that record 16 describes.
    """
    entries = {
        0: list_entry(0x80, reference(0, 1)),
        16: list_entry(0x80, reference(16, 1), lowest=17),
        17: list_entry(0x80, reference(17, 1), lowest=24),
    }
    runs = ((20, 17), (100, 7), (60, 24))
    content = extent(0x80, run_list(runs[0]), 17, real=48 * 1024)
    value = b"".join(entries[number] for number in order)
    listed = attribute_list(*(entries[number] for number in order))
    if not resident_list:
        listed = extent(0x20, run_list((500, 1)), 1, real=len(value))
    zero = Record([standard_information(6), listed, file_name("$MFT"), content])
    base = reference(0, 1)
    extra = {
        16: Record([extent(0x80, run_list(runs[1]), 7, lowest=17)], base=base),
        17: Record([extent(0x80, run_list(runs[2]), 24, lowest=24)], base=base),
    }
    return Image(runs=runs, zero=zero, extra=extra, files=23)


@pytest.mark.parametrize("order", [(0, 16, 17), (17, 16, 0), (16, 0, 17)])
@pytest.mark.parametrize("resident_list", [True, False])
def test_b2_e4_extents_of_the_mft_inside_the_mft_in_any_list_order(
    order: tuple[int, ...], resident_list: bool
) -> None:
    image = with_own_list(order, resident_list=resident_list)
    raw = image.build()
    if not resident_list:
        entries = {0: (0, 0), 16: (16, 17), 17: (17, 24)}
        value = b"".join(
            list_entry(0x80, reference(entries[n][0], 1), lowest=entries[n][1]) for n in order
        )
        raw[500 * 1024 : 500 * 1024 + len(value)] = value
    assert songs(raw) == 23


@pytest.mark.expected_degradations(*Counter)
def test_b2_an_extent_that_cannot_be_read_is_counted_and_the_rest_scanned() -> None:
    image = with_own_list((0, 16, 17))
    image.extra[17] = Record([file_name("not an extension")])
    with fresh_tally() as tally:
        scanned = stream(MemoryVolume(bytes(image.build())))
        del tally
    assert scanned.counts[Counter.UNREACHABLE_RECORDS] == 24
    assert scanned.totals.records == 24


@pytest.mark.expected_degradations(Counter.UNREACHABLE_RECORDS)
def test_b17_an_image_cut_in_the_middle_of_the_mft() -> None:
    image = Image(runs=((20, 32), (100, 7), (500, 9)), files=23).build()[: 450 * 1024]
    scanned = stream(MemoryVolume(bytes(image)))
    assert scanned.counts[Counter.UNREACHABLE_RECORDS] == 9
    assert any(row["name"] == "song 30.flac" for row in scanned.rows["names"])


def test_b2_only_initialised_records_count() -> None:
    image = Image(files=23, initialised=30 * 1024).build()
    assert stream(MemoryVolume(bytes(image))).totals.records == 30


@pytest.mark.expected_degradations(Counter.UNREACHABLE_RECORDS)
def test_b17_an_absurd_mft_size_is_capped_by_the_runs() -> None:
    image = Image(files=23, real=1 << 60).build()
    assert stream(MemoryVolume(bytes(image))).totals.records == 48


def test_the_volume_row_says_what_the_volume_says() -> None:
    image = Image(files=20)
    label = resident(0x60, "Müsik".encode("utf-16-le"))
    version = resident(0x70, bytes(8) + b"\x03\x01\0\0")
    image.extra[3] = Record([file_name("$Volume"), label, version])
    volume = MemoryVolume(bytes(image.build()))
    row = ntfs_row(volume, read_layout(volume), None).to_pylist()[0]
    assert row["serial"] == "0000000000ABCDEF"
    assert (row["label"], row["ntfs_version"]) == ("Müsik", "3.1")
    assert row["bytes_per_cluster"] == 1024
    assert row["mft_runs"][1] == {"offset": 100 * 1024, "length": 7 * 1024}


@pytest.mark.expected_degradations(Counter.TORN_RECORDS, Counter.READ_RETRIES)
@pytest.mark.parametrize("heals", [True, False])
def test_b16_a_torn_record_of_a_live_volume_is_read_once_more(heals: bool) -> None:
    good = bytes(Image(files=23).build())
    at = (20 + 30) * 1024  # record 30 lies in the first run
    torn = good[: at + 510] + b"??" + good[at + 512 :]

    def before_read(offset: int, _: int) -> None:
        reads.append(offset)
        if heals and offset == at // 4096 * 4096 and len(reads) > 3:
            volume.content = good

    reads: list[int] = []
    volume = MemoryVolume(torn, is_live=True, before_read=before_read)
    scanned = stream(volume)
    row = next(row for row in scanned.rows["entries"] if row["record_number"] == 30)
    assert scanned.counts[Counter.READ_RETRIES] == 1
    assert row["state"] == ("ok" if heals else "torn")
    assert row["name_count"] == (1 if heals else 0)
    still = stream(MemoryVolume(torn))
    ids = [r["entry_id"] for r in sorted(scanned.rows["entries"], key=lambda r: r["entry_id"])]
    assert ids == [r["entry_id"] for r in still.rows["entries"]]
