"""Losses: `loss = criterion(output, target)`, then `criterion.backward()` is its gradient to the output."""

import numpy as np

from cynet.core import checks, threads, workspace
from cynet.core.layer import grad_enabled
from cynet.kernels import softmax, squared_error

CHUNK = 16384  # elements of one partial sum of squared_error


class Loss:
    """Base of the losses: keeps the gradient of the last call."""

    _gradient = None

    def backward(self):
        """The gradient of the last loss with respect to the first argument.

        Returns
        -------
        ndarray of float32, the shape of that argument

        Raises
        ------
        RuntimeError
            Without a loss before it, or after one inside `no_grad`.
        """
        if self._gradient is None:
            name = type(self).__name__
            raise RuntimeError(f"{name}.backward: wanted a loss before it (outside no_grad), got none")
        return self._gradient

    def __repr__(self):
        return f"{type(self).__name__}()"


class CrossEntropyLoss(Loss):
    """The mean over the batch of -sum(target * log(soft-max(logits))).

    The target is 1 - label_smoothing at the label plus label_smoothing / classes everywhere (Szegedy et al.
    2015, section 7), as in PyTorch. Finite for all finite logits.

    Parameters
    ----------
    label_smoothing : float, optional
        0 to 1.
    weight : array of float (classes,), optional
        Of each class, as in PyTorch.

    Examples
    --------
    >>> criterion = cynet.CrossEntropyLoss()
    >>> loss = criterion(model(images), labels)
    >>> model.backward(criterion.backward())
    """

    def __init__(self, label_smoothing=0.0, weight=None):
        self.label_smoothing = checks.number("label_smoothing", label_smoothing, 0, 1)
        self.weight = None if weight is None else np.asarray(weight, np.float64)

    def __call__(self, logits, labels):
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
            When an array has the wrong type or shape, the batch is empty, or a label is out of range.
        """
        logits = checks.float_array("logits", logits, 2)
        rows, classes = logits.shape
        labels = checks.labels("labels", labels, rows, classes)
        if self.weight is not None:
            return self._weighted(logits, labels, rows, classes)
        gradient = workspace.empty(logits.shape)
        loss = softmax.cross_entropy(
            logits,
            labels,
            gradient,
            workspace.empty((rows,), np.float64),
            self.label_smoothing,
            threads.get_num_threads(),
        )
        self._gradient = gradient if grad_enabled() else None
        return loss

    def _weighted(self, logits, labels, rows, classes):
        target = np.full((rows, classes), self.label_smoothing / classes)
        target[np.arange(rows), labels] += 1 - self.label_smoothing
        target *= self.weight
        z = logits - logits.max(axis=1, keepdims=True).astype(np.float64)
        logs = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        divisor = self.weight[labels].sum()
        gradient = (np.exp(logs) * target.sum(axis=1, keepdims=True) - target) / divisor
        self._gradient = gradient.astype(np.float32) if grad_enabled() else None
        return float(-(target * logs).sum() / divisor)

    def __repr__(self):
        return f"CrossEntropyLoss(label_smoothing={self.label_smoothing:g})"


class MSELoss(Loss):
    """The mean over all elements of (y - target)^2."""

    def __call__(self, y, target):
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
        y, target = checks.float_array("y", y), checks.float_array("target", target)
        if y.shape != target.shape:
            raise ValueError(f"target: wanted the shape of y {y.shape}, got {target.shape}")
        if y.size == 0:
            raise ValueError(f"y: wanted at least one element, got shape {y.shape}")
        gradient = workspace.empty(y.shape)
        loss = squared_error.squared_error(
            y.reshape(-1),
            target.reshape(-1),
            gradient.reshape(-1),
            workspace.empty((-(-y.size // CHUNK),), np.float64),
            threads.get_num_threads(),
        )
        self._gradient = gradient if grad_enabled() else None
        return loss
