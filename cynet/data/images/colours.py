"""Transforms of colours, with torchvision's names and parameters; the compiled `colour` carries them out."""

from collections.abc import Sequence

import numpy as np

from cynet.core.types import AnyArray

from .draws import between, uniform
from .limits import Limits, chance, limits, shown

# What `colour.pyx` calls the operations.
NOTHING, BRIGHTNESS, CONTRAST, SATURATION, HUE, GREY = range(6)
SHARPNESS, POSTERIZE, SOLARIZE, AUTOCONTRAST, EQUALIZE = range(6, 11)
UNIT = 65536  # of factors
CIRCLE = 6 * UNIT  # of hues
MOST_FACTOR = 16.0

Operations = tuple[AnyArray, AnyArray]  # int32 (n, count) each: what, and how much


def fixed(factors: AnyArray, unit: int = UNIT) -> AnyArray:
    """Numbers as whole multiples of 1/unit, int32."""
    return np.rint(factors * unit).astype(np.int32)


class ColorJitter:
    """Brightness, contrast, saturation and hue changed, in an order drawn anew for each picture.

    Parameters
    ----------
    brightness, contrast, saturation : float or (float, float)
        The factor's limits, 0 to 16; one number stands for (max(0, 1 - number), 1 + number). The factor 0
        gives black, the mean of the grey picture, and the grey picture.
    hue : float or (float, float)
        Of the whole circle, -1/2 to 1/2; one number stands for (-number, number). A grey picture has no
        saturation and no hue.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    KIND = 5

    def __init__(
        self,
        brightness: float | Sequence[float] = 0,
        contrast: float | Sequence[float] = 0,
        saturation: float | Sequence[float] = 0,
        hue: float | Sequence[float] = 0,
    ) -> None:
        self.brightness = limits("brightness", brightness, 0, MOST_FACTOR, about=1)
        self.contrast = limits("contrast", contrast, 0, MOST_FACTOR, about=1)
        self.saturation = limits("saturation", saturation, 0, MOST_FACTOR, about=1)
        self.hue = limits("hue", hue, -0.5, 0.5, about=0)

    def __repr__(self) -> str:
        return f"ColorJitter({', '.join(map(shown, self._limits()))})"

    def _limits(self) -> tuple[Limits, ...]:
        return self.brightness, self.contrast, self.saturation, self.hue

    def operations(self, key: AnyArray) -> Operations:
        """For `colour`, of the samples with these keys."""
        u = uniform(key, self.KIND, 8)
        amounts = np.empty((len(key), 4), np.int32)
        for i, (each, unit) in enumerate(zip(self._limits(), (UNIT, UNIT, UNIT, CIRCLE), strict=True)):
            amounts[:, i] = fixed(between(u[:, i], each), unit)
        order = u[:, 4:].argsort(1, kind="stable")
        what = np.array([BRIGHTNESS, CONTRAST, SATURATION, HUE], np.int32)
        return what[order], np.take_along_axis(amounts, order, 1)


class RandomGrayscale:
    """Grey with a probability; a picture of one channel is.

    Parameters
    ----------
    p : float

    Raises
    ------
    TypeError, ValueError
        When it is no number from 0 to 1.
    """

    KIND = 6

    def __init__(self, p: float = 0.1) -> None:
        self.p = chance(p)

    def __repr__(self) -> str:
        return f"RandomGrayscale({self.p:g})"

    def operations(self, key: AnyArray) -> Operations:
        """For `colour`, of the samples with these keys."""
        grey = uniform(key, self.KIND, 1) < self.p
        return np.where(grey, GREY, NOTHING).astype(np.int32), np.zeros(grey.shape, np.int32)
