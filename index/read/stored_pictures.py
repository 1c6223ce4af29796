"""Pictures that users added, copied out of the index into memory-mapped files.

The mount reads pictures while a writer may hold the index, so they are copied when a library is
loaded, never fetched on a read. A hash names its bytes for ever: what was copied once stays right
for every handle that still serves it, and a refresh copies only what is new.
"""

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from musefs.index.errors import IndexDamagedError
from musefs.index.read.attach import attached

PICTURES_PER_BATCH = 16
"""Rows copied at once: at 16 MiB each the most that is ever in memory is 256 MiB."""


class StoredPictures:
    """The added pictures of one index; safe to read from any thread while it is refreshed."""

    def __init__(self, path: Path, spill_directory: Path | None = None) -> None:
        self._path = path
        self._spill = spill_directory
        self._lock = threading.Lock()
        self._pictures: dict[str, pa.Buffer] = {}

    def refresh(self) -> int:
        """Copy pictures that are not here yet and return how many.

        Raises IndexBusyError while somebody writes to the index; what is here stays readable.
        """
        with self._lock, attached(self._path, threads=1) as con:
            reader = con.sql(
                "SELECT art_hash, data FROM art_data WHERE octet_length(data) > 0 "
                "AND art_hash NOT IN (SELECT unnest(?::VARCHAR[]))",
                params=[list(self._pictures)],
            ).to_arrow_reader(PICTURES_PER_BATCH)
            copied = dict(_pictures(self._copy(reader)))
            self._pictures = self._pictures | copied
            return len(copied)

    def read_art(self, art_hash: str, offset: int, length: int) -> bytes:
        """Return a part of a picture; raise IndexDamagedError if the index has none by the hash."""
        picture = self._pictures.get(art_hash)
        if picture is None:
            raise IndexDamagedError(
                f"no stored picture {art_hash}",
                path=self._path,
                hint="Add the picture again with musefs-tag.",
            )
        return bytes(memoryview(picture)[offset : offset + length])

    def __len__(self) -> int:
        return len(self._pictures)

    def _copy(self, reader: pa.RecordBatchReader) -> pa.Table:
        """Write the rows into a file without a name and return them mapped from there."""
        with tempfile.NamedTemporaryFile(
            prefix="musefs-", suffix=".arrow", dir=self._spill
        ) as file:
            with pa.OSFile(file.name, "wb") as sink, pa.ipc.new_file(sink, reader.schema) as writer:
                for batch in reader:
                    writer.write(batch)  # pyright: ignore[reportUnknownMemberType]
            return pa.ipc.open_file(pa.memory_map(file.name)).read_all()


def _pictures(table: pa.Table) -> Iterator[tuple[str, pa.Buffer]]:
    hashes: list[Any] = table.column("art_hash").to_pylist()
    pictures: list[Any] = list(table.column("data"))
    for art_hash, picture in zip(hashes, pictures, strict=True):
        yield art_hash, picture.as_buffer()
