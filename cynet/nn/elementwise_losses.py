"""Losses of single numbers: of several labels at once, and of numbers that are to be met."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cynet.core import checks, threads, workspace
from cynet.core.types import AnyArray, Array
from cynet.kernels.loss import error_sums

from .losses import SHOWN, Loss, checked_reduction

ONE = np.ones(1)


class ElementwiseLoss(Loss):
    """Base of the losses that are a mean, or a sum, over all elements.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
    """

    reduction: str

    def _computed(
        self, kernel: Callable[..., float], y: Array, target: AnyArray, weight: AnyArray, factor: AnyArray
    ) -> float:
        """The loss by a kernel of arrays that are checked; its gradient is kept."""
        reduction = checked_reduction(self.reduction)  # it may have been set
        gradient = workspace.empty(y.shape)
        sums = workspace.empty((error_sums.sum_count(y.size),), np.float64)
        scale = 1 / y.size if reduction == "mean" else 1.0
        flat = y.reshape(-1), target.reshape(-1), weight, factor, gradient.reshape(-1)
        loss = kernel(*flat, sums, scale, threads.get_num_threads())
        self._keep(gradient)
        return loss


class L1Loss(ElementwiseLoss):
    """The mean over all elements of |y - target|; its gradient at 0 is 0.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional

    Raises
    ------
    ValueError
        When it is none of these; see also `__call__`.
    """

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = checked_reduction(reduction)

    def __call__(self, y: Array, target: Array) -> float:
        """The loss.

        Parameters
        ----------
        y, target : ndarray of float32
            Of one shape, with at least one element.

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            When an array has the wrong type, the shapes differ, or they hold nothing.
        """
        y, target = checked_pair(y, target)
        return self._computed(error_sums.absolute_error, y, target, ONE, ONE)

    def __repr__(self) -> str:
        return f"L1Loss({shown_reduction(self.reduction)})"


class HuberLoss(ElementwiseLoss):
    """The mean over all elements of d^2 / 2 where |d| <= delta, else of delta * (|d| - delta / 2).

    d is y - target (Huber 1964): few numbers that are far off count less than by `MSELoss`.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
    delta : float, optional
        Above 0.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these; see also `__call__`.
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        self.reduction = checked_reduction(reduction)
        self.delta = checks.number("delta", delta, 0, open_low=True)

    def __call__(self, y: Array, target: Array) -> float:
        """The loss; arguments and errors as of `L1Loss`."""
        y, target = checked_pair(y, target)
        delta = checks.number("delta", self.delta, 0, open_low=True)  # it may have been set
        return self._computed(error_sums.huber_error, y, target, ONE, np.array([delta]))

    def __repr__(self) -> str:
        reduction = shown_reduction(self.reduction)
        return f"HuberLoss({reduction}{', ' if reduction else ''}delta={self.delta:g})"


class BCEWithLogitsLoss(ElementwiseLoss):
    """Binary cross-entropy of each label by itself: the mean over all samples and labels.

    The loss of a logit x with target t is -(pos_weight * t * log s(x) + (1 - t) * log(1 - s(x))) times
    `weight`, s being the sigmoid; as PyTorch computes it, and finite for all finite logits.

    Parameters
    ----------
    weight : sequence of float (labels,), optional
        How much each label counts: finite, at least 0, not all 0.
    reduction : {"mean", "sum"}, optional
    pos_weight : sequence of float (labels,), optional
        How much a 1 counts of each label, a 0 counting 1.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these; see also `__call__`.

    Examples
    --------
    >>> criterion = cynet.BCEWithLogitsLoss()
    >>> loss = criterion(model(images), np.float32([[1, 0, 1], [0, 0, 1]]))
    >>> model.backward(criterion.backward())
    """

    def __init__(
        self,
        weight: Sequence[float] | AnyArray | None = None,
        reduction: str = "mean",
        pos_weight: Sequence[float] | AnyArray | None = None,
    ) -> None:
        self.reduction = checked_reduction(reduction)
        self.weight, self.pos_weight = weight, pos_weight

    @property
    def weight(self) -> AnyArray | None:
        """A read-only float64 array (labels,), or None; may be set."""
        return self._weight

    @weight.setter
    def weight(self, value: Any) -> None:
        self._weight = _checked_weights("weight", value)

    @property
    def pos_weight(self) -> AnyArray | None:
        """A read-only float64 array (labels,), or None; may be set."""
        return self._pos_weight

    @pos_weight.setter
    def pos_weight(self, value: Any) -> None:
        self._pos_weight = _checked_weights("pos_weight", value)

    def __call__(self, logits: Array, target: Array) -> float:
        """The loss.

        Parameters
        ----------
        logits, target : ndarray of float32 (N, labels)
            Of one shape; the targets from 0 to 1.

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            When an array has the wrong type, the shapes differ, they hold nothing, a target is not from 0 to
            1, or there are not as many weights as labels.
        """
        logits, target = checked_pair(logits, target, "logits")
        wrong = np.flatnonzero(~((target >= 0) & (target <= 1)).reshape(-1))
        if len(wrong):
            place = tuple(map(int, np.unravel_index(wrong[0], target.shape)))
            got = target.reshape(-1)[wrong[0]]
            raise ValueError(f"target[{', '.join(map(str, place))}]: wanted a number from 0 to 1, got {got}")
        weights = [
            self._fitting(name, value, target.shape[-1] if target.ndim else 1)
            for name, value in (("weight", self._weight), ("pos_weight", self._pos_weight))
        ]
        return self._computed(error_sums.logistic_error, logits, target, *weights)

    @staticmethod
    def _fitting(name: str, weight: AnyArray | None, labels: int) -> AnyArray:
        if weight is None:
            return ONE
        if len(weight) != labels:
            raise ValueError(
                f"{name}: wanted one for each of the {labels} labels of the logits, got {len(weight)}"
            )
        return weight

    def __repr__(self) -> str:
        texts = [_listed("weight", self._weight), shown_reduction(self.reduction)]
        texts.append(_listed("pos_weight", self._pos_weight))
        return f"BCEWithLogitsLoss({', '.join(filter(None, texts))})"


def checked_pair(y: Array, target: Array, name: str = "y") -> tuple[Array, Array]:
    """The arguments of a loss as arrays of one shape, or TypeError / ValueError naming them."""
    y, target = checks.float_array(name, y), checks.float_array("target", target)
    if y.shape != target.shape:
        raise ValueError(f"target: wanted the shape of {name} {y.shape}, got {target.shape}")
    if y.size == 0:
        raise ValueError(f"{name}: wanted at least one element, got shape {y.shape}")
    return y, target


def _checked_weights(name: str, value: Any) -> AnyArray | None:
    """The weights of labels as a read-only array, or TypeError / ValueError naming what is wrong."""
    if value is None:
        return None
    array = np.asarray(value)
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: wanted a list of numbers, one a label, got {value!r:.80}")
    array = np.array([checks.number(f"{name}[{i}]", one, 0) for i, one in enumerate(array)], np.float64)
    if not array.any():
        raise ValueError(f"{name}: wanted at least one above 0, got {value!r:.80}")
    array.flags.writeable = False
    return array


def shown_reduction(reduction: str) -> str:
    """As it stands in a repr: nothing for the default."""
    return "" if reduction == "mean" else f"reduction={reduction!r}"


def _listed(name: str, weight: AnyArray | None) -> str:
    if weight is None:
        return ""
    shown = [f"{value:g}" for value in weight[:SHOWN]]
    more = [f"... {len(weight)} labels"] if len(weight) > SHOWN else []
    return f"{name}=[{', '.join(shown + more)}]"
