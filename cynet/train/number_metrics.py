"""How good a model is at numbers: how far they are off, and what of their spread it explains."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from cynet.core.tasks import REGRESS
from cynet.core.types import AnyArray


@dataclass(frozen=True)
class NumberEvaluation:
    """What numbers a model gives for samples.

    Attributes
    ----------
    loss : float
        The mean of the loss that it was trained with.
    values : ndarray of float64 (samples, numbers)
    labels : ndarray of float32 (samples, numbers)
        What they were to be.
    """

    loss: float
    values: np.ndarray
    labels: np.ndarray
    task: ClassVar[str] = REGRESS

    @cached_property
    def sure(self) -> AnyArray:
        """ndarray of bool (samples,): whether all numbers of a sample are none that is NaN."""
        return ~np.isnan(self.values).any(axis=1)

    @cached_property
    def errors(self) -> AnyArray:
        """ndarray of float64 (samples, numbers): what a model gives too much."""
        return self.values - self.labels

    @property
    def samples(self) -> AnyArray:
        """ndarray of int64 (numbers,): how many samples there are, once for each number."""
        return np.full(self.labels.shape[1], len(self.labels))

    @property
    def each_mae(self) -> AnyArray:
        """ndarray of float64 (numbers,): the mean absolute error of each."""
        return np.abs(self.errors).mean(axis=0)

    @property
    def each_rmse(self) -> AnyArray:
        """ndarray of float64 (numbers,): the root of the mean squared error of each."""
        return np.sqrt(np.square(self.errors).mean(axis=0))

    @property
    def each_r2(self) -> AnyArray:
        """ndarray of float64 (numbers,): 1 - squared errors / squares of what the mean is off; NaN of a
        number that all samples share."""
        spread = np.square(self.labels - self.labels.mean(axis=0, dtype=np.float64)).sum(axis=0)
        return 1 - np.square(self.errors).sum(axis=0) / np.where(spread > 0, spread, np.nan)

    @property
    def mae(self) -> float:
        """The mean absolute error over all samples and numbers."""
        return float(np.abs(self.errors).mean())

    @property
    def rmse(self) -> float:
        """The root of the mean squared error over all samples and numbers."""
        return float(np.sqrt(np.square(self.errors).mean()))

    @property
    def r2(self) -> float:
        """The mean of the numbers' `each_r2`, over those that are known; NaN where none is."""
        known = self.each_r2[~np.isnan(self.each_r2)]
        return float(known.mean()) if len(known) else float("nan")
