"""Loading the room that does a command's work, only when it is about to work.

A command's table must answer --help without importing duckdb, numba or a kernel interface, so the
function that runs a plan is named here by module and imported last.
"""

import gc
import importlib
from typing import TYPE_CHECKING

from musefs.index.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


def run_in(module: str, plan: object) -> ExitCode:
    """Import `module` and return what its `run(plan)` returns."""
    run: Callable[[object], ExitCode] = _loaded(module).run
    return run(plan)


def _loaded(module: str) -> "ModuleType":
    """Import without looking for garbage: nothing dies there, and looking took a tenth of it."""
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.enable()
