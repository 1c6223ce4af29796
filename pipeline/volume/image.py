"""Image files where there is no positioned read: one handle, one lock, ordinary seeks."""

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from musefs.index.errors import NotElevatedError, VolumeNotFoundError, VolumeReadError


class ImageVolume:
    """A file read with seeks, as Windows needs it; implements `Volume`."""

    sector_bytes = 512
    partition_offset = 0
    is_live = False

    def __init__(self, path: str | Path) -> None:
        self.source = str(path)
        self._lock = threading.Lock()
        try:
            self._file = Path(path).open("rb", buffering=0)  # noqa: SIM115  closed by close()
            self.size = self._file.seek(0, 2)
        except FileNotFoundError as error:
            raise VolumeNotFoundError("no such volume, image or folder", path=path) from error
        except PermissionError as error:
            raise NotElevatedError("no permission to read the file", path=path) from error
        except OSError as error:
            raise VolumeReadError(f"cannot be opened: {error.strerror}", path=path) from error

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` from `offset`; return the bytes read, fewer only at the end."""
        done = 0
        with self._lock:
            self._file.seek(offset)
            while done < len(buffer):
                count = self._file.readinto(buffer[done:])
                if not count:
                    break
                done += count
        return done

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
