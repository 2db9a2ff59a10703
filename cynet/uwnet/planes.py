"""The course's matrices: their checks, and their way to cynet's channels-last arrays and back."""

from typing import Any

import numpy as np

from cynet.core import workspace
from cynet.core.threads import get_num_threads
from cynet.core.types import AnyArray, Array
from cynet.kernels.pointwise import elementwise


def real(name: str, value: Any) -> AnyArray:
    """`value` as an array of real numbers, or TypeError naming `name`."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name}: wanted an array of real numbers, got {value!r:.60} ({error})") from None
    if array.dtype.kind not in "fiu":
        kind = type(value).__name__
        raise TypeError(f"{name}: wanted an array of real numbers, got {kind} ({array.dtype})")
    return array


def matrix(name: str, value: Any, rows: int | None = None, columns: int | None = None) -> Array:
    """`value` as a C-contiguous float32 matrix, copied only where it is none.

    Parameters
    ----------
    name : str
        What the messages call it.
    value : array_like
        Two-dimensional; other real numbers than float32 are converted.
    rows, columns : int, optional
        The wanted shape.

    Raises
    ------
    TypeError
        When it holds no real numbers.
    ValueError
        When it has another shape.
    """
    array = real(name, value)
    if array.ndim != 2 or rows not in (None, len(array)) or columns not in (None, array.shape[1]):
        wanted = f"{'rows' if rows is None else rows} x {'columns' if columns is None else columns}"
        raise ValueError(f"{name}: wanted a matrix of {wanted}, got shape {array.shape}")
    return np.require(array, np.float32, ("C", "A"))


def grouped(name: str, x: Any, groups: int) -> Array:
    """The pixels of x (rows, groups * n) as float32 (rows * n, groups): one column a group."""
    x = matrix(name, x)
    if x.shape[1] % groups or x.shape[1] == 0:
        raise ValueError(f"{name}: wanted columns in {groups} equal groups, got {x.shape[1]} columns")
    return to_channels(x, groups).reshape(-1, groups)


def to_channels(x: Array, channels: int) -> Array:
    """Planar rows (N, channels * pixels) as (N, pixels, channels)."""
    pixels = x.shape[1] // channels
    return _transposed(x.reshape(len(x), channels, pixels))


def to_planes(y: Array, rows: int) -> Array:
    """Channels-last pixels (rows, ..., channels), or any array of that order, as planar rows."""
    channels = y.shape[-1]
    size = y.size // rows if rows else int(np.prod(y.shape[1:]))
    return _transposed(y.reshape(rows, size // channels, channels)).reshape(rows, size)


def _transposed(x: Array) -> Array:
    matrices, rows, columns = x.shape
    if rows == 1 or columns == 1:
        return x.reshape(matrices, columns, rows)
    y = workspace.empty((matrices, columns, rows))
    elementwise.transpose(x, y, get_num_threads())
    return y
