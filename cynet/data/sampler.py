"""Samplers: which samples an epoch has, and in what order. Each is a pure function of (seed, epoch).

A loader takes anything with `order(epoch)` that returns indices, or a function that does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import AnyArray


def generator(seed: int, epoch: int, stream: int = 0) -> Any:
    """Philox for one epoch; streams are for different uses of one seed."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch], counter=[0, 0, stream, 0]))


class SubsetSampler:
    """Some samples only.

    Parameters
    ----------
    indices : array of int (n,)
    shuffle : bool
        Whether each epoch has an order of its own.
    seed : int

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these, or there is no index.
    """

    def __init__(self, indices: Any, shuffle: bool = True, seed: int = 0) -> None:
        self.indices = checked_order("indices", indices)
        self.shuffle = checks.flag("shuffle", shuffle)
        self.seed = checks.integer("seed", seed, 0, 2**63 - 1)

    def order(self, epoch: int) -> AnyArray:
        """The indices of an epoch, int64 (n,)."""
        return generator(self.seed, epoch).permutation(self.indices) if self.shuffle else self.indices

    def __repr__(self) -> str:
        return f"SubsetSampler({len(self.indices)} samples, shuffle={self.shuffle}, seed={self.seed})"


class WeightedSampler:
    """Samples drawn with replacement, each as often as its weight says.

    Parameters
    ----------
    weights : array of float (n,)
        Of each sample of the data set; at least 0, and some above.
    count : int, optional
        Draws in an epoch; default: n.
    seed : int

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(self, weights: Any, count: int | None = None, seed: int = 0) -> None:
        weights = np.array(weights)
        if weights.ndim != 1 or weights.dtype.kind not in "iuf" or not len(weights):
            raise TypeError(f"weights: wanted numbers (n,), got {weights.dtype} {weights.shape}")
        wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
        if len(wrong):
            raise ValueError(f"weights[{wrong[0]}]: wanted a number from 0, got {weights[wrong[0]]}")
        sums = np.cumsum(weights, dtype=np.float64)
        if not 0 < sums[-1] < np.inf:
            raise ValueError(f"weights: wanted a sum above 0 that is finite, got {sums[-1]}")
        self.count = checks.integer("count", len(weights) if count is None else count, 1)
        self.seed = checks.integer("seed", seed, 0, 2**63 - 1)
        self._sums = sums / sums[-1]

    def order(self, epoch: int) -> AnyArray:
        """The indices of an epoch, int64 (count,)."""
        draws = generator(self.seed, epoch).random(self.count)
        return self._sums.searchsorted(draws, side="right")  # never one of weight 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._sums)} samples, count={self.count}, seed={self.seed})"


class BalancedSampler(WeightedSampler):
    """Samples drawn with replacement, every class that has some as often as another.

    Parameters
    ----------
    labels : array of int (n,)
        Of each sample of the data set; from 0.
    count : int, optional
        Draws in an epoch; default: as many as there are samples to draw from.
    seed : int
    indices : array of int, optional
        Draw from these samples alone.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(self, labels: Any, count: int | None = None, seed: int = 0, indices: Any = None) -> None:
        labels = checked_order("labels", labels)
        if indices is not None:
            indices = checked_order("indices", indices, len(labels))
            labels = labels[indices]
        self.indices = indices
        super().__init__(1 / np.bincount(labels)[labels], count, seed)

    def order(self, epoch: int) -> AnyArray:
        """The indices of an epoch, int64 (count,)."""
        drawn = super().order(epoch)
        return drawn if self.indices is None else self.indices[drawn]


def checked_order(name: str, indices: Any, count: int | None = None) -> AnyArray:
    """`indices` as int64 (n,) with n > 0, each from 0 and below `count`; else TypeError or ValueError."""
    indices = np.asarray(indices)
    if indices.shape == (0,):
        raise ValueError(f"{name}: wanted at least one, got none")
    if indices.dtype.kind not in "iu" or indices.ndim != 1:
        raise TypeError(f"{name}: wanted integers (n,), got {indices.dtype} {indices.shape}")
    most = (np.iinfo(np.int64).max if count is None else count) - 1
    if indices.min() < 0 or indices.max() > most:
        i = np.flatnonzero((indices < 0) | (indices > most))[0]
        bounds = "at least 0" if count is None else f"0 to {most}"
        raise ValueError(f"{name}[{i}]: wanted {bounds}, got {indices[i]}")
    return np.ascontiguousarray(indices, np.int64)
