"""Losses: `loss = criterion(output, target)`, then `criterion.backward()` is its gradient to the output."""

from collections.abc import Sequence
from threading import get_ident
from typing import Any

import numpy as np

from cynet.core import checks, threads, workspace
from cynet.core.turns import refuse_anothers
from cynet.core.types import AnyArray, Array
from cynet.kernels.loss import softmax

from .passes import grad_enabled

SHOWN = 10  # weights in a text
REDUCTIONS = "mean", "sum"
Weights = Sequence[float] | AnyArray | None


class Loss:
    """Base of the losses: keeps the gradient of the last call.

    Of two passes of a model that are open at once each needs a loss of its own, or its `backward` before the
    next call.
    """

    _kept: tuple[Array, int] | None = None  # the last gradient, and the thread that it is of
    _made: Any = None  # the threads whose losses no backward followed

    def _keep(self, gradient: Array) -> None:
        """Keep the gradient for `backward`, unless inside `no_grad`."""
        this = get_ident()
        if grad_enabled():
            vars(self).setdefault("_made", set()).add(this)
            self._kept = gradient, this
        elif self._kept is not None and self._kept[1] == this:
            self._kept = None

    def __call__(self, output: Array, target: AnyArray) -> float:
        raise TypeError(f"{type(self).__name__} defines no __call__(output, target)")

    def backward(self) -> Array:
        """The gradient of the last loss with respect to the first argument.

        Returns
        -------
        ndarray of float32, the shape of that argument

        Raises
        ------
        RuntimeError
            Without a loss before it, or after one inside `no_grad`; when another thread's loss came after
            that of this one.
        """
        if self._kept is None:
            name = type(self).__name__
            raise RuntimeError(f"{name}.backward: wanted a loss before it (outside no_grad), got none")
        gradient, maker = self._kept
        if maker != get_ident():
            refuse_anothers(type(self).__name__, maker, self._made)
        self._made.discard(maker)
        return gradient

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class CrossEntropyLoss(Loss):
    """The mean over the batch of -sum(target * log(soft-max(logits))).

    The target is 1 - label_smoothing at the label plus label_smoothing / classes everywhere (Szegedy et al.
    2015, section 7), as in PyTorch. Finite for all finite logits.

    With weights each class's target is multiplied by its own, and the sum over the batch is divided by the
    sum of the weights of its labels instead of their number; also as in PyTorch.

    Parameters
    ----------
    label_smoothing : float, optional
        0 to 1.
    weight : sequence of float (classes,), optional
        How much each class counts: finite, at least 0, not all 0.
    reduction : {"mean", "sum"}, optional
        "sum": nothing is divided. By its name alone.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these; see also `__call__`.

    Examples
    --------
    >>> criterion = cynet.CrossEntropyLoss()
    >>> loss = criterion(model(images), labels)
    >>> model.backward(criterion.backward())
    """

    def __init__(
        self, label_smoothing: float = 0.0, weight: Weights = None, *, reduction: str = "mean"
    ) -> None:
        self.label_smoothing = checks.number("label_smoothing", label_smoothing, 0, 1)
        self.weight, self.reduction = weight, checked_reduction(reduction)

    @property
    def weight(self) -> AnyArray | None:
        """The weights, a read-only float64 array (classes,), or None; may be set."""
        return self._weight

    @weight.setter
    def weight(self, value: Any) -> None:
        self._weight = None if value is None else _checked_weight(value)

    def __call__(self, logits: Array, labels: AnyArray) -> float:
        """The loss.

        Parameters
        ----------
        logits : ndarray of float32, (N, classes)
        labels : array of integers, (N,)
            Each 0 to classes - 1.

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            When an array has the wrong type or shape, the batch is empty, a label is out of range, there are
            not as many weights as classes, or those of the batch's labels are all 0.
        """
        logits = checks.float_array("logits", logits, 2)
        rows, classes = logits.shape
        if not (checks.is_column(labels, rows) and softmax.in_range(labels, classes)):
            labels = checks.labels("labels", labels, rows, classes)
        smoothing = checks.number("label_smoothing", self.label_smoothing, 0, 1)  # it may have been set
        count = threads.get_num_threads()
        gradient, losses = workspace.empty(logits.shape), workspace.empty((rows,), np.float64)
        mean = checked_reduction(self.reduction) == "mean"
        if self._weight is None and mean:
            loss = softmax.cross_entropy(logits, labels, gradient, losses, smoothing, count)
        else:
            weight = np.ones(classes) if self._weight is None else self._weight
            divisor = self._divisor(weight, labels, classes, mean)
            loss = softmax.weighted_cross_entropy(
                logits, labels, weight, gradient, losses, smoothing, divisor, count
            )
        self._keep(gradient)
        return loss

    @staticmethod
    def _divisor(weight: AnyArray, labels: AnyArray, classes: int, mean: bool) -> float:
        """The sum of the weights of the labels, or 1 unless it is the mean that is wanted."""
        if len(weight) != classes:
            raise ValueError(
                f"weight: wanted one for each of the {classes} classes of the logits, got {len(weight)}"
            )
        divisor = float(weight[labels].sum()) if mean else 1.0
        if not divisor > 0:
            found = np.unique(labels).tolist()
            raise ValueError(
                f"weight: wanted one above 0 among the labels of the batch, got only labels {found}"
            )
        return divisor

    def __repr__(self) -> str:
        weight = ""
        if self._weight is not None:
            shown = [f"{value:g}" for value in self._weight[:SHOWN]]
            more = [f"... {len(self._weight)} classes"] if len(self._weight) > SHOWN else []
            weight = f", weight=[{', '.join(shown + more)}]"
        reduction = "" if self.reduction == "mean" else f", reduction={self.reduction!r}"
        return f"CrossEntropyLoss(label_smoothing={self.label_smoothing:g}{weight}{reduction})"


def checked_reduction(value: Any) -> str:
    """`value`, if it is one of `REDUCTIONS`."""
    if not isinstance(value, str) or value not in REDUCTIONS:
        raise ValueError(f"reduction: wanted {' or '.join(map(repr, REDUCTIONS))}, got {value!r:.80}")
    return value


def _checked_weight(value: Any) -> AnyArray:
    """The weights of classes as a read-only array, or TypeError / ValueError naming what is wrong."""
    array = np.asarray(value)
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise TypeError(f"weight: wanted a list of numbers, one a class, got {value!r:.80}")
    array = np.array([checks.number(f"weight[{i}]", one, 0) for i, one in enumerate(array)], np.float64)
    if not array.any():
        raise ValueError(f"weight: wanted at least one above 0, got {value!r:.80}")
    array.flags.writeable = False
    return array
