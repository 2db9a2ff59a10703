"""How good a model is on labelled data."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cynet.core.types import AnyArray, Array, Batch
from cynet.nn.layer import Layer
from cynet.nn.losses import CrossEntropyLoss
from cynet.nn.modes import evaluating
from cynet.nn.passes import no_grad

TEST, VALIDATION = "test", "validation"  # what a training is measured on


@dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`.

    Attributes
    ----------
    loss : float
        The mean cross-entropy, without label smoothing.
    samples : ndarray of int64 (classes,)
        How many samples bear each label.
    confusion : ndarray of int64 (classes, classes)
        Row: label, column: prediction. A sample with a NaN among its logits has no prediction: it counts in
        `samples` alone, and so as wrong.
    """

    loss: float
    samples: np.ndarray
    confusion: np.ndarray

    @property
    def accuracy(self) -> float:
        """The part of all samples that is predicted right, 0 to 1."""
        return float(np.trace(self.confusion) / self.samples.sum())

    @property
    def class_accuracy(self) -> AnyArray:
        """ndarray of float64 (classes,): the same for each label; NaN where no sample bears it."""
        return np.diag(self.confusion) / np.where(self.samples, self.samples, np.nan)


def pairs(
    batches: Iterable[Batch], name: str = "batches", columns: bool = False
) -> Iterator[tuple[Array, AnyArray]]:
    """The (x, y) of each batch, y as an array; with `columns` a matrix, else of one label for each sample.

    Of a model of several inputs x is a tuple, or list, of arrays.

    Raises
    ------
    TypeError, ValueError
        When `batches` (called `name`) cannot be walked through, one of them is no pair, or has not as many
        labels as samples.
    """
    try:
        walk = iter(batches)
    except TypeError:
        raise TypeError(f"{name}: wanted an iterable of (x, y), got {batches!r:.80}") from None
    for number, batch in enumerate(walk):
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            got = f"{len(batch)} of them" if isinstance(batch, (tuple, list)) else type(batch).__name__
            raise ValueError(f"{name}: wanted a pair (x, y) as each batch, got {got} as batch {number}")
        x, y = tuple(batch[0]) if isinstance(batch[0], list) else batch[0], np.asarray(batch[1])
        labels = y.shape[:1] if columns else y.shape
        for one in x if isinstance(x, tuple) else (x,):
            if isinstance(one, np.ndarray) and one.ndim and labels != (len(one),):
                wanted = f"wanted a label for each of the {len(one)} samples of batch {number}"
                raise ValueError(f"{name}: {wanted}, got labels of shape {y.shape}")
        yield x, y


def checked_model(model: Any) -> Layer:
    """`model`, or TypeError where it is no Layer."""
    if not isinstance(model, Layer):
        raise TypeError(f"model: wanted a Layer, got {model!r:.80}")
    return model


def evaluate(model: Layer, batches: Iterable[Batch]) -> Evaluation:
    """Run a model, in evaluation mode, over every batch once.

    Parameters
    ----------
    model : Layer
        Its layers' modes are afterwards what they were.
    batches : iterable of (x, y)
        x float32 (N, ...), or a tuple of such for several inputs, y integers (N,); the last batch may be
        smaller.

    Returns
    -------
    Evaluation

    Raises
    ------
    TypeError, ValueError
        When there is no sample, a batch is no pair, or a label is out of range.
    """
    checked_model(model)
    criterion, loss = CrossEntropyLoss(), 0.0
    samples: Any = 0  # arrays, as soon as the number of classes is known
    confusion: Any = 0
    with evaluating(model), no_grad():
        for x, y in pairs(batches):
            logits = model(x)
            loss += criterion(logits, y) * len(y)
            classes = logits.shape[1]
            samples = samples + np.bincount(y, minlength=classes)
            sure = ~np.isnan(logits).any(axis=1)
            cells = y[sure] * classes + logits.argmax(axis=1)[sure]
            confusion = confusion + np.bincount(cells, minlength=classes**2)
    if np.sum(samples) == 0:
        raise ValueError("batches: wanted at least one sample, got none")
    return Evaluation(loss / int(samples.sum()), samples, confusion.reshape(len(samples), len(samples)))
