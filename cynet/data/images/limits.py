"""Arguments of transforms that are ranges: a number around another one, or two numbers."""

from typing import Any

import numpy as np

from cynet.core import checks

Limits = tuple[float, float]


def limits(
    name: str,
    value: Any,
    least: float,
    most: float,
    about: float | None = None,
    open_low: bool = False,
    ordered: bool = True,
) -> Limits:
    """Two numbers within bounds, the first not above the second.

    Parameters
    ----------
    name : str
    value : (float, float), or float
        A single one, at least 0, where `about` is given: so far to both sides of that, within the bounds.
    least, most : float
    about : float, optional
    open_low : bool, optional
        Whether `least` itself is too small.
    ordered : bool, optional
        False: they are two numbers, not limits.

    Raises
    ------
    TypeError, ValueError
    """
    if isinstance(value, (tuple, list, np.ndarray)):
        if len(value) != 2:
            raise ValueError(f"{name}: wanted two numbers, got {value!r}")
        low, high = (
            checks.number(f"{name}[{i}]", each, least, most, open_low) for i, each in enumerate(value)
        )
        if ordered and low > high:
            raise ValueError(f"{name}: wanted the lesser number first, got {value!r}")
        return low, high
    if about is None:
        raise TypeError(f"{name}: wanted two numbers, got {value!r}")
    width = checks.number(name, value, 0, most - about)
    return max(least, about - width), about + width


def chance(p: Any) -> float:
    """A probability."""
    return checks.number("p", p, 0, 1)


def shown(values: tuple[float, ...]) -> str:
    """Numbers in a repr, which reads them again."""
    return f"({', '.join(map(_short, values))})"


def _short(value: float) -> str:
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)
