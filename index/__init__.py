"""The index: the contract between the stages, and the face for notebooks and programs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musefs.index.read.index import Index, open_index

__all__ = ["Index", "open_index"]


def __getattr__(name: str) -> object:
    """Import the face when it is asked for: commands import this package to print their help."""
    if name in __all__:
        from musefs.index.read import index

        return getattr(index, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
