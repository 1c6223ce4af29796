from collections.abc import Callable
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

def njit(*, nogil: bool = ..., cache: bool = ...) -> Callable[[_F], _F]: ...
