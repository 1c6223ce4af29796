"""Fixtures that every room's tests share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def audio_library() -> Path:
    """A folder with real audio of every format; never change it, copy what you change."""
    import make_audio

    return make_audio.cached_library()
