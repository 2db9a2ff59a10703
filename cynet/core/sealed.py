"""Arrays that nobody can change: their numbers lie in a bytes object."""

from typing import Any

import numpy as np

from .types import AnyArray


class _Numbers(bytes):
    """Those of a sealed array. Other arrays over bytes may be written: NumPy makes such of a pickle's."""

    __slots__ = ()


def sealed(array: AnyArray) -> AnyArray:
    """An array with the same numbers that can never be written, C-contiguous; itself where it is one."""
    if is_sealed(array) and array.flags.c_contiguous:
        return array
    return np.ndarray(array.shape, array.dtype, _Numbers(np.ascontiguousarray(array).data))


def is_sealed(array: AnyArray) -> bool:
    """Whether `sealed` made an array, or what it is a view of."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    return type(base) is _Numbers


def opened(value: Any) -> Any:
    """A copy that can be written where a value is a sealed array, else the value."""
    return value.copy() if isinstance(value, np.ndarray) and is_sealed(value) else value
