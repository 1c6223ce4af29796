"""Writes a large $MFT, or an NTFS image around one, in columns: no mounting, a second a million.

The mix follows a music drive: folders of a dozen files, 8.3 names beside long ones, a few hard
links, some files spread over extension records, and a tenth of other files.
"""

import struct
from pathlib import Path

import numpy as np
from support.records import (
    Record,
    attribute_list,
    data,
    extent,
    file_name,
    list_entry,
    reference,
    root,
    run_list,
    simple_file,
    standard_information,
)

RECORD_BYTES = 1024
CLUSTER_BYTES = 4096
FILES_IN_FOLDER = 15
FIRST_FREE = 64
SPREAD_EVERY = 450
"""One file of so many has its names and content in an extension record."""
DIGITS = 8


def _template(kind: str, stem: str) -> bytes:
    name = f"{stem} {'0' * DIGITS}.{kind}" if kind else f"{stem} {'0' * DIGITS}"
    content = extent(0x80, run_list((0x123456, 9)), 9, real=33333)
    if kind == "txt":
        return Record([standard_information(), file_name(name), data(b"a few words")]).build()
    if kind:
        short = file_name("0~00.FLA", space=2)
        record = Record([standard_information(), file_name(name, space=1), short, content])
        record.links = 2
        return record.build()
    return Record([standard_information(0), file_name(name)], flags=3).build()


def _numbered(template: bytes, numbers: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """Repeat a template with its number in every long name and its parent in every name."""
    rows = np.tile(np.frombuffer(template, np.uint8), (len(numbers), 1))
    zeros = ("0" * DIGITS).encode("utf-16-le")
    at = template.find(zeros)
    for place in range(DIGITS):
        digit = numbers // 10 ** (DIGITS - 1 - place) % 10
        rows[:, at + 2 * place] = 0x30 + digit
    here = struct.pack("<Q", reference(5, 5))
    at = template.find(here)
    while at >= 0:
        rows[:, at : at + 8] = parents.astype("<u8").view(np.uint8).reshape(-1, 8)
        at = template.find(here, at + 1)
    return rows


def build_mft(files: int) -> np.ndarray:
    """Return a logical $MFT with `files` files, one row a record."""
    folders = -(-files // FILES_IN_FOLDER)
    count = FIRST_FREE + folders + files
    mft = np.zeros((count, RECORD_BYTES), np.uint8)
    folder_numbers = np.arange(folders)
    above = np.where(folder_numbers < 20, 0, FIRST_FREE + folder_numbers // 20)
    parents = np.where(
        folder_numbers < 20, reference(5, 5), above.astype(np.uint64) | np.uint64(1 << 48)
    )
    mft[FIRST_FREE : FIRST_FREE + folders] = _numbered(
        _template("", "Folder"), folder_numbers, parents
    )
    numbers = np.arange(files)
    parents = (FIRST_FREE + numbers // FILES_IN_FOLDER).astype(np.uint64) | np.uint64(1 << 48)
    kinds = numbers % 10
    for kind, chosen in (("flac", kinds < 9), ("txt", kinds == 9)):
        picked = np.flatnonzero(chosen)
        template = _template(kind, "track")
        mft[FIRST_FREE + folders + picked] = _numbered(template, numbers[picked], parents[picked])
    _add_spread(mft, FIRST_FREE + folders, files)
    for number, record in _system_records().items():
        mft[number] = np.frombuffer(record.build(), np.uint8)
    return mft


def _add_spread(mft: np.ndarray, first: int, files: int) -> None:
    for base in range(first, first + files - 1, SPREAD_EVERY):
        parent = reference(FIRST_FREE + (base - first) // FILES_IN_FOLDER)
        listed = attribute_list(list_entry(0x30, reference(base + 1)))
        head = Record([standard_information(), listed], links=3)
        rest = [file_name(f"linked {base} {i}.flac", parent, 1) for i in range(3)]
        content = extent(0x80, run_list((77, 9)), 9, real=33333)
        mft[base] = np.frombuffer(head.build(), np.uint8)
        tail = Record([*rest, content], base=reference(base))
        mft[base + 1] = np.frombuffer(tail.build(), np.uint8)


def _system_records() -> dict[int, Record]:
    names = ["$MFT", "$MFTMirr", "$LogFile", "$Volume", "$AttrDef", ".", "$Bitmap", "$Boot"]
    records = {number: simple_file(name) for number, name in enumerate(names)}
    records[5] = root()
    return records


def write_saved_mft(path: Path, files: int) -> Path:
    """Write a saved $MFT."""
    build_mft(files).tofile(path)
    return path


def write_image(path: Path, files: int, fragments: int = 7) -> Path:
    """Write an NTFS image whose $MFT lies in `fragments` pieces, out of order."""
    mft = build_mft(files).reshape(-1)
    clusters = -(-mft.size // CLUSTER_BYTES)
    share = -(-clusters // fragments)
    runs: list[tuple[int, int]] = []
    start = 0x1000
    for index in range(fragments):
        length = min(share, clusters - index * share)
        if length > 0:
            runs.append((start + (index ^ 1) * (share + 3), length))
    total = 1 << 25
    zero = Record(
        [
            standard_information(6),
            file_name("$MFT"),
            extent(0x80, run_list(*runs), clusters, real=mft.size),
        ]
    ).build()
    mft[:RECORD_BYTES] = np.frombuffer(zero, np.uint8)
    with path.open("wb") as out:
        out.write(_boot_sector(total, runs[0][0]))
        at = 0
        for lcn, length in runs:
            out.seek(lcn * CLUSTER_BYTES)
            piece = mft[at : at + length * CLUSTER_BYTES]
            out.write(piece.tobytes())
            at += piece.size
        out.truncate(total * CLUSTER_BYTES)
    return path


def _boot_sector(clusters: int, mft_lcn: int) -> bytes:
    raw = bytearray(512)
    raw[3:11] = b"NTFS    "
    struct.pack_into("<HB", raw, 0x0B, 512, CLUSTER_BYTES // 512)
    struct.pack_into("<QQQ", raw, 0x28, clusters * 8 - 1, mft_lcn, mft_lcn)
    raw[0x40], raw[0x44] = 0xF6, 1
    struct.pack_into("<Q", raw, 0x48, 0x1122334455667788)
    raw[510:] = b"\x55\xaa"
    return bytes(raw)
