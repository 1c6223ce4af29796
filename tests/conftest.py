"""Fixtures that every room's tests share."""

from pathlib import Path

import pytest


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
