"""The loss of squared errors."""

import numpy as np

from cynet.core import threads, workspace
from cynet.core.types import Array
from cynet.kernels.loss import squared_error

from .elementwise_losses import ElementwiseLoss, checked_pair, shown_reduction
from .losses import checked_reduction


class MSELoss(ElementwiseLoss):
    """The mean over all elements of (y - target)^2.

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
        mean = checked_reduction(self.reduction) == "mean"  # it may have been set
        gradient = workspace.empty(y.shape)
        loss = squared_error.squared_error(
            y.reshape(-1),
            target.reshape(-1),
            gradient.reshape(-1),
            workspace.empty((squared_error.sum_count(y.size),), np.float64),
            y.size if mean else 1.0,
            threads.get_num_threads(),
        )
        self._keep(gradient)
        return loss

    def __repr__(self) -> str:
        return f"MSELoss({shown_reduction(self.reduction)})"
