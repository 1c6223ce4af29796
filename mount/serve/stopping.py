"""Ending a mount: unmount, give readers a few seconds, then detach.

The signal handler only starts a thread, so it cannot hang on anything the mount is doing. A
second signal leaves at once.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from musefs.index.errors import ExitCode
from musefs.mount.serve.service import notify_service
from musefs.mount.transport.unmounting import unmount

READERS_S = 5.0
"""How long readers may finish after the first signal."""

RETRY_S = 0.1

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger(__name__)


class Stopper:
    """Installs the signal handlers for the length of a mount."""

    def __init__(
        self,
        mountpoint: Path,
        stop: Callable[[], None],
        look_now: Callable[[], None],
        *,
        readers_s: float = READERS_S,
    ) -> None:
        self._mountpoint = mountpoint
        self._stop = stop
        self._look_now = look_now
        self._readers_s = readers_s
        self._thread: threading.Thread | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._previous[number] = signal.signal(number, self._on_signal)
        self._previous[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._on_hangup)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        if self._thread is not None:
            self._thread.join(timeout=1)

    def _on_hangup(self, number: int, frame: FrameType | None) -> None:
        self._look_now()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._thread is not None:
            unmount(self._mountpoint, lazy=True)
            os._exit(ExitCode.INTERRUPTED)
        self._thread = threading.Thread(target=self._unmount, name="musefs-unmount", daemon=True)
        self._thread.start()

    def _unmount(self) -> None:
        notify_service("STOPPING=1")
        deadline = time.monotonic() + self._readers_s
        said = False
        while not unmount(self._mountpoint):
            if time.monotonic() >= deadline:
                _log.warning("%s is still in use; detaching it", self._mountpoint)
                unmount(self._mountpoint, lazy=True)
                break
            if not said:
                said = True
                _log.info("%s is in use; waiting for its readers", self._mountpoint)
            time.sleep(RETRY_S)
        self._stop()
