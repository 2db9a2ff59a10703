"""Mixup: batches of pictures between two (Zhang et al. 2018, "mixup: Beyond empirical risk minimization")."""

import numpy as np

from cynet.core import checks
from cynet.core.random import MIXUP
from cynet.core.types import AnyArray, Array


class Mixup:
    """x becomes share * x + (1 - share) * x in another order, and so does the loss.

    Order and share are a pure function of (seed, step).

    Parameters
    ----------
    alpha : float
        Above 0; the share is drawn from Beta(alpha, alpha).
    seed : int
    """

    def __init__(self, alpha: float, seed: int) -> None:
        self.alpha = checks.number("alpha", alpha, 0, open_low=True)
        self.seed = checks.integer("seed", seed, 0, 2**63 - 1)

    def __call__(self, x: Array, y: AnyArray, step: int) -> tuple[Array, AnyArray, float]:
        """The mixed batch of a step.

        Parameters
        ----------
        x : ndarray of float32 (N, ...)
        y : ndarray of integers (N,)
        step : int

        Returns
        -------
        x, others, share
            The mixed pictures, a new array; the labels of those mixed in; the weight of the first, a float.
        """
        x = checks.float_array("x", x)
        rng = np.random.Generator(np.random.Philox(key=[self.seed | MIXUP, step]))
        share, order = float(rng.beta(self.alpha, self.alpha)), rng.permutation(len(x))
        mixed = x[order]
        mixed -= x
        mixed *= np.float32(1 - share)
        mixed += x
        return mixed, y[order], share


class Cutmix:
    """A rectangle of each picture comes from another one, and that share of the loss (Yun et al. 2019).

    Its centre is uniform in the picture; what lies outside is left away, and the share is that of what is
    left.
    Order, place and share are a pure function of (seed, step).

    Parameters
    ----------
    alpha : float
        Above 0; the share of the picture that stays is drawn from Beta(alpha, alpha).
    seed : int
    """

    def __init__(self, alpha: float, seed: int) -> None:
        self.alpha = checks.number("alpha", alpha, 0, open_low=True)
        self.seed = checks.integer("seed", seed, 0, 2**63 - 1)

    def __call__(self, x: Array, y: AnyArray, step: int) -> tuple[Array, AnyArray, float]:
        """As `Mixup`'s, of x float32 (N, height, width, channels)."""
        x = checks.float_array("x", x)
        rng = np.random.Generator(np.random.Philox(key=[self.seed | MIXUP, step]))
        kept, order = float(rng.beta(self.alpha, self.alpha)), rng.permutation(len(x))
        box = tuple(_part(size, (1 - kept) ** 0.5, int(rng.integers(size))) for size in x.shape[1:3])
        mixed = x.copy()
        mixed[:, box[0], box[1]] = x[order, box[0], box[1]]
        left = (box[0].stop - box[0].start) * (box[1].stop - box[1].start)
        return mixed, y[order], 1 - left / (x.shape[1] * x.shape[2])


def _part(size: int, share: float, centre: int) -> slice:
    half = int(size * share) / 2
    return slice(max(0, round(centre - half)), min(size, round(centre + half)))
