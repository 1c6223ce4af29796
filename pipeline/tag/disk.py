"""Whether a source lies on a rotating disk, where one reader in disk order is fastest."""

import os
import sys
from pathlib import Path
from typing import Final

_SYSFS: Final = Path("/sys/dev/block")


def rotates(path: Path, sysfs: Path = _SYSFS) -> bool:
    """Say whether the device below `path`, a file, folder or device, is a rotating disk.

    What cannot be told (Windows, network, image in memory) counts as not rotating.
    """
    if sys.platform == "win32":
        return False
    else:  # noqa: RET505 - or the type checkers call the rest unreachable on Windows
        try:
            status = path.stat()
            number = status.st_rdev or status.st_dev
            device = sysfs / f"{os.major(number)}:{os.minor(number)}"
            for place in (device, device.resolve().parent):  # a partition's queue is its disk's
                flag = place / "queue" / "rotational"
                if flag.exists():
                    return flag.read_text().strip() == "1"
        except OSError:
            return False
        return False
