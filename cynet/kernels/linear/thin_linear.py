"""A linear layer with few outputs, for one number of rows: the three products in their own layouts."""

import numpy as np

from cynet.core import workspace
from cynet.kernels.conv.products import Products

from . import thin_linear_loops

SLOW = 16  # how much longer a multiply-add takes here than in a convolution, about


class ThinLinear(Products):
    """The products of a linear layer of at most 32 outputs.

    Parameters
    ----------
    rows, features, outputs : int
    pixels : int
        Rows of x are images of so many pixels, channels last, while the weights count channel by channel: a
        `Flatten` stood before the layer. 1: the orders are the same.
    """

    def __init__(self, rows, features, outputs, pixels=1):
        shapes = (rows, features), (rows, outputs), (outputs, features)
        super().__init__(*shapes, SLOW * rows * features * outputs)
        self.pixels = pixels
        self._packed = (thin_linear_loops.packed_floats(features, outputs),)
        self._scratch = (thin_linear_loops.scratch_floats(features, outputs, pixels),)
        self._no_bias = np.zeros(outputs, np.float32)

    @staticmethod
    def suits(features, outputs):
        """Whether this class can do it, and is the faster."""
        return features % thin_linear_loops.LANES == 0 and outputs <= thin_linear_loops.MOST_OUTPUTS

    def _forward(self, x, w, bias, y, threads):
        bias = self._no_bias if bias is None else bias
        thin_linear_loops.forward(x, w, bias, y, workspace.empty(self._packed), self.pixels, threads)

    def _input_gradient(self, dy, w, dx, threads, added):
        thin_linear_loops.input_gradient(dy, w, dx, workspace.empty(self._scratch), self.pixels, threads)

    def _weight_gradient(self, x, dy, dw, threads):
        thin_linear_loops.weight_gradient(x, dy, dw, workspace.empty(self._scratch), self.pixels, threads)
