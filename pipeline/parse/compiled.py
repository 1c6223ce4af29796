"""How the kernels are compiled: once for each state of their source, kept in the user's cache.

numba's own cache looks at the file of the outermost function only, so an update that changes
another file of the kernel would go on running the old code. Here the cache folder is named after
a digest of all sources of this package, and it is never inside a read-only installation.
"""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from platformdirs import user_cache_path

_F = TypeVar("_F", bound=Callable[..., Any])
_log = logging.getLogger(__name__)


def source_digest() -> str:
    """Return a digest of every module of this package, and of numba's version."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _make_cache_folder() -> Path | None:
    folder = user_cache_path("musefs") / "kernels" / source_digest()
    if not folder.is_dir():
        _log.info("compiling the record parser: some ten seconds, once for each version")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _log.info("kernels are compiled for this run only: %s", error)
        return None
    return folder


def part(function: _F) -> _F:
    """Compile a part of a kernel; it is copied into its callers.

    Without reference counts: nothing here allocates or keeps an array, and counting took four
    fifths of the time (measured: 36 ms against 5 ms for 65,536 records).
    """
    inside: _F = numba.njit(nogil=True, _nrt=False, error_model="numpy", forceinline=True)(function)
    return inside


def kernel(function: _F) -> _F:
    """Compile an outermost function and keep the machine code for the next process."""
    folder = _make_cache_folder()
    if folder is None:
        return part(function)
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        kept: _F = numba.njit(nogil=True, _nrt=False, error_model="numpy", cache=True)(function)
    finally:
        numba.config.CACHE_DIR = before
    return kept
