"""One change drawn for each picture (Mueller and Hutter 2021, "TrivialAugment"), as torchvision has it."""

import numpy as np

from cynet.core import checks
from cynet.core.types import AnyArray

from . import colours
from .colours import Operations, fixed
from .draws import uniform
from .warps import Maps, Size, identity, turned

# Each with its greatest strength; what has two signs gets either.
MOVES = {"shear x": 0.99, "shear y": 0.99, "translate x": 32.0, "translate y": 32.0, "rotate": 135.0}
FACTORS = {
    colours.BRIGHTNESS: 0.99, colours.SATURATION: 0.99, colours.CONTRAST: 0.99, colours.SHARPNESS: 0.99,
}  # fmt: skip
OTHERS = colours.POSTERIZE, colours.SOLARIZE, colours.AUTOCONTRAST, colours.EQUALIZE
CHOICES = (None, *MOVES, *FACTORS, *OTHERS)


class TrivialAugmentWide:
    """One of 14 changes, each as likely, of a strength that is drawn.

    Nothing; sheared or shifted along rows or columns; turned; brightness, saturation, contrast, sharpness;
    fewer bits; the bright bytes mirrored; each channel's bytes stretched, or made equally frequent.

    Parameters
    ----------
    num_magnitude_bins : int
        How many strengths there are, from none to the greatest.

    Raises
    ------
    TypeError, ValueError
        When it is no whole number of at least 2.
    """

    KIND = 7

    def __init__(self, num_magnitude_bins: int = 31) -> None:
        self.num_magnitude_bins = checks.integer("num_magnitude_bins", num_magnitude_bins, 2, 10_000)

    def __repr__(self) -> str:
        return f"TrivialAugmentWide({self.num_magnitude_bins})"

    def _drawn(self, key: AnyArray) -> tuple[AnyArray, AnyArray, AnyArray]:
        """The places of the changes in CHOICES; their strengths in [0, 1]; their signs."""
        u, bins = uniform(key, self.KIND, 3), self.num_magnitude_bins
        strength = np.floor(u[:, 1] * bins) / (bins - 1)
        return np.floor(u[:, 0] * len(CHOICES)).astype(np.int64), strength, np.where(u[:, 2] < 0.5, -1.0, 1.0)

    def maps(self, key: AnyArray, source: Size, out: Size) -> Maps:
        """What moves of the samples with these keys, in pictures of the size `source`."""
        what, strength, sign = self._drawn(key)
        of = {
            name: np.where(what == CHOICES.index(name), strength * most * sign, 0.0)
            for name, most in MOVES.items()
        }
        plain = identity(len(key))
        sheared = plain._replace(cr=of["shear x"], rc=of["shear y"])
        moved = plain._replace(c=-np.trunc(of["translate x"]), r=-np.trunc(of["translate y"]))
        # One of the three at most is no identity.
        return turned(-of["rotate"], source).after(sheared).after(moved)

    def operations(self, key: AnyArray) -> Operations:
        """What changes the colours of the samples with these keys."""
        what, strength, sign = self._drawn(key)
        found, amounts = np.zeros(len(key), np.int32), np.zeros(len(key), np.int32)
        for operation in (*FACTORS, *OTHERS):
            here = what == CHOICES.index(operation)
            found[here] = operation
            amounts[here] = self._amount(operation, strength[here], sign[here])
        return found[:, None], amounts[:, None]

    def _amount(self, operation: int, strength: AnyArray, sign: AnyArray) -> AnyArray:
        if operation in FACTORS:
            return fixed(1 + strength * FACTORS[operation] * sign)
        if operation == colours.POSTERIZE:
            return 8 - np.rint(strength * 6)
        return np.ceil(255 * (1 - strength)) if operation == colours.SOLARIZE else np.zeros(len(strength))
