"""The damage suite (B17): each kind of broken record alone, and a tenth of all records at once.

Nothing hangs, nothing crashes, the undamaged rows are all there, and the kind is counted.
"""

import random
from collections.abc import Callable

import pytest
from support.records import (
    Record,
    attribute_list,
    data,
    extent,
    file_name,
    folder,
    list_entry,
    reference,
    root,
    run_list,
    simple_file,
    standard_information,
    table,
)
from support.scanning import Scanned, assert_equivalent, saved

from musefs.index.counters import Counter
from musefs.pipeline.records import RecordOptions

pytestmark = pytest.mark.expected_degradations(*Counter)

VICTIM = 50
FIRST, LAST = 40, 440
OPTIONS = RecordOptions(workers=2, chunk_bytes=100_000, sub_range_bytes=30_000)


def healthy() -> dict[int, Record | bytes]:
    records: dict[int, Record | bytes] = {0: simple_file("$MFT"), 5: root(), 30: folder("Music")}
    for number in range(FIRST, LAST):
        records[number] = simple_file(f"song {number}.flac", reference(30))
    return records


def patched(at: int, raw: bytes) -> bytes:
    record = bytearray(simple_file("victim.flac", reference(30)).build())
    record[at : at + len(raw)] = raw
    return bytes(record)


def attributes_of(*extra: bytes) -> bytes:
    return Record([standard_information(), file_name("victim.flac"), *extra]).build()


def broken(attribute: bytes, at: int, raw: bytes) -> bytes:
    changed = bytearray(attribute)
    changed[at : at + len(raw)] = raw
    return bytes(changed)


CONTENT = extent(0x80, run_list((5, 3)), 3, real=9000)
KINDS: dict[str, tuple[bytes, Counter]] = {
    "torn": (patched(510, b"??"), Counter.TORN_RECORDS),
    "fixup array outside": (patched(4, b"\xfe\x01"), Counter.BAD_FIXUP_ARRAYS),
    "baad": (b"BAAD" + bytes(1020), Counter.BAAD_RECORDS),
    "garbage": (b"\xff" * 1024, Counter.GARBAGE_RECORDS),
    "zeros with a tail": (bytes(1000) + b"x" * 24, Counter.GARBAGE_RECORDS),
    "attribute length 0": (attributes_of(broken(data(b"x"), 4, bytes(4))), Counter.BAD_ATTRIBUTES),
    "attribute length 7": (
        attributes_of(broken(data(b"x"), 4, b"\x07\0\0\0")), Counter.BAD_ATTRIBUTES,
    ),
    "attribute past the record": (
        attributes_of(broken(data(b"x"), 4, b"\0\0\1\0")), Counter.BAD_ATTRIBUTES,
    ),
    "used size past the record": (
        Record([file_name("victim.flac")], used=9999).build(), Counter.BAD_ATTRIBUTES,
    ),
    "no end marker": (
        Record([file_name("victim.flac")], end=b"").build(), Counter.BAD_ATTRIBUTES,
    ),
    "value outside": (
        attributes_of(broken(data(b"x"), 0x10, b"\xff\xff\xff\xff")), Counter.BAD_ATTRIBUTES,
    ),
    "name length 255": (attributes_of(broken(data(b"x"), 9, b"\xff")), Counter.BAD_ATTRIBUTES),
    "negative size": (
        attributes_of(broken(CONTENT, 0x30, b"\xff" * 8)), Counter.BAD_ATTRIBUTES,
    ),
    "short times": (
        Record([broken(standard_information(), 0x10, b"\x10\0\0\0"), file_name("v")]).build(),
        Counter.BAD_ATTRIBUTES,
    ),
    "cut name": (
        Record([broken(file_name("victim.flac"), 0x58, b"\xff")]).build(), Counter.BAD_NAMES,
    ),
    "slash in a name": (attributes_of(file_name("a/b")), Counter.BAD_NAMES),
    "run list past the volume": (
        attributes_of(extent(0x80, run_list((1 << 40, 3)), 3, real=9000)), Counter.BAD_RUN_LISTS,
    ),
    "run list of zeros": (
        attributes_of(extent(0x80, b"\x11\x00\x00\x00", 3, real=9000)), Counter.BAD_RUN_LISTS,
    ),
    "list entry of length 0": (
        Record([attribute_list(list_entry(0x30, 7, length=0)), file_name("v")]).build(),
        Counter.BAD_ATTRIBUTE_LISTS,
    ),
    "list pointing to itself and to others": (
        Record([attribute_list(list_entry(0x80, reference(VICTIM)), list_entry(
            0x80, reference(60))), file_name("v"), data(b"x")]).build(),
        Counter.MISSING_EXTENTS,
    ),
    "list of gigabytes": (
        Record([extent(0x20, run_list((5, 1 << 20)), 1 << 20, real=1 << 32),
                file_name("v")]).build(), Counter.STALE_EXTENSIONS,
    ),
    "content twice": (
        attributes_of(data(b"one"), data(b"two")), Counter.DUPLICATE_EXTENTS,
    ),
    "in a folder that is itself": (
        folder("loop", reference(VICTIM)).build(), Counter.PARENT_LOOPS,
    ),
    "in a folder that is a file": (
        simple_file("v", reference(60)).build(), Counter.UNRESOLVED_PARENTS,
    ),
    "in record 2 ** 47": (
        simple_file("v", reference(1 << 47)).build(), Counter.UNRESOLVED_PARENTS,
    ),
    "extension of a free record": (
        Record([file_name("v")], base=reference(35)).build(), Counter.STALE_EXTENSIONS,
    ),
    "extension of an extension": (
        Record([file_name("v")], base=reference(VICTIM)).build(), Counter.STALE_EXTENSIONS,
    ),
    "reparse point of 4 bytes": (
        attributes_of(broken(data(b"1234"), 0, b"\xc0")), Counter.BAD_REPARSE_POINTS,
    ),
    "no name at all": (Record([standard_information()]).build(), Counter.RECORDS_WITHOUT_NAME),
}  # fmt: skip

