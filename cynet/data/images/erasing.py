"""RandomErasing: a part of a picture that no net sees (Zhong et al. 2020)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import AnyArray, Array

from .draws import uniform
from .limits import chance, limits, shown
from .warps import SCALES, TRIES, sizes


class RandomErasing:
    """With a probability a rectangle of random size and place set to a value, after `Normalize`.

    Parameters
    ----------
    p : float
    scale : (float, float)
        Least and greatest share of the picture's area.
    ratio : (float, float)
        Least and greatest height / width, 1/16 to 16; the logarithm is uniform.
    value : float or sequence of float
        For all channels, or one for each; 0 is the colour `mean`.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.

    Notes
    -----
    A rectangle is smaller than the picture both ways; after ten others nothing is erased.
    """

    KIND = 8

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: float | Sequence[float] = 0,
    ) -> None:
        self.p = chance(p)
        self.scale, self.ratio = limits("scale", scale, 0, 1), limits("ratio", ratio, *SCALES)
        self.value = _value(value)

    def __repr__(self) -> str:
        return f"RandomErasing({self.p:g}, {shown(self.scale)}, {shown(self.ratio)}, {self.value!r})"

    def boxes(self, key: AnyArray, height: int, width: int) -> AnyArray:
        """int64 (n, 4): the rows from and to, the columns from and to, of what is erased."""
        u = uniform(key, self.KIND, 2 * TRIES + 3)
        wide, high = sizes(u[:, : 2 * TRIES], (height, width), self.scale, self.ratio)
        fits = (high < height) & (wide < width) & (u[:, -1:] < self.p)
        at, chosen = np.arange(len(key)), fits.argmax(1)
        high, wide = (np.where(fits.any(1), each[at, chosen], 0.0) for each in (high, wide))
        top, left = np.floor(u[:, -3] * (height - high + 1)), np.floor(u[:, -2] * (width - wide + 1))
        return np.stack([top, top + high, left, left + wide], axis=1).astype(np.int64)

    def apply(self, x: Array, key: AnyArray) -> None:
        """Erase in a batch float32 (n, height, width, channels) of samples with these keys."""
        boxes = self.boxes(key, *x.shape[1:3]).tolist()
        for picture, (top, bottom, left, right) in zip(x, boxes, strict=True):
            picture[top:bottom, left:right] = self.value


def _value(value: Any) -> float | tuple[float, ...]:
    if isinstance(value, (tuple, list, np.ndarray)):
        return tuple(checks.number(f"value[{i}]", each) for i, each in enumerate(value))
    return checks.number("value", value)
