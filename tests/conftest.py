"""Fixtures and rules that every room's tests share.

A degradation that no test expected is a bug: a warning logged by musefs fails the test, unless it
is marked `@pytest.mark.expected_degradations(Counter.X, …)` or takes `caplog` to look itself.
"""

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from musefs.index.counters import Counter, fresh_tally

# A busy machine is not a bug, so examples have no deadline. CI takes the same examples each time:
# what Hypothesis finds anew is found on a developer's machine and in the slow runs.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("slow", deadline=None, max_examples=1000)
if os.environ.get("MUSEFS_SLOW"):
    settings.load_profile("slow")
else:
    settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(scope="session")
def audio_library() -> Path:
    """A folder with real audio of every format; never change it, copy what you change."""
    import make_audio

    return make_audio.cached_library()


@pytest.fixture(scope="session")
def demo_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed NTFS image with badly named music; never change it, copy it."""
    import make_ntfs

    return make_ntfs.unpack_demo(tmp_path_factory.mktemp("demo") / "demo.ntfs")


@pytest.fixture(scope="session")
def demo_index(demo_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the demo image; never change it, copy it."""
    from support.scanned import scan_into

    return scan_into(demo_image, tmp_path_factory.mktemp("demo-index") / "index.duckdb")


@pytest.fixture(scope="session")
def drive_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of a made-up drive with a little of everything; needs the marker ntfs."""
    import music_drive
    from support.scanned import scan_into

    target = tmp_path_factory.mktemp("drive-index") / "index.duckdb"
    return scan_into(music_drive.cached_drive(), target)


def _missing_for_fuse() -> str | None:
    if not Path("/dev/fuse").exists():
        return "there is no /dev/fuse"
    return None if os.geteuid() == 0 else "only root may mount here"


def _missing_for_ntfs() -> str | None:
    absent = [tool for tool in ("mkntfs", "ntfs-3g") if shutil.which(tool) is None]
    return f"{' and '.join(absent)} not installed" if absent else _missing_for_fuse()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine cannot run or nobody asked for."""
    reasons = {
        "slow": None if os.environ.get("MUSEFS_SLOW") == "1" else "set MUSEFS_SLOW=1 to run it",
        "fuse": _missing_for_fuse() if hasattr(os, "geteuid") else "Windows has no FUSE",
        "ntfs": _missing_for_ntfs() if hasattr(os, "geteuid") else "Windows has no ntfs-3g",
    }
    for item in items:
        for marker, reason in reasons.items():
            if reason is not None and item.get_closest_marker(marker) is not None:
                item.add_marker(pytest.mark.skip(reason=reason))


class _Warnings(logging.Handler):
    """Keeps what was logged at WARNING or above."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def _no_unexpected_warnings(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which musefs logged a warning that it did not expect."""
    node: pytest.Item = request.node
    marker = node.get_closest_marker("expected_degradations")
    allowed = {Counter(word) for word in marker.args} if marker is not None else set()
    handler, logger = _Warnings(), logging.getLogger("musefs")
    logger.addHandler(handler)
    try:
        with fresh_tally():
            yield
    finally:
        logger.removeHandler(handler)
    if "caplog" in request.fixturenames:
        return
    unexpected = [
        record.getMessage()
        for record in handler.records
        if getattr(record, "counter", None) not in allowed
    ]
    if unexpected:
        pytest.fail(
            "unexpected warnings were logged (a test that provokes them says so with"
            " @pytest.mark.expected_degradations(Counter.X)):\n" + "\n".join(unexpected),
            pytrace=False,
        )
