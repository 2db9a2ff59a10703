"""What a net is trained for: the loss, what is measured, what guessing would come to.

Design: everything that differs between classes, several labels and numbers is a method here, or a name in
`cynet.core.tasks`; trainer, tables, diagnosis and commands ask the task, and none asks which one it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.tasks import CLASSIFY, HUBER, L1, MEASURES, MSE, MULTILABEL, REGRESS, Measures
from cynet.core.types import AnyArray, Array, Batch
from cynet.data.balance import class_weights
from cynet.nn.elementwise_losses import BCEWithLogitsLoss, HuberLoss, L1Loss
from cynet.nn.layer import Layer
from cynet.nn.losses import CrossEntropyLoss, Loss
from cynet.nn.modes import evaluating
from cynet.nn.passes import no_grad
from cynet.nn.squared_loss import MSELoss

from .label_metrics import LabelEvaluation
from .metrics import checked_model, evaluate, pairs
from .number_metrics import NumberEvaluation

PICTURES = "pictures"
NUMBER_LOSSES = {MSE: MSELoss, L1: L1Loss, HUBER: HuberLoss}


class Task:
    """Classes: one label of each sample. The base of the other tasks, which do each of this in their own way.

    Attributes
    ----------
    name : str
        One of `cynet.core.tasks.TASKS`.
    columns : bool
        Whether labels are a matrix, a column for each output.
    measures : Measures
        What its evaluations tell besides a loss, each an attribute of them, and which is the score.
    things, indexed : str
        What sentences call samples, and some that are named by their indices.
    """

    name = CLASSIFY
    columns = False
    things, indexed = PICTURES, "samples with index"

    @property
    def measures(self) -> Measures:
        """What its evaluations tell besides a loss."""
        return MEASURES[self.name]

    def criterion(self, label_smoothing: float = 0.0, weights: Any = None) -> Loss:
        """The loss of training; `weights` are those of classes, or what a label's 1 counts."""
        return CrossEntropyLoss(label_smoothing, weight=weights)

    def weights(self, labels: AnyArray, classes: int) -> AnyArray:
        """What makes every class, or label, count as much: for `criterion`."""
        return class_weights(labels, classes)

    def training(self, model: Layer) -> AbstractContextManager[None]:
        """A context within which a model is trained."""
        return nullcontext()

    def apart(self, model: Layer) -> AbstractContextManager[None]:
        """A context within which a model in training is looked at, and afterwards trained on as without."""
        return nullcontext()

    def begin(self, model: Layer, batches: Any, number: int) -> None:
        """Called before the batch of a number, of all `batches` of an epoch, is trained on."""

    def carried(self, model: Layer) -> dict[str, Array]:
        """What a model in training goes on with besides its weights: see `cynet.train.carrying.carried`."""
        return {}

    def carry(self, model: Layer, states: Mapping[str, Any]) -> None:
        """Let a model go on with what `carried` told of it, or of its twin."""

    def count(self, y: AnyArray) -> int:
        """What a batch counts, by its labels: samples, or tokens."""
        return len(y)

    def right(self, output: Array, y: AnyArray) -> int:
        """How many samples of a batch are predicted right, in all that they are labelled with."""
        return int(np.count_nonzero(output.argmax(axis=1) == y))

    def evaluate(self, model: Layer, batches: Iterable[Batch]) -> Any:
        """Run a model, in evaluation mode, over every batch once: see `cynet.train.evaluate`."""
        return evaluate(model, batches)

    def values(self, evaluation: Any) -> dict[str, float]:
        """What of an evaluation stands in a run's table, by column."""
        return {name: float(getattr(evaluation, name)) for name in self.measures.columns}

    def score(self, evaluation: Any) -> float:
        """What the best weights are chosen by; NaN where it is not known, as of labels that no sample has."""
        return float(getattr(evaluation, self.measures.score))

    def guessing(self, labels: AnyArray) -> float:
        """The loss of a model that gives every sample the same."""
        counts = np.bincount(labels)
        shares = counts[counts > 0] / counts.sum()
        return float(-(shares * np.log(shares)).sum())

    def chance(self, labels: AnyArray) -> float:
        """What `skill` is of a model that guesses."""
        return 1 / len(np.unique(labels))

    def skill(self, evaluation: Any) -> float:
        """How much more than guessing a model knows: for the diagnosis."""
        return float(np.nanmean(evaluation.class_accuracy))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class LabelTask(Task):
    """Several labels of each sample, each by itself: 0 or 1."""

    name, columns = MULTILABEL, True
    skilled = "average precision"  # what sentences call `skill`

    def criterion(self, label_smoothing: float = 0.0, weights: Any = None) -> Loss:
        return BCEWithLogitsLoss(pos_weight=weights)

    def weights(self, labels: AnyArray, classes: int) -> AnyArray:
        ones = labels.sum(axis=0, dtype=np.float64)
        return np.where(ones > 0, (len(labels) - ones) / np.maximum(ones, 1), 1.0)

    def right(self, output: Array, y: AnyArray) -> int:
        return int(((output >= 0) == (y > 0)).all(axis=1).sum())  # a logit of 0 is a probability of 0.5

    def evaluate(self, model: Layer, batches: Iterable[Batch], flip: bool = False) -> LabelEvaluation:
        """Run a model, in evaluation mode, over every batch once.

        Parameters
        ----------
        model : Layer
        batches : iterable of (x, y)
        flip : bool, optional
            Take the mean of the logits of each picture and of its mirror image.

        Returns
        -------
        LabelEvaluation
        """
        logits, labels = _outputs(model, batches, flip)
        with no_grad(), np.errstate(over="ignore"):
            loss = BCEWithLogitsLoss()(logits, labels)
            return LabelEvaluation(loss, 1 / (1 + np.exp(-logits.astype(np.float64))), labels)

    def guessing(self, labels: AnyArray) -> float:
        shares = labels.mean(axis=0, dtype=np.float64)
        parts = np.stack([shares, 1 - shares])
        return float(-(parts * np.log(np.where(parts > 0, parts, 1))).sum(axis=0).mean())

    def chance(self, labels: AnyArray) -> float:
        return float(labels.mean(dtype=np.float64))

    def skill(self, evaluation: LabelEvaluation) -> float:
        return evaluation.ap


