"""A real index of a folder of audio, and musefs-mount itself as a process on it."""

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa
from support.index_rows import rows
from support.kernel_mount import detach
from support.tagging import tag_folder
from support.waiting import wait_until

from musefs.index.schema.library_tables import LIBRARY_TABLES
from musefs.index.schema.volume_tables import VOLUMES
from musefs.index.write import IndexWriter

COMMAND = Path(sys.executable).with_name("musefs-mount")


def index_folder(root: Path, index: Path) -> None:
    """Write the index that a scan of `root` would publish, as far as a mount reads it."""
    appended, _ = tag_folder(root)
    volume = {"volume_id": 1, "kind": "directory", "source": str(root), "root_path": str(root)}
    with IndexWriter(index) as writer:
        writer.append(VOLUMES, rows(VOLUMES, [volume]))
        for table in LIBRARY_TABLES:
            batches = appended.batches.get(table.name)
            if batches:
                writer.append(table, pa.Table.from_batches(batches))
        writer.publish("scan")


def execute(index: Path, *statements: str) -> None:
    """Edit an index as any DuckDB client does; tries again while the mount loads a state."""
    for attempt in range(200):
        try:
            with duckdb.connect(str(index)) as con:
                for statement in statements:
                    con.execute(statement)
        except duckdb.IOException as error:
            if "lock" not in str(error) or attempt == 199:
                raise
            select.select([], [], [], 0.01)
        else:
            return


class MountedIndex:
    """musefs-mount on an index."""

    def __init__(self, index: Path, mountpoint: Path, *flags: str) -> None:
        self.index = index
        self.mountpoint = mountpoint
        with suppress(OSError):  # it is there, or a dead mount covers it
            mountpoint.mkdir()
        self._flags = flags
        self._log = mountpoint.with_name(mountpoint.name + ".log")
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        read, write = os.pipe()
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [COMMAND, self.index, self.mountpoint, "-v", *self._flags],
                stdin=subprocess.DEVNULL, stdout=write, stderr=log, text=True,
            )  # fmt: skip
        os.close(write)
        os.close(read)
        try:
            wait_until(lambda: os.path.ismount(self.mountpoint) or self._ended())
            wait_until(lambda: "mounted " in self.log() or self._ended())
        except BaseException:
            self.stop()
            raise
        assert not self._ended(), self.log()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def log(self) -> str:
        """Return what the command said on standard error."""
        return self._log.read_text()

    def stop(self, number: int = signal.SIGTERM) -> int | None:
        """End the mount with a signal and return the exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                detach(self.mountpoint)
                self.process.kill()
                self.process.wait(10)
        detach(self.mountpoint)
        code = self.process.returncode
        self.process = None
        return code

    def _ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None


def run_mount(*words: str | Path, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    """Run musefs-mount to its end."""
    command: list[str | Path] = [COMMAND, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
