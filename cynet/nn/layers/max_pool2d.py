"""Max-pooling."""

from typing import Any

import numpy as np

from cynet.core import threads, workspace
from cynet.core.types import Array, Shape
from cynet.kernels.pool import max_pool
from cynet.nn import registry

from .pool2d import Pool2d


@registry.layer(
    examples={
        "MaxPool2d(3, 2, padding=1)": (2, 9, 9, 4),
        "MaxPool2d(3, 2, 'same')": (3, 9, 7, 11),
        "MaxPool2d((2, 3), padding=(0, 1))": (2, 9, 7, 4),
    }
)
class MaxPool2d(Pool2d):
    """The greatest value of each window.

    Padding counts as -Inf, NaN as greater than all; of equal values the first, row by row, gets the gradient.

    Parameters
    ----------
    kernel_size : int or (height, width)
        At most 255 cells.
    stride : int or (vertical, horizontal), optional
    padding : int, (vertical, horizontal), (top, left, bottom, right) or "same", optional
        As for `Pool2d`.
    """

    def window(self) -> Any:
        (height, width), *others = super().window()
        if height * width > max_pool.MOST_CELLS:
            most = max_pool.MOST_CELLS
            raise ValueError(f"kernel_size: wanted at most {most} cells, got {height} x {width}")
        return (height, width), *others

    def forward(self, x: Array) -> Array:
        y, winner, window = self.places(x.shape)
        max_pool.max_pool(x, y, winner, *window, threads.get_num_threads())
        self.save(x.shape, winner, window)
        return y

    def places(self, shape: Shape) -> Any:
        """(y, winner, window): the arrays to fill for an input of `shape`, and the numbers kernels take."""
        shape, window = self.grid(shape)
        return workspace.empty(shape), workspace.empty(shape, np.uint8), window

    def backward(self, dy: Array) -> Array:
        shape, winner, window = self.saved()
        return self.gradient_of(self.gradient(dy, winner.shape), shape, winner, window)

    @staticmethod
    def gradient_of(dy: Array, shape: Shape, winner: Any, window: Any) -> Array:
        """The gradient to an input of `shape`, for a pass that wrote `winner` with this window."""
        dx = workspace.empty(shape)
        max_pool.max_pool_backward(dy, winner, dx, *window, threads.get_num_threads())
        return dx
