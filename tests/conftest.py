"""Fixtures that every room's tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

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
