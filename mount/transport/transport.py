"""What the session needs of a transport, whichever protocol it speaks."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from musefs.mount.transport.notify import Notifier


class Transport(Protocol):
    """One mount: made, run until it is unmounted or stopped, closed."""

    def mount(self, mountpoint: Path, options: tuple[str, ...]) -> None:
        """Mount; raises OSError or RuntimeError."""
        ...

    def notifier(self) -> Notifier:
        """Return what expires names of this mount."""
        ...

    def run(self) -> None:
        """Serve requests until the mount is gone or `stop` was called."""
        ...

    def stop(self) -> None:
        """Have `run` return soon; from any thread, and from a signal handler."""
        ...

    def between_requests(self, call: Callable[[], None]) -> None:
        """Have the thread that serves call `call` before the next request; from any thread."""
        ...

    def close(self) -> None:
        """Unmount if that has not happened, and release everything."""
        ...

    def statistics(self) -> dict[str, int]:
        """Return what the transport counts, for the metrics."""
        ...
