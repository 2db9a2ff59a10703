"""Convolution where every channel has its own filter (groups = in = out channels)."""

import numpy as np

from cynet.core import workspace

from . import depthwise_loops
from .algorithm import PARTIALS, Algorithm, registered

SLOW = 4  # how much longer a multiply-add takes here than in a register block, about
ROWS = 4  # of windows that make a partial weight gradient, at least


@registered(rank=10)
class DepthwiseConvolution(Algorithm):
    """Loops over pixels and taps; vector lanes are channels."""

    fuses = frozenset({"relu"})

    example = (2, 7, 9, 6), 6, (3, 2), (2, 1), (1, 0, 2, 1), 6

    def __init__(self, problem):
        super().__init__(problem)
        self.work = SLOW * problem.macs
        self.window = problem.kernel, problem.stride, problem.before
        rows = problem.out_shape[0] * problem.out_shape[1]
        self.chunks = min(-(-rows // ROWS), PARTIALS)

    @staticmethod
    def suits(problem):
        each = problem.groups == problem.in_shape[3] == problem.out_shape[3] > 1
        return each and problem.dilation == (1, 1)

    def pack(self, w):
        """(C, 1, height, width) filters as (taps, C)."""
        return np.ascontiguousarray(w.reshape(len(w), -1).T)

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        depthwise_loops.forward(x, packed, bias, y, *self.window, relu, threads)

    def _input_gradient(self, dy, w, dx, threads, added):
        depthwise_loops.input_gradient(dy, self.pack(w), self._no_bias, dx, *self.window, threads)

    def _weight_gradient(self, x, dy, dw, threads):
        if self.chunks:
            partial = workspace.empty(depthwise_loops.partial_shape(self.chunks, self.window[0], x.shape[3]))
            depthwise_loops.weight_gradient(x, dy, partial, *self.window, threads)
            dw += partial.sum(axis=0).T.reshape(dw.shape)
