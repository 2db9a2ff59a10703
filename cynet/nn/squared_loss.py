"""The loss of squared errors."""

import numpy as np

from cynet.core import threads, workspace
from cynet.core.types import Array
from cynet.kernels.loss import squared_error

from .elementwise_losses import checked_pair
from .losses import Loss


class MSELoss(Loss):
    """The mean over all elements of (y - target)^2."""

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
        gradient = workspace.empty(y.shape)
        loss = squared_error.squared_error(
            y.reshape(-1),
            target.reshape(-1),
            gradient.reshape(-1),
            workspace.empty((squared_error.sum_count(y.size),), np.float64),
            threads.get_num_threads(),
        )
        self._keep(gradient)
        return loss
