"""Real Windows volumes against what independent readers and a mounted walk say of them."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from support.scanning import assert_equivalent, shared_data, stream, unpack_sparse

from musefs.index.counters import Counter
from musefs.pipeline.ntfs.wtf8 import exact_bytes
from musefs.pipeline.records import RecordOptions
from musefs.pipeline.volume.device import DeviceVolume

SHARED = shared_data()
pytestmark = [
    pytest.mark.skipif(SHARED is None, reason="the folder with real volumes is not here"),
    pytest.mark.expected_degradations(*Counter),
]
VOLUMES = ["charlie", "ntfs-lastaccess", "ntfs-ptrn", "tiny_partition", "windows_volume"]


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    assert SHARED is not None
    folder = tmp_path_factory.mktemp("volumes")
    found = {
        name: unpack_sparse(SHARED / "ntfs" / f"{name}.raw.gz", folder / f"{name}.raw")
        for name in VOLUMES
    }
    return found | {"ez_nist_dfr16": SHARED / "ntfs" / "ez_nist_dfr16.mft"}


def read_csv(name: str) -> list[dict[str, str]]:
    assert SHARED is not None
    with (SHARED / "ntfs" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", [*VOLUMES, "ez_nist_dfr16"])
@pytest.mark.parametrize("workers", [1, 2, 8])
def test_f10_real_volumes_match_the_reference(
    name: str, workers: int, images: dict[str, Path]
) -> None:
    """F10: on real volumes, deleted records included."""
    with DeviceVolume(images[name]) as volume:
        assert_equivalent(volume, RecordOptions(True, workers, 77_777, 9_000))


@pytest.mark.parametrize("name", [*VOLUMES, "ez_nist_dfr16"])
def test_rows_agree_with_six_independent_readers(name: str, images: dict[str, Path]) -> None:
    with DeviceVolume(images[name]) as volume:
        rows = stream(volume, RecordOptions(deleted=True)).rows
    entries = {row["record_number"]: row for row in rows["entries"]}
    names: dict[int, list[dict[str, Any]]] = {}
    for row in rows["names"]:
        names.setdefault(row["entry_id"], []).append(row)
    streams: dict[int, dict[str, int]] = {}
    for row in rows.get("streams", []):
        streams.setdefault(row["entry_id"], {})[row["name"]] = row["size"]
    compared = 0
    for line in read_csv(f"{name}.listing.csv"):
        disputed = set(line["disputed"].replace(";", " ").replace("+", " ").split())
        entry = entries.get(int(line["record"]))
        assert entry is not None, line
        compared += 1
        checks = {
            "sequence": (entry["sequence"], int(line["sequence"])),
            "in_use": (entry["in_use"], line["in_use"] == "1"),
            "is_dir": (entry["is_directory"], line["is_dir"] == "1"),
            "streams": (streams.get(entry["entry_id"], {}), json.loads(line["streams"] or "{}")),
        }
        if line["size"] and not entry["is_directory"]:
            checks["size"] = (entry["size"] or 0, int(line["size"]))
        if line["names"]:
            expected = {
                (parent, sequence, text)
                for space, parent, sequence, text in json.loads(line["names"])
                if space != 2
            }
            got = {
                (n["parent_record"], n["parent_sequence"], n["name"])
                for n in names.get(entry["entry_id"], [])
                if n["namespace"] != "dos"
            }
            checks["names"] = (got, expected)
        for field, (got_value, wanted) in checks.items():
            if field not in disputed:
                assert got_value == wanted, (name, line["record"], field)
    assert compared > 10


@pytest.mark.parametrize("name", VOLUMES)
def test_paths_agree_with_a_mounted_walk(name: str, images: dict[str, Path]) -> None:
    with DeviceVolume(images[name]) as volume:
        scanned = stream(volume)
    entries = {row["entry_id"]: row for row in scanned.rows["entries"]}
    folders = {
        (row["record_number"], row["sequence"]): row["path"] for row in scanned.rows["directories"]
    }
    ours = {}
    for row in scanned.rows["names"]:
        if row["name"] == "." and row["parent_record"] == 5:
            ours["/"] = entries[row["entry_id"]]
            continue
        path = folders[row["parent_record"], row["parent_sequence"]] + row["name"]
        ours[path] = entries[row["entry_id"]]
    lines = read_csv(f"{name}.walk.csv")
    for line in lines:
        entry = ours.get(line["path"])
        assert entry is not None, line["path"]
        assert entry["record_number"] == int(line["record"])
        assert entry["is_directory"] == (line["type"] == "d")
        if line["type"] == "f":
            assert (entry["size"] or 0) == int(line["size"]), line["path"]
        filetime = entry["modified_raw"]
        assert (filetime - 116444736000000000) * 100 == int(line["mtime_ns"]), line["path"]
    assert len(lines) > 5


def test_wtf8_of_plain_names_is_utf8() -> None:
    assert exact_bytes("Müsik".encode("utf-16-le")) == "Müsik".encode()
