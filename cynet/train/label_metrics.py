"""How good a model is at several labels of a sample: average precision, F1, what a threshold does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from cynet.core.tasks import MULTILABEL
from cynet.core.types import AnyArray

THRESHOLD = 0.5  # of a probability, from which on a label is said


@dataclass(frozen=True)
class LabelEvaluation:
    """What a model says of samples with several labels each.

    A sample with a NaN among its outputs has no prediction: none of its labels is said, and it comes last.

    Attributes
    ----------
    loss : float
        The mean binary cross-entropy over samples and labels, without weights.
    probabilities : ndarray of float64 (samples, labels)
    labels : ndarray of float32 (samples, labels)
        0 and 1.
    """

    loss: float
    probabilities: np.ndarray
    labels: np.ndarray
    task: ClassVar[str] = MULTILABEL

    @cached_property
    def sure(self) -> AnyArray:
        """ndarray of bool (samples,): whether there is a prediction."""
        return ~np.isnan(self.probabilities).any(axis=1)

    @cached_property
    def _ranked(self) -> AnyArray:
        return np.where(self.sure[:, None], self.probabilities, -1.0)

    @property
    def samples(self) -> AnyArray:
        """ndarray of int64 (labels,): how many samples have each label."""
        return self.labels.sum(axis=0, dtype=np.float64).astype(np.int64)

    @cached_property
    def said(self) -> AnyArray:
        """ndarray of bool (samples, labels): what is said at the threshold of 0.5."""
        return self._ranked >= THRESHOLD

    @cached_property
    def average_precision(self) -> AnyArray:
        """ndarray of float64 (labels,): of each label, see `average_precision`; NaN where none has it."""
        columns = zip(self._ranked.T, self.labels.T, strict=True)
        return np.array([average_precision(row, truth) for row, truth in columns])

    @property
    def ap(self) -> float:
        """The mean of the labels' average precisions that are known; NaN where none is."""
        known = self.average_precision[~np.isnan(self.average_precision)]
        return float(known.mean()) if len(known) else float("nan")

    @cached_property
    def counts(self) -> tuple[AnyArray, AnyArray, AnyArray]:
        """Said and true, said alone, true alone: of each label, ndarray of int64 (labels,)."""
        truth = self.labels > 0
        parts = self.said & truth, self.said & ~truth, ~self.said & truth
        right, wrong, missed = (part.sum(axis=0) for part in parts)
        return right, wrong, missed

    @property
    def precision(self) -> AnyArray:
        """ndarray of float64 (labels,): the part of what is said that is true; NaN where nothing is."""
        right, wrong, _ = self.counts
        return right / np.where(right + wrong, right + wrong, np.nan)

    @property
    def recall(self) -> AnyArray:
        """ndarray of float64 (labels,): the part of what is true that is said; NaN where nothing is."""
        right, _, missed = self.counts
        return right / np.where(right + missed, right + missed, np.nan)

    @property
    def label_f1(self) -> AnyArray:
        """ndarray of float64 (labels,): 2 right / (2 right + wrong + missed); NaN where all three
        are 0."""
        right, wrong, missed = self.counts
        all_of_it = 2 * right + wrong + missed
        return 2 * right / np.where(all_of_it, all_of_it, np.nan)

    @property
    def f1(self) -> float:
        """The macro F1: the mean over the labels, 0 where there is none."""
        return float(np.nan_to_num(self.label_f1).mean())

    @property
    def accuracy(self) -> float:
        """The part of the samples of which every label is right."""
        return float((self.sure & (self.said == (self.labels > 0)).all(axis=1)).mean())

    def thresholds(self, steps: int = 100) -> tuple[AnyArray, AnyArray]:
        """(thresholds, the labels' F1 at each): float64 (steps - 1,) and (steps - 1, labels).

        The thresholds are 1 / steps, 2 / steps and so on.
        """
        places = np.arange(1, steps) / steps
        found = [LabelEvaluation(0, self._ranked >= place, self.labels).label_f1 for place in places]
        return places, np.nan_to_num(found)


def average_precision(scores: AnyArray, truth: AnyArray) -> float:
    """The area under the curve of precision over recall, as a sum of steps (scikit-learn's definition).

    Parameters
    ----------
    scores : ndarray of float (samples,)
    truth : ndarray of 0 and 1 (samples,)

    Returns
    -------
    float
        The sum over all different scores of precision times what recall grows by there. NaN where no sample
        is true.
    """
    positives = float(truth.sum())
    if not positives:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(truth[order], dtype=np.float64)
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # equal ones come together
    right, count = right[last], last + 1.0
    return float((np.diff(right, prepend=0) * right / count).sum() / positives)
