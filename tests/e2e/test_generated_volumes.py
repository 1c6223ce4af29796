"""Volumes made with mkntfs and filled through ntfs-3g, against a walk of the mounted volume.

And against two independent parsers of the $MFT, where these are installed.
"""

import importlib
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.scanning import Scanned, assert_equivalent, logical_mft, stream

from musefs.index.counters import Counter
from musefs.pipeline.read.layout import read_layout
from musefs.pipeline.records import RecordOptions
from musefs.pipeline.volume.device import DeviceVolume
from musefs.pipeline.volume_row import ntfs_row

sys.path.insert(0, str(Path(__file__).parents[2] / "data" / "fixtures"))
make_ntfs = importlib.import_module("make_ntfs")

pytestmark = [pytest.mark.ntfs, pytest.mark.expected_degradations(Counter.STALE_EXTENSIONS)]

Fill = Callable[[Path], None]
EPOCH = 116_444_736_000_000_000


def fill_links(top: Path) -> None:
    """More than 1,000 names of one file, and some of a large one."""
    many = top / "many.flac"
    many.write_bytes(b"x" * 5000)
    for number in range(1100):
        (top / f"link {number:04}.flac").hardlink_to(many)
    folder = top / "elsewhere"
    folder.mkdir()
    (folder / "again.flac").hardlink_to(many)


def fill_names(top: Path) -> None:
    """Every kind of legal name, and a deep tree."""
    for name in (
        "Ünïcödé ß \u0131 \u0130 K.mp3", "日本語 の 曲.flac", "emoji 🎵🎶.ogg", "trailing dot.",
        "a" * 255, "con", "semi;colon", "quote's \"double\"", "tab\there", "back\\slash", "star*",
        "col:on", "UPPER.MP3", "upper.mp3", " leading", "new\nline", "e\u0301 combining",
        "\u200bzero",
    ):  # fmt: skip
        (top / name).write_bytes(name.encode())
    deep = top
    for level in range(60):
        deep /= f"level {level} of a deep tree"
        deep.mkdir()
    (deep / "song.opus").write_bytes(b"deep")


def fill_streams(top: Path) -> None:
    """Named streams, sparse files, empty files."""
    for number in range(12):
        path = top / f"with streams {number}.flac"
        path.write_bytes(b"main" * number)
        for place in range(number):
            make_ntfs.set_stream(path, f"stream {place} of {number}", b"s" * (200 * place))
    with (top / "sparse.wav").open("wb") as out:
        out.seek(30 << 20)
        out.write(b"end")
    (top / "empty.mp3").touch()


def fill_fragments(top: Path) -> None:
    """Grow and delete in turn, so that the $MFT and large files come in many pieces."""
    chance = random.Random(1)
    for number in range(1500):
        (top / f"small {number}.txt").write_bytes(b"y" * chance.randrange(3000))
    for number in range(0, 1500, 2):
        (top / f"small {number}.txt").unlink()
    for number in range(6):
        (top / f"large {number}.flac").write_bytes(os.urandom(600_000))
    for number in range(2500):
        (top / f"later {number}.cue").write_bytes(b"z" * chance.randrange(900))


CASES: dict[str, tuple[int, tuple[str, ...], Fill]] = {
    "links": (24 << 20, (), fill_links),
    "names": (24 << 20, (), fill_names),
    "streams": (48 << 20, (), fill_streams),
    "512 byte clusters": (24 << 20, ("-c", "512"), fill_fragments),
    "64 KiB clusters": (64 << 20, ("-c", "65536"), fill_streams),
    "2 MiB clusters": (8 << 30, ("-c", "2097152"), fill_names),
    "4 KiB sectors": (64 << 20, ("-s", "4096"), fill_streams),
}


@pytest.fixture(scope="session", params=CASES)
def volume(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, os.stat_result]]:
    size, options, fill = CASES[request.param]
    image = tmp_path_factory.mktemp("generated") / "volume.ntfs"
    make_ntfs.format_image(image, size, *options)
    with make_ntfs.mounted(image) as top:
        fill(top)
    walked: dict[str, os.stat_result] = {}
    with make_ntfs.mounted(image, "ro") as top:
        for folder, folders, files in os.walk(top):
            below = "/" + os.path.relpath(folder, top) + "/"
            for name in folders + files:
                walked[below.replace("/./", "/") + name] = os.lstat(Path(folder) / name)
    return image, walked


