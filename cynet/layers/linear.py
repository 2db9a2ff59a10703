"""Linear: a fully connected layer."""

import numpy as np

from cynet.core import checks, init
from cynet.core.convolution import Convolution
from cynet.core.layer import Layer
from cynet.core.normalization import add_channel_sums
from cynet.core.parameter import Parameter


class Linear(Layer):
    """y = x W^T + b, computed as a 1x1 convolution over images of one pixel.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool

    Attributes
    ----------
    weight : Parameter (out_features, in_features)
    bias : Parameter (out_features,) or None

    Notes
    -----
    x is float32 (N, in_features), y (N, out_features).
    """

    def __init__(self, in_features, out_features, bias=True):
        self.in_features = checks.integer("in_features", in_features, 1)
        self.out_features = checks.integer("out_features", out_features, 1)
        self.weight = Parameter(init.weights((out_features, in_features)))
        self.bias = Parameter(np.zeros(out_features)) if checks.flag("bias", bias) else None

    def output_shape(self, shape):
        if len(shape) != 2 or shape[1] != self.in_features:
            raise ValueError(f"wanted (N, {self.in_features}), got {shape}")
        return shape[0], self.out_features

    def macs(self, shape):
        return shape[0] * self.weight.size

    def _convolution(self, rows):
        """The plan for a batch of `rows`: one image of that height, one pixel wide."""
        if self._plan is None or self._plan.in_shape[1] != rows:
            self._plan = Convolution((1, rows, 1, self.in_features), (rows, 1), self.out_features, (1, 1))
        return self._plan

    def forward(self, x):
        self.save(x)
        self.output_shape(x.shape)  # refuses what __call__ may not have seen
        self.weight.require((self.out_features, self.in_features), "weight")
        if self.bias is not None:
            self.bias.require((self.out_features,), "bias")
        w = self.weight.data[:, :, None, None]
        plan = self._convolution(len(x))
        return plan.forward(x[None, :, None], w, self.bias and self.bias.data)[0, :, 0]

    def backward(self, dy):
        (x,) = self.saved()
        dy = self.gradient(dy, (len(x), self.out_features))
        plan = self._convolution(len(x))
        plan.weight_gradient(x[None, :, None], dy[None, :, None], self.weight.grad[:, :, None, None])
        if self.bias is not None:
            add_channel_sums(dy, self.bias.grad)
        if not self.input_grad:
            return None
        return plan.input_gradient(dy[None, :, None], self.weight.data[:, :, None, None])[0, :, 0]

    def __repr__(self):
        return f"Linear({self.in_features}, {self.out_features}, bias={self.bias is not None})"
