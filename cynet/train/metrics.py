"""How good a model is on labelled data."""

from dataclasses import dataclass

import numpy as np

from cynet.core.layer import no_grad
from cynet.losses import CrossEntropyLoss


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
    def accuracy(self):
        """The part of all samples that is predicted right, 0 to 1."""
        return float(np.trace(self.confusion) / self.samples.sum())

    @property
    def class_accuracy(self):
        """ndarray of float64 (classes,): the same for each label; NaN where no sample bears it."""
        return np.diag(self.confusion) / np.where(self.samples, self.samples, np.nan)


def evaluate(model, batches):
    """Run a model, in evaluation mode, over every batch once.

    Parameters
    ----------
    model : Layer
        Its layers' modes are afterwards what they were.
    batches : iterable of (x, y)
        x float32 (N, ...), y integers (N,); the last batch may be smaller.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        When there is no sample, or a label is out of range.
    """
    criterion, loss, samples, confusion = CrossEntropyLoss(), 0.0, 0, 0
    modes = [(layer, layer.training) for _, layer in model.walk()]
    model.eval()
    try:
        with no_grad():
            for x, y in batches:
                logits = model(x)
                loss += criterion(logits, y) * len(y)
                classes = logits.shape[1]
                samples = samples + np.bincount(y, minlength=classes)
                sure = ~np.isnan(logits).any(axis=1)
                pairs = y[sure] * classes + logits.argmax(axis=1)[sure]
                confusion = confusion + np.bincount(pairs, minlength=classes**2)
    finally:
        for layer, mode in modes:
            layer.training = mode
    if np.sum(samples) == 0:
        raise ValueError("batches: wanted at least one sample, got none")
    return Evaluation(loss / int(samples.sum()), samples, confusion.reshape(len(samples), len(samples)))
