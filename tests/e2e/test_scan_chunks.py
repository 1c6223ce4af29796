"""The table scan_chunks: when each 16 MiB of the $MFT was read and parsed."""

from pathlib import Path

import pytest
from support.big_mft import write_saved_mft
from support.scanned import scan_into

from musefs.index import open_index

FILES = 40_000
"""Some 41 MiB of records: two whole chunks and a part of one."""


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chunks")
    write_saved_mft(folder / "saved.mft", FILES)
    index = folder / "index.duckdb"
    scan_into(folder / "saved.mft", index, "--no-tags")
    return scan_into(folder / "saved.mft", index, "--no-tags")


def test_chunks_sum_up_to_the_scan(scanned: Path) -> None:
    with open_index(scanned) as index:
        chunks = index.sql("FROM scan_chunks WHERE scan_id = (SELECT scan_id FROM meta)")
        ((records, read),) = index.sql(
            "SELECT records, bytes_read FROM scans WHERE scan_id = (SELECT scan_id FROM meta)"
        ).rows()
    assert chunks["chunk"].to_list() == [0, 1, 2]
    assert chunks["records"].sum() == records
    assert chunks["bytes"].sum() == read
    assert chunks["first_record"].to_list() == [0, 16384, 32768]


def test_times_are_in_order_and_within_their_phases(scanned: Path) -> None:
    with open_index(scanned) as index:
        chunks = index.sql("FROM scan_chunks WHERE scan_id = (SELECT scan_id FROM meta)")
        phases = {row[0]: row for row in index.ask("phases").rows()}
    for phase in ("read", "parse"):
        begins, ends = chunks[f"{phase}_started_ns"], chunks[f"{phase}_ended_ns"]
        assert begins.is_sorted()
        assert (begins < ends).all()
        first, last = phases[phase][1:3]
        assert begins.min() == pytest.approx(first * 1e9, abs=1e3)
        assert ends.max() == pytest.approx(last * 1e9, abs=1e3)
    assert (chunks["read_ended_ns"] <= chunks["parse_started_ns"]).all()


def test_speeds_are_those_of_the_rows(scanned: Path) -> None:
    with open_index(scanned) as index:
        speeds = index.ask("speed_by_record")
        chunks = index.sql("FROM scan_chunks WHERE scan_id = (SELECT scan_id FROM meta)")
    ends = (chunks["first_record"] + chunks["records"]).to_list()
    assert speeds["end_record"].to_list() == ends
    seconds = (chunks["read_ended_ns"] - chunks["read_started_ns"]) / 1e9
    wanted = (chunks["records"] / seconds).round().to_list()
    assert speeds["read_per_second"].to_list() == pytest.approx(wanted, abs=1)


def test_former_scans_keep_their_chunks(scanned: Path) -> None:
    with open_index(scanned) as index:
        kept = index.sql("SELECT scan_id, count(*) AS n FROM scan_chunks GROUP BY 1")
    assert kept["n"].to_list() == [3, 3]


def test_a_directory_has_none(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "a.txt").write_text("a")
    with open_index(scan_into(tmp_path / "music", tmp_path / "index.duckdb")) as index:
        assert index.ask("speed_by_record").is_empty()
