"""Loading the room that does a command's work, only when it is about to work.

A command's table must answer --help without importing duckdb, numba or a kernel interface, so the
function that runs a plan is named here by module and imported last.
"""

import importlib
from typing import TYPE_CHECKING

from musefs.index.errors import ExitCode, MusefsError

if TYPE_CHECKING:
    from collections.abc import Callable


def run_in(module: str, plan: object) -> ExitCode:
    """Import `module` and return what its `run(plan)` returns."""
    try:
        room = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise MusefsError(
            f"this part is not built yet ({module})", hint="Update musefs."
        ) from error
    run: Callable[[object], ExitCode] = room.run
    return run(plan)
