"""F10 streaming_scan_matches_reference: the fast scan gives exactly the slow one's rows.

Also F4, F5, F6, F7 and F9, which say the same of splits, of extension records and of workers.
"""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.records import (
    Record,
    attribute_list,
    data,
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
from support.scanning import assert_equivalent, saved, stream

from musefs.index.counters import Counter
from musefs.pipeline.records import RecordOptions

pytestmark = pytest.mark.expected_degradations(*Counter)
"""Every kind of damage is on purpose here, and its count is compared."""

LONE = "\udc80"


def junction(target: str) -> bytes:
    text = target.encode("utf-16-le")
    body = struct.pack("<HHHH", 0, len(text), len(text), 0) + text
    return resident(0xC0, struct.pack("<IHH", 0xA0000003, len(body), 0) + body)


def symlink(target: str, printed: str) -> bytes:
    sub, text = target.encode("utf-16-le"), printed.encode("utf-16-le")
    body = struct.pack("<HHHHI", 0, len(sub), len(sub), len(text), 1) + sub + text
    return resident(0xC0, struct.pack("<IHH", 0xA000000C, len(body), 0) + body)


LX = resident(0xC0, struct.pack("<IHHI", 0xA000001D, 9, 0, 2) + b"/a\xc3\xbc\xff")


def spread_file(number: int, extensions: tuple[int, ...], names: int = 2) -> dict[int, Record]:
    """A base record whose names and content lie in extension records."""
    base = reference(number, 1)
    holders = [list_entry(0x30, reference(e)) for e in extensions]
    content = list_entry(0x80, reference(extensions[-1]))
    out = {number: Record([attribute_list(*holders, content)])}
    for place, extension in enumerate(extensions):
        links = [file_name(f"link {extension}-{i}.flac", reference(40, 3)) for i in range(names)]
        out[extension] = Record(links, base=base)
        if place == len(extensions) - 1:
            out[extension].attributes.append(extent(0x80, run_list((900, 3)), 3, real=9999))
    out[number].attributes.append(standard_information())
    return out


def zoo() -> bytes:
    """One of everything."""
    stale = Record([file_name("stale.mp3")], base=reference(60, 9))
    torn = bytearray(simple_file("torn.mp3").build())
    torn[510:512] = b"??"
    bad_array = bytearray(simple_file("bad array").build())
    bad_array[4:6] = b"\x31\0"
    cut = bytearray(simple_file("cut").build())
    cut[0x3C:0x40] = b"\x07\0\0\0"
    records: dict[int, Record | bytes] = {
        0: simple_file("$MFT"),
        5: root(),
        8: Record([file_name("$BadClus"), data(b""), extent(0x80, run_list((None, 9)), 9,
            name="$Bad", real=36864)]),
        11: folder("$Extend", attributes=6),
        40: folder("Music", sequence=3),
        41: simple_file("Song.FLAC", reference(40, 3)),
        42: Record([standard_information(0x23, None),
            file_name("LONGNA~1.MP3", reference(40, 3), 2),
            file_name("long name ünïcode 🎵.mp3", reference(40, 3), 1),
            file_name("second.mp3", reference(5, 5), 0),
            extent(0x80, run_list((70, 3), (60, 1), (None, 2)), 6, real=20000, flags=0x8000,
                total=16384)]),
        43: Record([file_name(f"lone{LONE}.wav", reference(40, 3)), data(b"12"),
            data(b"s", f"stream{LONE}"), data(b"tt", "Zone"), data(b"dup", "Zone")]),
        44: Record([file_name("ONLY~1.OGG", reference(40, 3), 2), data(b"x"), data(b"y")]),
        45: Record([standard_information(0x420), file_name("link", reference(40, 3), tag=5),
            symlink("\\??\\C:\\x", "C:\\x")]),
        46: folder("junction", reference(40, 3)),
        47: Record([file_name("lx"), data(b""), LX]),
        48: Record([file_name("later.mp3"), extent(0x80, run_list((5, 1)), 1, real=8000),
            extent(0x80, run_list((9, 1)), 1, lowest=1)]),
        49: Record([file_name("squeezed.wav"), extent(0x80, run_list((5, 3), (None, 13)), 16,
            real=60000, total=12288, flags=1, unit=4)]),
        50: Record([file_name("secret.mp3"), extent(0x80, run_list((5, 3)), 3, real=9,
            flags=0x4000)]),
        51: Record([file_name("broken.mp3"), extent(0x80, b"\x11\x00\x01\x00", 1, real=9)]),
        52: Record([standard_information(0x400), file_name("far", tag=0x9000301A),
            extent(0xC0, run_list((4, 1)), 1, real=99)]),
        53: Record([file_name("wof.flac"), extent(0x80, run_list((None, 3)), 3, real=9999,
            flags=0x8000, total=0), extent(0x80, run_list((7, 2)), 2, name="WofCompressedData",
            real=5000), resident(0xC0, struct.pack("<IHH", 0x80000017, 0, 0))]),
        54: Record([standard_information()]),
        55: Record([file_name("a/b"), file_name("fine.m3u"), data(b"#EXTM3U")]),
        56: simple_file("deleted.mp3", reference(40, 3), flags=0),
        57: folder("deleted folder", flags=2, sequence=8),
        58: simple_file("in deleted.mp3", reference(57, 7), flags=0),
        59: simple_file("reused parent.mp3", reference(41, 9), flags=0),
        60: Record([attribute_list(list_entry(0x30, reference(99))), file_name("incomplete.mp3")]),
        61: stale, 62: bytes(torn), 63: bytes(bad_array), 64: bytes(cut),
        65: b"BAAD" + bytes(1020), 66: bytes(1000) + b"garbage" + bytes(17),
        67: Record([standard_information(times=(0, 1, 2**63 - 1, 2**64 - 1)), file_name(
            "times.mp3", times=(2**64 - 1, 0, 1, 2)), data(b"")], lsn=2**64 - 5),
        68: folder("loop a", reference(69, 1)), 69: folder("loop b", reference(68, 1)),
        70: Record([junction("\\??\\D:\\music"), file_name("j2"), data(b"")]),
        71: Record([file_name("bad reparse"), resident(0xC0, b"1234"), junction("x"), data(b"")]),
        72: Record([file_name("j3"), junction("\\??\\E:\\x")[:0x18] + struct.pack("<IHHHHHH",
            0xA0000003, 0, 0, 500, 8, 0, 0) + bytes(16)]),
        90: Record([file_name("from extension", reference(40, 3))], base=reference(200)),
    }  # fmt: skip
    records[46].attributes.append(junction("\\??\\D:\\music"))  # type: ignore[union-attr]
    records.update(spread_file(80, (81, 120, 82)))
    records.update(spread_file(300, (100, 301)))
    records.update({n: simple_file(f"filler {n}.mp3", reference(40, 3)) for n in range(130, 290)})
    return table(records, slots=320)


ZOO = zoo()


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("chunk_bytes", [1024, 7000, 100_000, 16 << 20])
def test_f10_streaming_scan_matches_reference(
    deleted: bool, workers: int, chunk_bytes: int
) -> None:
    """F10, F9: exact rows, entry ids included, for any workers and odd chunk sizes."""
    options = RecordOptions(deleted, workers, chunk_bytes, 5000)
    assert_equivalent(saved(ZOO), options)


@given(st.integers(1, 400_000), st.integers(1, 100_000), st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_f4_f9_every_split_gives_the_same_rows(chunk: int, part: int, workers: int) -> None:
    """F4, F9: wherever chunks and sub-ranges are cut."""
    assert_equivalent(saved(ZOO), RecordOptions(True, workers, chunk, part))


def test_f5_extension_records_are_resolved_from_memory() -> None:
    """F5: names and sizes from extension records, and not one read after the stream."""
    scanned = stream(saved(ZOO))
    assert scanned.totals.disk_reads_after_stream == 0
    assert scanned.totals.deferred == 5
    spread = next(row for row in scanned.rows["entries"] if row["record_number"] == 80)
    assert (spread["size"], spread["name_count"], spread["state"]) == (9999, 6, "ok")


@pytest.mark.parametrize("cap", [0, 1, 2, 5])
def test_f6_f7_over_the_cap_records_are_read_again_with_the_same_result(cap: int) -> None:
    """F6, F7: ext_name_cache_skipped counts them; cap 0 and no cap give the same rows."""
    free = stream(saved(ZOO))
    capped = stream(saved(ZOO), RecordOptions(extension_cap=cap))
    assert capped.rows == free.rows
    skipped = capped.counts.pop(Counter.EXT_NAME_CACHE_SKIPPED)
    assert skipped == free.totals.extensions - cap
    assert capped.totals.disk_reads_after_stream == skipped
    assert capped.counts == free.counts


def test_paths_and_states() -> None:
    scanned = stream(saved(ZOO), RecordOptions(deleted=True))
    folders = {row["record_number"]: row for row in scanned.rows["directories"]}
    assert folders[5]["path"] == "/"
    assert not folders[5]["hidden"]
    assert folders[11]["hidden"]
    assert (folders[40]["path"], folders[40]["depth"]) == ("/Music/", 1)
    assert folders[46]["path"] == "/Music/junction/"
    assert (folders[57]["path_state"], folders[57]["sequence"]) == ("deleted_parent", 7)
    assert folders[68]["path_state"] == folders[69]["path_state"] == "broken"
    assert folders[68]["path"] == "/$Orphans/69-1/loop a/"
    assert folders[69]["path"] == "/$Orphans/69-1/loop a/loop b/"
    assert scanned.counts[Counter.PARENT_LOOPS] == 1
    assert "/deleted folder/in deleted.mp3" in scanned.paths()
    assert "?/reused parent.mp3" in scanned.paths()
    assert scanned.counts[Counter.UNRESOLVED_PARENTS] == 1


@st.composite
def damaged_tables(draw: st.DrawFn) -> bytes:
    """A sound table with random bytes changed anywhere, mostly where it hurts."""
    raw = bytearray(ZOO)
    for _ in range(draw(st.integers(1, 60))):
        record = draw(st.integers(0, 319))
        at = draw(st.one_of(st.integers(0, 0x140), st.integers(0, 1023)))
        raw[record * 1024 + at] = draw(st.integers(0, 255))
    raw[0:4] = b"FILE"
    raw[0x1C:0x20] = struct.pack("<I", 1024)
    return bytes(raw)


@given(damaged_tables())
@settings(max_examples=60, deadline=None)
def test_f10_holds_on_damaged_tables(mft: bytes) -> None:
    """F10: both parsers draw the same conclusion from every kind of damage."""
    assert_equivalent(saved(mft), RecordOptions(True, 2, 70_000, 20_000))
