"""A linear layer with few outputs, for one number of rows: the three products in their own layouts."""

import numpy as np

from cynet.core import checks, workspace
from cynet.core.threads import team

from . import thin_linear_loops

SLOW = 16  # how much longer a multiply-add takes here than in a convolution, about


class ThinLinear:
    """The products of a linear layer of at most 32 outputs.

    Parameters
    ----------
    rows, features, outputs : int
    pixels : int
        Rows of x are images of so many pixels, channels last, while the weights count channel by channel: a
        `Flatten` stood before the layer. 1: the orders are the same.
    """

    def __init__(self, rows, features, outputs, pixels=1):
        self.rows, self.features, self.outputs, self.pixels = rows, features, outputs, pixels
        self.in_shape, self.out_shape = (rows, features), (rows, outputs)
        self.weight_shape = outputs, features
        self._packed = features * -(-outputs // 8) * 8
        self._own = outputs * features if pixels > 1 else 1
        self._no_bias = np.zeros(outputs, np.float32)

    @staticmethod
    def suits(features, outputs):
        """Whether this class can do it, and is the faster."""
        return features % 8 == 0 and outputs <= thin_linear_loops.MOST_OUTPUTS

    @property
    def threads(self):
        """Asked for at each pass: between forward and backward the number may change, or a fork may lie."""
        return team(SLOW * self.rows * self.features * self.outputs)

    def forward(self, x, w, bias=None):
        """y (rows, outputs) of x (rows, features) and w (outputs, features)."""
        checks.shapes("x weight.data", (x.shape, w.shape), (self.in_shape, self.weight_shape))
        y, packed = workspace.empty((self.rows, self.outputs)), workspace.empty((self._packed,))
        bias = self._no_bias if bias is None else bias
        thin_linear_loops.forward(x, w, bias, y, packed, self.pixels, self.threads)
        return y

    def weight_gradient(self, x, dy, dw):
        """Add the gradient to dw (outputs, features)."""
        checks.shapes(
            "x dy weight.grad", (x.shape, dy.shape, dw.shape),
            (self.in_shape, self.out_shape, self.weight_shape),
        )  # fmt: skip
        thin_linear_loops.weight_gradient(x, dy, dw, workspace.empty((self._own,)), self.pixels, self.threads)

    def input_gradient(self, dy, w):
        """dx (rows, features) of dy (rows, outputs)."""
        checks.shapes("dy weight.data", (dy.shape, w.shape), (self.out_shape, self.weight_shape))
        dx = workspace.empty((self.rows, self.features))
        thin_linear_loops.input_gradient(dy, w, dx, workspace.empty((self._own,)), self.pixels, self.threads)
        return dx
