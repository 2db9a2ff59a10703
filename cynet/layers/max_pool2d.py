"""Max-pooling."""

import numpy as np

from cynet.core import threads, workspace
from cynet.kernels import max_pool

from .pool2d import Pool2d


class MaxPool2d(Pool2d):
    """The greatest value of each window.

    Padding counts as -Inf, NaN as greater than all; of equal values the first, row by row, gets the gradient.
    The arguments are those of `Pool2d`; the kernel holds at most 255 cells.
    """

    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__(kernel_size, stride, padding)
        height, width = self.kernel_size
        if height * width > 255:
            raise ValueError(f"kernel_size: wanted at most 255 cells, got {height} x {width}")

    def forward(self, x):
        (top, left, _, _), (height, width) = self.grid(x.shape)
        shape = x.shape[0], height, width, x.shape[3]
        y, winner = workspace.empty(shape), workspace.empty(shape, np.uint8)
        max_pool.max_pool(x, y, winner, *self.kernel_size, *self.stride, top, left, threads.get_num_threads())
        self.save(x.shape, winner, (top, left))
        return y

    def backward(self, dy):
        shape, winner, start = self.saved()
        dy = self.gradient(dy, winner.shape)
        dx = workspace.empty(shape)
        max_pool.max_pool_backward(
            dy, winner, dx, *self.kernel_size, *self.stride, *start, threads.get_num_threads()
        )
        return dx