NEEDS_VOLUME = {"run list past the volume", "run list of zeros"}
"""Without a cluster size nothing is said of runs, so a saved $MFT does not notice these."""
NEEDS_EXTENSION = {"list of gigabytes"}


def check_survivors(scanned: Scanned, damaged: set[int]) -> None:
    found = {row["record_number"]: row for row in scanned.rows["entries"]}
    names = {row["entry_id"]: row["name"] for row in scanned.rows["names"]}
    for number in range(FIRST, LAST):
        if number not in damaged:
            row = found[number]
            assert (row["state"], row["size"], row["name_count"]) == ("ok", 1, 1)
            assert names[row["entry_id"]] == f"song {number}.flac"


@pytest.mark.parametrize("kind", KINDS)
def test_one_broken_record_costs_no_other(kind: str) -> None:
    raw, counter = KINDS[kind]
    records = healthy()
    records[VICTIM] = raw
    damaged = {VICTIM}
    if kind in NEEDS_EXTENSION:
        records[51] = Record([file_name("stray")], base=reference(VICTIM, 7))
        damaged.add(51)
    scanned = assert_equivalent(saved(table(records)), OPTIONS)
    check_survivors(scanned, damaged)
    if kind not in NEEDS_VOLUME:
        assert scanned.counts[counter] >= 1


def at_random(seed: int) -> dict[int, bytes]:
    chance = random.Random(seed)
    kinds = [raw for raw, _ in KINDS.values()]
    return {number: chance.choice(kinds) for number in range(FIRST, LAST) if chance.random() < 0.1}


def flipped(seed: int) -> dict[int, bytes]:
    chance = random.Random(seed)
    out: dict[int, bytes] = {}
    for number in range(FIRST, LAST):
        if chance.random() < 0.1:
            record = bytearray(simple_file(f"song {number}.flac", reference(30)).build())
            for _ in range(chance.randint(1, 20)):
                record[chance.randrange(1024)] = chance.randrange(256)
            out[number] = bytes(record)
    return out


@pytest.mark.parametrize("make", [at_random, flipped])
@pytest.mark.parametrize("seed", range(3))
def test_a_tenth_of_all_records_at_once(make: Callable[[int], dict[int, bytes]], seed: int) -> None:
    damage = make(seed)
    assert len(damage) > 20
    scanned = assert_equivalent(saved(table(healthy() | damage)), OPTIONS)
    check_survivors(scanned, set(damage))


@pytest.mark.parametrize("length", [1, 1000, 1025, 30_000])
def test_a_saved_mft_cut_anywhere(length: int) -> None:
    mft = table(healthy())[:-length]
    scanned = assert_equivalent(saved(mft), OPTIONS)
    check_survivors(scanned, set(range(len(mft) // 1024, LAST)))


def test_65535_names_in_one_file_and_no_more() -> None:
    count = 66_000
    each = 6
    base = Record([standard_information(), attribute_list(list_entry(0x30, reference(500)))])
    records = healthy() | {VICTIM: base}
    for place in range(count // each):
        links = [file_name(f"n{place * each + i}", reference(30), 1) for i in range(each)]
        records[500 + place] = Record(links, base=reference(VICTIM))
    scanned = assert_equivalent(saved(table(records)), RecordOptions())
    assert scanned.counts[Counter.NAMES_OVER_LIMIT] == count - 65_535
    row = next(row for row in scanned.rows["entries"] if row["record_number"] == VICTIM)
    assert row["name_count"] == 65_535
    check_survivors(scanned, {VICTIM})


def test_folders_too_deep_are_cut_and_counted() -> None:
    deep = 3000
    records: dict[int, Record | bytes] = {0: simple_file("$MFT"), 5: root()}
    for place in range(deep):
        above = reference(5, 5) if place == 0 else reference(39 + place)
        records[40 + place] = folder("d", above)
    scanned = assert_equivalent(saved(table(records)), RecordOptions())
    assert scanned.counts[Counter.PATHS_TOO_DEEP] == 2
    depths = [row["depth"] for row in scanned.rows["directories"]]
    assert max(depths) <= 1030
    assert len(depths) == deep + 1
    paths = {row["path"] for row in scanned.rows["directories"]}
    assert len(paths) == deep + 1
    assert all(path.endswith("/") for path in paths)
