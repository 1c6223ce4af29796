from collections.abc import Callable
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

__version__: str

class _Config:
    CACHE_DIR: str

config: _Config

def njit(
    *,
    nogil: bool = ...,
    cache: bool = ...,
    forceinline: bool = ...,
    error_model: str = ...,
    _nrt: bool = ...,
) -> Callable[[_F], _F]: ...
