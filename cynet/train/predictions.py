"""What a model says of every sample: probabilities, and what they tell of how good and how sure it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import AnyArray, Batch
from cynet.nn.layer import Layer
from cynet.nn.modes import evaluating
from cynet.nn.passes import no_grad

from .metrics import Evaluation, checked_model, pairs
from .views import kinds_of, log_probabilities

BINS = 15  # as in Guo et al. 2017


@dataclass(frozen=True)
class Calibration:
    """How far a model's probability for its prediction is from how often that prediction is right.

    Guo et al. (2017), "On calibration of modern neural networks".

    Attributes
    ----------
    edges : ndarray of float64 (bins + 1,)
        Bin b holds the predictions with edges[b] < probability <= edges[b + 1].
    counts : ndarray of int64 (bins,)
    confidence, accuracy : ndarray of float64 (bins,)
        The mean probability, and the part that is right; NaN in an empty bin.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the mean of |accuracy - confidence| over all predictions."""
        filled = self.counts > 0
        if not filled.any():
            return float("nan")
        gaps = np.abs(self.accuracy - self.confidence)[filled]
        return float(np.average(gaps, weights=self.counts[filled]))


@dataclass(frozen=True)
class Predictions:
    """What `predict` found, in the order of the samples.

    Attributes
    ----------
    log_probabilities : ndarray of float64 (samples, classes)
        A row of NaN where a logit was NaN: such a sample has no prediction, and counts as wrong.
    labels : ndarray of int64 (samples,)
    """

    log_probabilities: np.ndarray
    labels: np.ndarray

    @cached_property
    def probabilities(self) -> AnyArray:
        """ndarray of float64 (samples, classes)"""
        return np.exp(self.log_probabilities)

    @cached_property
    def sure(self) -> AnyArray:
        """ndarray of bool (samples,): whether there is a prediction."""
        return ~np.isnan(self.log_probabilities).any(axis=1)

    @cached_property
    def predicted(self) -> AnyArray:
        """ndarray of int64 (samples,): the class of the highest probability, the first of equal ones."""
        return self.log_probabilities.argmax(axis=1)

    @cached_property
    def right(self) -> AnyArray:
        """ndarray of bool (samples,)"""
        return self.sure & (self.predicted == self.labels)

    @cached_property
    def confidence(self) -> AnyArray:
        """ndarray of float64 (samples,): the highest probability."""
        return self.probabilities.max(axis=1)

    @cached_property
    def evaluation(self) -> Evaluation:
        """The `Evaluation` of these predictions."""
        classes = self.log_probabilities.shape[1]
        pairs = self.labels[self.sure] * classes + self.predicted[self.sure]
        confusion = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
        samples = np.bincount(self.labels, minlength=classes)
        loss = -float(self.log_probabilities[np.arange(len(self.labels)), self.labels].mean())
        return Evaluation(loss, samples, confusion)

    def calibration(self, bins: int = BINS) -> Calibration:
        """The `Calibration` over so many bins of equal width."""
        edges = np.linspace(0, 1, checks.integer("bins", bins, 1) + 1)
        confidence, right = self.confidence[self.sure], self.right[self.sure]
        places = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
        counts = np.bincount(places, minlength=bins)
        divisors = np.where(counts, counts, np.nan)
        means = (np.bincount(places, weights=values, minlength=bins) for values in (confidence, right))
        return Calibration(edges, counts, *(mean / divisors for mean in means))

    def top_accuracy(self, count: int = 5) -> float:
        """The part of the samples whose label is among the `count` most probable classes."""
        own = self.log_probabilities[np.arange(len(self.labels)), self.labels]
        before = (self.log_probabilities > own[:, None]).sum(axis=1)
        return float((self.sure & (before < checks.integer("count", count, 1))).mean())

    def worst(self, count: int) -> AnyArray:
        """The indices of the `count` wrong predictions that the model was surest of, the surest first."""
        wrong = np.flatnonzero(self.sure & ~self.right)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")[:count]]

    def top(self, index: int, count: int) -> Any:
        """[(class, probability), ...] of one sample, the most probable first."""
        row = self.probabilities[index]
        return [(int(k), float(row[k])) for k in np.argsort(-row, kind="stable")[:count]]


def predict(
    model: Layer, batches: Iterable[Batch], flip: bool = False, tta: str | None = None
) -> Predictions:
    """Run a model, in evaluation mode, over every batch once.

    Parameters
    ----------
    model : Layer
        Its layers' modes are afterwards what they were.
    batches : iterable of (x, y)
        x float32 (N, H, W, C), y integers (N,).
    flip : bool, optional
        Take the mean of the probabilities of each picture and of its mirror image: the `tta` "flip".
    tta : str, optional
        Take the mean of the probabilities over several views of each picture: "flip", itself and its mirror
        image; "shift", itself and moved by a pixel up, down, left and right; "flip,shift", all ten;
        "diagonal", itself, counted twice, and moved by a pixel along the diagonal, both ways.

    Returns
    -------
    Predictions

    Raises
    ------
    TypeError, ValueError
        When there is no sample, a batch is no pair, a label is out of range, the model gives no logits, or
        `tta` is none of these.
    """
    kinds = kinds_of(tta, checks.flag("flip", flip))
    checked_model(model)
    with evaluating(model), no_grad():
        parts = [(log_probabilities(model, x, kinds), y.copy()) for x, y in pairs(batches)]
    if not sum(len(y) for _, y in parts):
        raise ValueError("batches: wanted at least one sample, got none")
    rows, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Predictions(rows, checks.labels("labels", labels, len(rows), rows.shape[1]))


def precision(evaluation: Evaluation) -> AnyArray:
    """ndarray of float64 (classes,): the part of each class's predictions that is right; NaN without any."""
    predicted = evaluation.confusion.sum(axis=0)
    return np.diag(evaluation.confusion) / np.where(predicted, predicted, np.nan)


def f1(evaluation: Evaluation) -> AnyArray:
    """ndarray of float64 (classes,): 2 right / (labels + predictions) of each class; NaN without either."""
    both = evaluation.confusion.sum(axis=0) + evaluation.samples
    return 2 * np.diag(evaluation.confusion) / np.where(both, both, np.nan)


def macro_f1(evaluation: Evaluation) -> float:
    """The mean of `f1` over the classes that there are samples or predictions of."""
    return float(np.nanmean(f1(evaluation)))


def confused(evaluation: Evaluation, count: int) -> Any:
    """[(label, prediction, samples), ...] of the most frequent mistakes, at most `count`."""
    wrong = evaluation.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(order, wrong.shape)
    return [(int(i), int(j), int(wrong[i, j])) for i, j in zip(rows, columns, strict=True) if wrong[i, j]]