class NumberTask(Task):
    """Numbers that a model is to give.

    Parameters
    ----------
    loss : {"mse", "l1", "huber"}, optional
    """

    name, columns = REGRESS, True
    skilled = "R2"

    def __init__(self, loss: str = MSE) -> None:
        self.loss = loss

    def criterion(self, label_smoothing: float = 0.0, weights: Any = None) -> Loss:
        return NUMBER_LOSSES[self.loss]()

    def right(self, output: Array, y: AnyArray) -> int:
        return 0  # no number is right or wrong

    def evaluate(self, model: Layer, batches: Iterable[Batch], flip: bool = False) -> NumberEvaluation:
        """Run a model, in evaluation mode, over every batch once.

        Parameters
        ----------
        model : Layer
        batches : iterable of (x, y)
        flip : bool, optional
            Take the mean of what it gives for each picture and for its mirror image.

        Returns
        -------
        NumberEvaluation
        """
        values, labels = _outputs(model, batches, flip)
        with no_grad():
            return NumberEvaluation(self.criterion()(values, labels), values.astype(np.float64), labels)

    def guessing(self, labels: AnyArray) -> float:
        middle = np.median(labels, axis=0) if self.loss == L1 else labels.mean(axis=0, dtype=np.float64)
        with no_grad():
            return self.criterion()(
                np.broadcast_to(middle, labels.shape).astype(np.float32), np.ascontiguousarray(labels)
            )

    def chance(self, labels: AnyArray) -> float:
        return 0.0

    def skill(self, evaluation: NumberEvaluation) -> float:
        return evaluation.r2

    def __repr__(self) -> str:
        return f"NumberTask({self.loss!r})"


def _outputs(model: Layer, batches: Iterable[Batch], flip: bool) -> tuple[Array, Array]:
    """What a model gives for all samples, and their labels: float32 (samples, columns)."""
    checked_model(model)
    parts = []
    with evaluating(model), no_grad():
        for x, y in pairs(batches, columns=True):
            output = np.array(model(x))
            if flip:
                x = checks.float_array("x", x)
                output = (output + model(np.ascontiguousarray(x[:, :, ::-1]))) / np.float32(2)
            if output.shape != y.shape:
                wanted = f"wanted one that gives {y.shape}, a number for each label"
                raise ValueError(f"model: {wanted}, got an output {output.shape}")
            parts.append((output, y))
    if not sum(len(y) for _, y in parts):
        raise ValueError("batches: wanted at least one sample, got none")
    outputs, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
    return outputs, labels.astype(np.float32, copy=False)
