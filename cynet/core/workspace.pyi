"""What the compiled `workspace` has, for checkers."""

import threading
from typing import Any

from .types import AnyArray, Shape

SPARE: int

class Pool(threading.local):
    buffers: dict[int, list[Any]]
    allocated: int
    peak: int
    def more(self, nbytes: int) -> Any: ...
    def held(self) -> int: ...
    def clear(self) -> None: ...

pool: Pool

def empty(shape: Shape, dtype: Any = ...) -> AnyArray: ...
def zeros(shape: Shape, dtype: Any = ...) -> AnyArray: ...
