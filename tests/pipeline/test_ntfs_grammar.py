"""The byte grammar of NTFS, trap by trap (design page sections B1 to B17 and E)."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.records import (
    Record,
    attribute_list,
    data,
    extent,
    file_name,
    list_entry,
    protect,
    reference,
    resident,
    run_list,
    simple_file,
    standard_information,
)

from musefs.index.backing.content import ContentKind
from musefs.index.counters import Counter
from musefs.index.errors import DamagedVolumeError, UnsupportedVolumeError
from musefs.index.schema.enums import RecordState
from musefs.pipeline.ntfs.attribute import DamagedAttribute, Extent, walk_attributes
from musefs.pipeline.ntfs.attribute_list import AttributeListError, parse_attribute_list
from musefs.pipeline.ntfs.boot import name_file_system, parse_boot, refuse_other_file_systems
from musefs.pipeline.ntfs.content import Geometry
from musefs.pipeline.ntfs.entry import EntryFacts, build_entry, parse_record
from musefs.pipeline.ntfs.extensions import packed_extension
from musefs.pipeline.ntfs.file_name import NameSpace
from musefs.pipeline.ntfs.fixup import FixupState, apply_fixups
from musefs.pipeline.ntfs.record import SlotState, open_slot, parse_header
from musefs.pipeline.ntfs.reference import extension_key, finish_entry, scan_reference
from musefs.pipeline.ntfs.reparse import parse_reparse
from musefs.pipeline.ntfs.runs import Run, RunListError, decode_runs, join_extents
from musefs.pipeline.ntfs.upcase import same_name, usual_table
from musefs.pipeline.ntfs.wtf8 import display_text, exact_bytes, exact_where_different

GEOMETRY = Geometry(4096, 1 << 30)


def boot_sector(per_cluster: int = 8, record: int = 0xF6, sector: int = 512) -> bytes:
    raw = bytearray(512)
    raw[3:11] = b"NTFS    "
    struct.pack_into("<HB", raw, 0x0B, sector, per_cluster)
    struct.pack_into("<QQQ", raw, 0x28, 1 << 31, 4, 2)
    raw[0x40], raw[0x44] = record, 1
    struct.pack_into("<Q", raw, 0x48, 0xDEADBEEF)
    raw[510:] = b"\x55\xaa"
    return bytes(raw)


def entry_of(record: Record, number: int = 40) -> EntryFacts:
    raw = bytearray(record.build())
    assert open_slot(raw) is SlotState.RECORD
    entry = build_entry(parse_record(number, raw))
    finish_entry(entry, GEOMETRY)
    return entry


@pytest.mark.parametrize(
    ("code", "cluster_bytes"),
    [(1, 512), (8, 4096), (0x80, 65536), (0xF8, 131072), (0xF4, 2 << 20)],
)
def test_b1_sectors_per_cluster_is_neither_signed_nor_unsigned(
    code: int, cluster_bytes: int
) -> None:
    assert parse_boot(boot_sector(code)).cluster_bytes == cluster_bytes


@pytest.mark.parametrize(("code", "record_bytes"), [(0xF6, 1024), (0xF4, 4096), (1, 4096)])
def test_b1_record_size_is_a_power_or_a_count(code: int, record_bytes: int) -> None:
    assert parse_boot(boot_sector(8, code)).record_bytes == record_bytes


@pytest.mark.parametrize("bad", [boot_sector(3), boot_sector(8, 0xF0 - 8), bytes(512)])
def test_b1_a_boot_sector_without_sense_is_damage(bad: bytes) -> None:
    with pytest.raises(DamagedVolumeError):
        parse_boot(bad)


def test_b1_offsets_are_64_bit() -> None:
    raw = bytearray(boot_sector(0x80))
    struct.pack_into("<QQ", raw, 0x28, 1 << 45, 1 << 33)
    assert parse_boot(raw).mft_offset == (1 << 33) * 65536


@pytest.mark.parametrize(
    ("name", "at", "text"),
    [
        ("BitLocker", 3, b"-FVE-FS-"),
        ("exFAT", 3, b"EXFAT   "),
        ("ReFS", 3, b"ReFS\0"),
        ("FAT", 0x52, b"FAT32   "),
        ("FAT", 0x36, b"FAT16   "),
        ("ext", 1024 + 0x38, b"\x53\xef"),
    ],
)
def test_b1_other_file_systems_are_named(name: str, at: int, text: bytes) -> None:
    head = bytearray(2048)
    head[at : at + len(text)] = text
    assert name_file_system(head) == name
    with pytest.raises(UnsupportedVolumeError, match=name):
        refuse_other_file_systems(head, "disk.img")


@pytest.mark.parametrize("size", [1024, 4096])
def test_b3_fixup_stride_is_512_for_every_record_size(size: int) -> None:
    plain = simple_file("a.flac", size=size).unfixed()
    body = bytearray(plain)
    body[510:512], body[size - 2 :] = b"AB", b"YZ"
    record = bytearray(protect(bytes(body)))
    assert apply_fixups(record) is FixupState.APPLIED
    assert record[510:512] == b"AB"
    assert record[-2:] == b"YZ"


def test_b3_torn_record_keeps_header_only() -> None:
    record = bytearray(simple_file("a").build())
    record[1022:1024] = b"??"
    assert open_slot(record) is SlotState.TORN


def test_b3_fixups_that_were_applied_already_are_taken_as_they_are() -> None:
    record = bytearray(simple_file("a").build())
    apply_fixups(record)
    again = bytearray(record)
    assert apply_fixups(again) is FixupState.APPLIED
    assert again == record


@pytest.mark.parametrize(("offset", "count"), [(0x31, 3), (0x20, 3), (0x30, 2), (0x1FC, 3)])
def test_b3_impossible_fixup_arrays(offset: int, count: int) -> None:
    record = bytearray(simple_file("a").build())
    struct.pack_into("<HH", record, 4, offset, count)
    assert open_slot(record) is SlotState.BAD_FIXUPS


def test_b3_baad_zero_and_garbage_slots() -> None:
    assert open_slot(bytearray(1024)) is SlotState.NEVER_USED
    assert open_slot(bytearray(b"BAAD" + bytes(1020))) is SlotState.BAAD
    assert open_slot(bytearray(bytes(1023) + b"x")) is SlotState.GARBAGE


def test_b3_base_test_reads_all_64_bits() -> None:
    header = parse_header(Record(base=reference(0, 1)).build())
    assert not header.is_base


def test_b3_deleted_extensions_belong_to_the_former_sequence() -> None:
    assert extension_key(reference(9, 4), in_use=True) == (9, 4, True)
    assert extension_key(reference(9, 4), in_use=False) == (9, 5, False)
    assert extension_key(reference(9, 0xFFFF), in_use=False) == (9, 1, False)


@pytest.mark.parametrize("length", [0, 7, 0x14, 0x1C, 0x10000])
def test_b17_bad_attribute_length_ends_the_walk_and_keeps_what_was_before(length: int) -> None:
    broken = bytearray(data(b"content"))
    struct.pack_into("<I", broken, 4, length)
    entry = entry_of(Record([standard_information(), file_name("kept"), bytes(broken)]))
    assert [link.name.utf16.decode("utf-16-le") for link in entry.links] == ["kept"]
    assert entry.damage[Counter.BAD_ATTRIBUTES] == 1
    assert entry.state is RecordState.DAMAGED


def test_b17_missing_end_marker_and_used_size_past_the_record() -> None:
    assert entry_of(Record([file_name("a")], end=b"")).damage[Counter.BAD_ATTRIBUTES] == 1
    entry = entry_of(Record([file_name("a")], used=5000))
    assert entry.damage[Counter.BAD_ATTRIBUTES] == 1
    assert len(entry.links) == 1


def test_b17_a_value_outside_its_attribute_costs_only_that_one() -> None:
    broken = bytearray(file_name("lost"))
    struct.pack_into("<I", broken, 0x10, 5000)
    entry = entry_of(Record([bytes(broken), file_name("kept"), data(b"abc")]))
    assert len(entry.links) == 1
    assert entry.size == 3
    assert entry.damage[Counter.BAD_ATTRIBUTES] == 1


def test_b17_stream_name_outside_its_attribute() -> None:
    broken = bytearray(data(b"abc", "s"))
    broken[9] = 255
    entry = entry_of(Record([file_name("a"), bytes(broken)]))
    assert entry.streams == []
    assert entry.damage[Counter.BAD_ATTRIBUTES] == 1


def test_b4_sizes_count_only_where_the_lowest_vcn_is_0() -> None:
    later = extent(0x80, run_list((9, 4)), 4, lowest=8, real=999)
    assert entry_of(Record([file_name("a.txt"), later])).size is None


def test_b5_short_and_long_standard_information_and_absence() -> None:
    old = entry_of(Record([standard_information(security_id=None), file_name("a")]))
    assert old.information is not None
    assert old.information.security_id is None
    new = entry_of(Record([standard_information(0x27, 0x123), file_name("a")]))
    assert new.information is not None
    assert (new.information.attributes, new.information.security_id) == (0x27, 0x123)
    assert entry_of(Record([file_name("a")])).information is None


def test_b6_short_name_pairs_with_the_win32_name_of_the_same_folder() -> None:
    names = [
        file_name("LONGNA~1.FLA", space=2),
        file_name("other.flac", reference(30), space=1),
        file_name("long name.flac", space=1),
    ]
    entry = entry_of(Record(names, links=3))
    assert [link.short_utf16 for link in entry.links] == [
        None,
        "LONGNA~1.FLA".encode("utf-16-le"),
    ]


def test_b6_primary_name_prefers_windows_and_a_file_may_have_only_a_short_one() -> None:
    entry = entry_of(Record([file_name("posix", space=0), file_name("win", space=1)]))
    assert [link.name.name_space for link in entry.links] == [NameSpace.WIN32, NameSpace.POSIX]
    only = entry_of(Record([file_name("ONLY~1", space=2)]))
    assert [link.name.name_space for link in only.links] == [NameSpace.DOS]


@pytest.mark.parametrize("name", ["", "a/b", "nul\0", b"\x00"])
def test_b6_impossible_names_are_counted_and_cost_no_other(name: str | bytes) -> None:
    entry = entry_of(Record([file_name(name), file_name("good")]))
    assert len(entry.links) == 1
    assert entry.damage[Counter.BAD_NAMES] == 1


def test_b7_attribute_list_stops_at_an_impossible_entry() -> None:
    good = list_entry(0x30, reference(50))
    assert len(list(parse_attribute_list(good + good))) == 2
    with pytest.raises(AttributeListError):
        list(parse_attribute_list(good + list_entry(0x30, reference(50), length=0)))
    with pytest.raises(AttributeListError):
        list(parse_attribute_list(good + list_entry(0x30, reference(50), length=900)))


def test_b7_missing_extension_makes_the_entry_incomplete() -> None:
    record = Record([attribute_list(list_entry(0x30, reference(77))), file_name("a")])
    entry = entry_of(record)
    assert entry.damage[Counter.MISSING_EXTENTS] == 1
    assert entry.state is RecordState.INCOMPLETE


def test_b7_listed_beginning_of_the_content_wins_over_a_leftover() -> None:
    base = parse_record(
        40, fixed(Record([attribute_list(list_entry(0x80, reference(60))), file_name("a.mp3")]))
    )
    stale = parse_record(50, fixed(Record([data(b"stale")], base=reference(40))))
    named = parse_record(60, fixed(Record([data(b"the real one")], base=reference(40))))
    entry = build_entry(base, [stale, named])
    assert entry.size == len("the real one")
    assert entry.damage[Counter.DUPLICATE_EXTENTS] == 1


def fixed(record: Record) -> bytearray:
    raw = bytearray(record.build())
    apply_fixups(raw)
    return raw


@pytest.mark.parametrize(
    "raw",
    [
        b"\x10\x05",  # no length
        b"\x19" + bytes(20),  # nine bytes of length
        b"\x91" + b"\x01" + bytes(9),  # nine bytes of offset
        b"\x11\x00\x05\x00",  # zero clusters
        b"\x11\xff\x05\x00",  # negative length
        b"\x11\x05\xff\x00",  # before the volume
        b"\x11\x05",  # cut
        b"\x41\x05\xff\xff\xff\x7f\x00",  # past the volume
        b"\x81\x01" + b"\xff" * 7 + b"\x7f" + b"\x81\x01" + b"\xff" * 7 + b"\x7f\x00",
    ],
)
def test_b8_impossible_run_lists(raw: bytes) -> None:
    with pytest.raises(RunListError):
        list(decode_runs(raw, 1 << 24))


def test_b8_a_hole_may_be_longer_than_the_volume() -> None:
    assert list(decode_runs(run_list((None, 1 << 40), (5, 1)), 100)) == [
        Run(None, 1 << 40),
        Run(5, 1),
    ]


def make_extent(lowest: int, clusters: int, runs: bytes) -> Extent:
    return Extent(lowest, lowest + clusters - 1, 0, 0, 0, 0, 0, runs)


def test_b8_delta_restarts_in_every_extent_and_order_does_not_matter() -> None:
    first = make_extent(0, 4, run_list((1000, 4)))
    second = make_extent(4, 2, run_list((2000, 2)))
    assert join_extents([second, first], 1 << 20) == (Run(1000, 4), Run(2000, 2))
    with pytest.raises(RunListError):
        join_extents([second], 1 << 20)
    with pytest.raises(RunListError):
        join_extents([make_extent(0, 5, run_list((1000, 4)))], 1 << 20)


@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.integers(0, 1 << 40)), st.integers(1, 1 << 33)),
        max_size=20,
    )
)
def test_b8_runs_come_back_as_they_were_written(runs: list[tuple[int | None, int]]) -> None:
    assert list(decode_runs(run_list(*runs), 1 << 50)) == [Run(*run) for run in runs]


def test_b9_sizes() -> None:
    plain = extent(0x80, run_list((100, 4)), 4, real=16000, initialised=9000)
    entry = entry_of(Record([file_name("a.flac"), plain]))
    assert (entry.size, entry.allocated, entry.valid_size) == (16000, 16384, 9000)
    sparse = extent(0x80, run_list((None, 4)), 4, real=16000, total=0, flags=0x8000)
    assert entry_of(Record([file_name("a.flac"), sparse])).allocated == 0
    folder = entry_of(Record([file_name("d"), data(b"stray")], flags=3))
    assert folder.size is None


def test_b9_streams_are_keyed_by_name_and_wof_hides_its_own() -> None:
    streams = [data(b"12", "one"), data(b"345", "two"), data(b"6", "one")]
    entry = entry_of(Record([file_name("a"), data(b""), *streams]))
    assert [(s.utf16.decode("utf-16-le"), s.size) for s in entry.streams] == [
        ("one", 2),
        ("two", 3),
    ]
    assert entry.damage[Counter.DUPLICATE_EXTENTS] == 1
    tag = resident(0xC0, struct.pack("<IHH", 0x80000017, 0, 0))
    stored = extent(0x80, run_list((7, 2)), 2, name="WofCompressedData", real=5000)
    hole = extent(0x80, run_list((None, 9)), 9, real=33000, total=0, flags=0x8000)
    wof = entry_of(Record([file_name("a.flac"), hole, stored, tag]))
    assert (wof.streams, wof.size, wof.allocated) == ([], 33000, 8192)
    assert wof.content is not None
    assert wof.content.kind is ContentKind.WOF


def test_b9_bad_clusters_occupy_nothing() -> None:
    bad = extent(0x80, run_list((None, 1000)), 1000, name="$Bad", real=4096000)
    entry = entry_of(Record([file_name("$BadClus"), data(b""), bad]), number=8)
    assert (entry.streams[0].size, entry.streams[0].allocated) == (4096000, 0)


def link(tag: int, target: str, printed: str, head: bytes = b"") -> bytes:
    sub, text = target.encode("utf-16-le"), printed.encode("utf-16-le")
    body = struct.pack("<HHHH", 0, len(sub), len(sub), len(text)) + head + sub + text
    return struct.pack("<IHH", tag, len(body), 0) + body


def test_b10_targets_of_links_junctions_and_others() -> None:
    symlink = parse_reparse(link(0xA000000C, "\\??\\C:\\x", "C:\\x", bytes(4)))
    junction = parse_reparse(link(0xA0000003, "\\??\\D:\\music", ""))
    lx = parse_reparse(struct.pack("<IHHI", 0xA000001D, 8, 0, 2) + b"/a\xff!")
    assert symlink is not None
    assert junction is not None
    assert lx is not None
    assert symlink.target_utf16 == "C:\\x".encode("utf-16-le")
    assert junction.target_utf16 == "D:\\music".encode("utf-16-le")
    assert lx.target_bytes == b"/a\xff!"
    cut = parse_reparse(link(0xA0000003, "\\??\\D:\\music", "")[:-4])
    assert cut is not None
    assert cut.damaged
    assert parse_reparse(b"1234567") is None


def test_b10_tag_of_a_reparse_point_that_is_not_resident_comes_from_the_name() -> None:
    far = extent(0xC0, run_list((7, 1)), 1, real=100)
    entry = entry_of(
        Record([standard_information(0x420), file_name("a", tag=0x9000701A), far, data(b"")])
    )
    assert entry.reparse is not None
    assert entry.reparse.tag == 0x9000701A


@pytest.mark.parametrize(
    ("flags", "tag", "kind"),
    [
        (0x4000, None, ContentKind.ENCRYPTED),
        (0, 0x80000013, ContentKind.DEDUPLICATED),
        (0, 0x9000301A, ContentKind.CLOUD),
        (0, None, ContentKind.RUNS),
    ],
)
def test_b15_content_that_cannot_be_had_is_named(
    flags: int, tag: int | None, kind: ContentKind
) -> None:
    attributes = [
        file_name("a.mp3"), extent(0x80, run_list((5, 1)), 1, real=10, flags=flags)
    ]  # fmt: skip
    if tag is not None:
        attributes.append(resident(0xC0, struct.pack("<IHH", tag, 0, 0)))
    entry = entry_of(Record(attributes))
    assert entry.content is not None
    assert entry.content.kind is kind


def test_b15_compressed_resident_and_damaged_content() -> None:
    squeezed = extent(
        0x80, run_list((5, 3), (None, 13)), 16, real=60000, total=12288, flags=1, unit=4
    )
    entry = entry_of(Record([file_name("a.wav"), squeezed]))
    assert entry.content is not None
    assert (entry.content.kind, entry.content.unit_clusters) == (ContentKind.COMPRESSED, 16)
    assert entry.content.spans == ((5 * 4096, 3 * 4096), (-1, 13 * 4096))
    assert entry.content.first_byte == 5 * 4096
    small = entry_of(Record([file_name("a.cue"), data(b"text")]))
    assert small.content is not None
    assert small.content.resident == b"text"
    short = entry_of(Record([file_name("a.wav"), extent(0x80, run_list((5, 1)), 1, real=5000)]))
    assert short.content is not None
    assert short.content.kind is ContentKind.DAMAGED
    assert short.damage[Counter.BAD_RUN_LISTS] == 1


LONE = "\ud800"


def test_b6_lone_surrogates_keep_their_bytes_and_get_an_escaped_text() -> None:
    raw = f"a{LONE}b".encode("utf-16-le", "surrogatepass")
    assert display_text(raw) == "a\\ud800b"
    assert exact_bytes(raw) == b"a\xed\xa0\x80b"
    assert exact_where_different("plain ß 🎵".encode("utf-16-le")) is None


@given(st.binary(max_size=60).map(lambda raw: raw[: len(raw) & ~1]))
def test_e11_two_names_never_become_one(raw: bytes) -> None:
    display_text(raw).encode("utf-8")
    assert exact_bytes(raw).decode("utf-8", "surrogatepass").encode(
        "utf-16-le", "surrogatepass"
    ) == raw  # fmt: skip


def test_b13_upcase_is_one_to_one() -> None:
    table = usual_table()

    def same(left: str, right: str) -> bool:
        return same_name(left.encode("utf-16-le"), right.encode("utf-16-le"), table)

    assert same("Café.flac", "CAFÉ.FLAC")
    assert not same("straße", "STRASSE")
    assert len(table) == 131072


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        ("a.FLAC", b"flac"),
        ("a.b.Mp3", b"mp3"),
        (".mp3", b""),
        ("noext", b""),
        ("x.waytoolongext", b""),
        ("x.mp\u0131", b""),
        ("x.", b""),
    ],
)
def test_extension_of_a_name_as_a_number(name: str, extension: bytes) -> None:
    packed = packed_extension(name.encode("utf-16-le"))
    assert packed == int.from_bytes(extension, "big")


@given(st.binary(min_size=1024, max_size=1024))
def test_b17_no_bytes_make_the_grammar_raise(noise: bytes) -> None:
    raw = bytearray(simple_file("a.flac").build())
    raw[0x38:] = noise[0x38:]
    scan_reference(bytes(raw), 1024, GEOMETRY, deleted=True)
    list(walk_attributes(noise, 0x38, 1024))


@given(st.integers(0x38, 1023), st.integers(0, 255))
def test_b17_one_wrong_byte_never_raises(at: int, value: int) -> None:
    raw = fixed(simple_file("a.flac"))
    raw[at] = value
    scan_reference(protect(bytes(raw)), 1024, GEOMETRY)


def test_walk_reports_damage_as_an_item() -> None:
    items = list(walk_attributes(bytes(1024), 0x10, 1024))
    assert items == [DamagedAttribute(0, ends_walk=True)]
