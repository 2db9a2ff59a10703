"""Checks of what users hand in. Each error names the argument, the value it got and what was wanted."""

import math
from typing import Any

import numpy as np

from .types import AnyArray, Array, Shape

FLOAT = np.dtype(np.float32)
INT64 = np.dtype(np.int64)


def integer(name: str, value: Any, least: int, most: int = 2**31 - 1) -> int:
    """`value` as an int between `least` and `most`, or TypeError / ValueError naming `name`."""
    if type(value) is int and least <= value <= most:  # most often
        return value
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: wanted an int, got {value!r}")
    if not least <= value <= most:
        bounds = f"at least {least}" if value < least else f"at most {most}"
        raise ValueError(f"{name}: wanted {bounds}, got {value}")
    return int(value)


def number(
    name: str,
    value: Any,
    least: float = -np.inf,
    most: float = np.inf,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """`value` as a finite float in the interval, or TypeError / ValueError naming `name`."""
    if type(value) is float and (least < value < most or (value == least == 0 and not open_low)):
        return value  # most often; neither infinite nor NaN
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: wanted a number, got {value!r}")
    try:
        value = float(value)
    except OverflowError:
        value = np.inf if value > 0 else -np.inf  # refused below
    low = value > least if open_low else value >= least
    high = value < most if open_high else value <= most
    if not (low and high and math.isfinite(value)):
        left, right = "(" if open_low else "[", ")" if open_high else "]"
        raise ValueError(f"{name}: wanted a number in {left}{least:g}, {most:g}{right}, got {value}")
    return value


def flag(name: str, value: Any) -> bool:
    """`value` as a bool, or TypeError naming `name`."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: wanted True or False, got {value!r}")
    return bool(value)


def truth(name: str, value: Any) -> bool:
    """Whether `value` is true, or ValueError naming `name` where nobody can tell, as of an array."""
    try:
        return bool(value)
    except Exception:  # a user's object may raise anything
        raise ValueError(f"{name}: wanted True or False, got {value!r:.80}") from None


def pair(name: str, value: Any, least: int = 1) -> tuple[int, int]:
    """An int, or two of them, as (vertical, horizontal)."""
    if isinstance(value, (tuple, list)):
        if (
            len(value) == 2
            and type(value[0]) is type(value[1]) is int
            and least <= min(value)
            and max(value) < 2**31
        ):
            return value[0], value[1]
        if len(value) != 2:
            raise ValueError(f"{name}: wanted an int or a pair, got {value!r}")
        return integer(f"{name}[0]", value[0], least), integer(f"{name}[1]", value[1], least)
    value = integer(name, value, least)
    return value, value


def short(sizes: Any) -> Any:
    """A tuple of equal numbers as that number, for reprs; anything else as it is."""
    return sizes[0] if isinstance(sizes, tuple) and len(set(sizes)) == 1 else sizes


def shapes(names: str, got: tuple[Shape, ...], wanted: tuple[Shape, ...]) -> None:
    """Raise ValueError where arrays have not the shapes that kernels were told, as when one was set in place.

    Parameters
    ----------
    names : str
        One word for each array.
    got, wanted : tuple of shapes
    """
    if got != wanted:
        for name, one, other in zip(names.split(), got, wanted, strict=True):
            if one != other:
                raise ValueError(f"{name}: wanted shape {other}, that of the pass, got {one}")


def _of_integers(taker: Any) -> bool:
    return taker is not None and taker.takes_integers is True


def is_column(x: Any, count: int) -> bool:
    """Whether `x` is an array of `count` int64, at least one, as `labels` returns them."""
    return (
        type(x) is np.ndarray
        and x.dtype is INT64
        and x.shape == (count,)
        and count > 0
        and x.flags.c_contiguous
        and x.flags.aligned
    )


def is_plain(x: Any) -> bool:
    """Whether `x` is an array as `float_array` returns them, and may be written."""
    return type(x) is np.ndarray and x.dtype is FLOAT and x.flags.carray


def float_array(name: str, x: Any, ndim: int | None = None, taker: Any = None) -> Array:
    """`x` as a native float32, aligned, C-contiguous array; copied only where it is none.

    Parameters
    ----------
    name : str
        What the messages call it.
    x : ndarray of float32
    ndim : int, optional
        The wanted number of dimensions.
    taker : Layer, optional
        Where its `takes_integers` is true, integers are let through as they are.

    Raises
    ------
    TypeError
        When `x` is no array or no native float32: a silent conversion would hide a double-sized copy.
    ValueError
        When it has another number of dimensions.
    """
    if not isinstance(x, np.ndarray):
        wanted = "an array of integers" if _of_integers(taker) else "a float32 NumPy array"
        raise TypeError(f"{name}: wanted {wanted}, got {type(x).__name__}")
    if x.dtype is not FLOAT and (x.dtype != FLOAT or not x.dtype.isnative):
        if _of_integers(taker):
            if x.dtype.kind in "iu":
                return x
            raise TypeError(f"{name}: wanted an array of integers, got {x.dtype}")
        raise TypeError(f"{name}: wanted dtype float32 (native byte order), got {x.dtype.str} ({x.dtype})")
    if ndim is not None and x.ndim != ndim:
        raise ValueError(f"{name}: wanted {ndim} dimensions, got shape {x.shape}")
    flags = x.flags
    if not (flags.c_contiguous and flags.aligned):
        x = np.require(x, np.float32, ["C", "A"])
    return x


def labels(name: str, values: Any, count: int, classes: int) -> AnyArray:
    """`values` as an int64 array of `count` labels, each from 0 to `classes` - 1.

    Raises
    ------
    TypeError
        When they are no integers.
    ValueError
        When there are none, not `count` of them, or one is out of range (index and value are named).
    """
    values = np.asarray(values)
    if values.dtype.kind not in "iu":
        raise TypeError(f"{name}: wanted integers, got dtype {values.dtype}")
    if values.ndim != 1 or len(values) != count:
        raise ValueError(f"{name}: wanted shape ({count},), got {values.shape}")
    if count == 0:
        raise ValueError(f"{name}: a batch of 0 has no mean loss; wanted at least one label")
    plain = values.dtype == INT64 and values.flags.c_contiguous and values.flags.aligned
    # As unsigned numbers the negative ones are large: one pass tells whether any is out of range.
    if plain and np.maximum.reduce(values.view(np.uint64)) < classes:
        return values
    wrong = np.flatnonzero((values < 0) | (values >= classes))
    if len(wrong):
        raise ValueError(f"{name}[{wrong[0]}]: wanted 0 to {classes - 1}, got {values[wrong[0]]}")
    return np.require(values, np.int64, ["C", "A"])