def rows_by_path(scanned: Scanned) -> dict[str, dict[str, Any]]:
    folders = {
        (row["record_number"], row["sequence"]): row["path"] for row in scanned.rows["directories"]
    }
    entries = {row["entry_id"]: row for row in scanned.rows["entries"]}
    return {
        folders[row["parent_record"], row["parent_sequence"]] + row["name"]: entries[
            row["entry_id"]
        ]
        for row in scanned.rows["names"]
    }


def test_every_walked_file_is_there_with_its_size_time_and_links(
    volume: tuple[Path, dict[str, os.stat_result]],
) -> None:
    image, walked = volume
    with DeviceVolume(image) as device:
        scanned = assert_equivalent(device, RecordOptions(True, 2, 300_000, 50_000))
        live = stream(device)
    ours = rows_by_path(live)
    missing = [path for path in walked if path not in ours]
    assert not missing
    for path, status in walked.items():
        row = ours[path]
        assert row["record_number"] == status.st_ino, path
        if not row["is_directory"]:
            assert row["size"] == status.st_size, path
            assert row["name_count"] == status.st_nlink, path
        assert (row["modified_raw"] - EPOCH) * 100 == status.st_mtime_ns, path
    users = {path for path, row in ours.items() if row["record_number"] >= 64}
    assert users == set(walked)
    assert len(scanned.rows["entries"]) >= len(live.rows["entries"])


def test_contents_lie_where_the_scan_says(
    volume: tuple[Path, dict[str, os.stat_result]],
) -> None:
    """The byte ranges of readable files, checked by reading them off the image."""
    image, walked = volume
    with DeviceVolume(image) as device, image.open("rb") as raw:
        live = stream(device)
        paths = {row["entry_id"]: path for path, row in rows_by_path(live).items()}
        checked = 0
        with make_ntfs.mounted(image, "ro") as top:
            for row in live.rows.get("contents", []):
                path = paths[row["entry_id"]]
                if path not in walked or row["kind"] not in {"runs", "resident"}:
                    continue
                expected = (top / path.lstrip("/")).read_bytes()
                got = row["resident"] or b""
                for span in row["runs"] or []:
                    raw.seek(max(0, span["offset"]))
                    hole = span["offset"] < 0
                    got += bytes(span["length"]) if hole else raw.read(span["length"])
                keep = min(row["valid_size"], row["size"])
                assert got[:keep] == expected[:keep], path
                checked += 1
    assert checked


def test_free_bytes_are_those_of_the_bitmap(
    volume: tuple[Path, dict[str, os.stat_result]],
) -> None:
    with DeviceVolume(volume[0]) as device:
        (row,) = ntfs_row(device, read_layout(device), None).to_pylist()
    told = subprocess.run(["ntfsinfo", "-mf", volume[0]], capture_output=True, text=True).stdout
    (free,) = re.findall(r"Free Clusters: (\d+)", told)
    assert row["free_bytes"] == int(free) * row["bytes_per_cluster"]


def test_two_peers_agree(volume: tuple[Path, dict[str, os.stat_result]], tmp_path: Path) -> None:
    """The packages mft (names, sizes) and dissect.ntfs (names, sizes, streams), as oracles."""
    pytest.importorskip("dissect.ntfs")
    mft_package = pytest.importorskip("mft")
    from dissect.ntfs.mft import Mft  # type: ignore[import-untyped]

    image, _ = volume
    with DeviceVolume(image) as device:
        layout = read_layout(device)
        if layout.record_bytes != 1024:
            pytest.skip("dissect.ntfs takes a saved $MFT to have records of 1 KiB")
        saved = tmp_path / "saved.mft"
        saved.write_bytes(logical_mft(device, layout))
        live = stream(device)
    entries = {row["record_number"]: row for row in live.rows["entries"]}
    names: dict[int, set[str]] = {}
    for row in live.rows["names"]:
        names.setdefault(row["entry_id"], set()).add(row["name"])
    with saved.open("rb") as file:
        compared = 0
        for record in Mft(file).segments():
            ours = entries.get(record.segment)
            if ours is None or not record.filenames(ignore_dos=True):
                continue
            theirs = set(record.filenames(ignore_dos=True))
            assert theirs <= names[ours["entry_id"]], record.segment
            compared += 1
        assert compared > 10
    parsed = list(mft_package.PyMftParser(str(saved)).entries())
    agreed = 0
    for entry in parsed:
        ours = entries.get(getattr(entry, "entry_id", -1))
        if ours is None or isinstance(entry, Exception) or ours["is_directory"]:
            continue
        if ours["state"] == "ok" and ours["name_count"] == 1 and entry.file_size:
            agreed += entry.file_size == (ours["size"] or 0)
    assert agreed > 3
