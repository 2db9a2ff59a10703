"""BatchNorm2d and BatchNorm1d: batch normalisation of channels.

Ioffe and Szegedy (2015), "Batch normalization: accelerating deep network training".
"""

import numpy as np

from cynet.core import checks, normalization, workspace
from cynet.core.layer import Layer
from cynet.core.parameter import Parameter
from cynet.kernels import batchnorm_step

NOTHING, NO_ROWS = (
    np.empty(0, np.float32),
    np.empty((0, 1), np.float32),
)  # where a kernel's array is not there


class _BatchNorm(Layer):
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    dimensions = ()
    wanted = ""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        self.num_features = checks.integer("num_features", num_features, 1)
        self.eps = checks.number("eps", eps, 0, open_low=True)
        self.momentum = checks.number("momentum", momentum, 0, 1)
        affine = checks.flag("affine", affine)
        self.weight = Parameter(np.ones(num_features)) if affine else None
        self.bias = Parameter(np.zeros(num_features)) if affine else None
        self.running_mean = np.zeros(num_features, np.float32)
        self.running_var = np.ones(num_features, np.float32)
        self.num_batches_tracked = np.zeros((), np.int64)

    def output_shape(self, shape):
        if len(shape) not in self.dimensions or shape[-1] != self.num_features:
            raise ValueError(f"wanted {self.wanted.format(self.num_features)}, got {shape}")
        return shape

    def forward(self, x):
        return self.step(x)

    def step(self, x, relu=False, residual=None):
        """`forward`, and in the same pass the sum with `residual` (of x's shape) and a ReLU after it."""
        self.output_shape(x.shape)  # refuses what __call__ may not have seen
        for name in ("weight", "bias") if self.weight is not None else ():
            getattr(self, name).require((self.num_features,), name)
        channels = self.num_features
        rows = x.reshape(-1, channels)
        if self.training and len(rows) < 2:
            raise ValueError(
                f"{self!r}: wanted more than 1 value per channel in training mode, got input {x.shape}"
            )
        y = workspace.empty(x.shape)
        state, terms = np.empty((2, channels)), np.empty((4, channels), np.float32)
        weight, bias = (NOTHING, NOTHING) if self.weight is None else (self.weight.data, self.bias.data)
        added = NO_ROWS if residual is None else residual.reshape(-1, channels)
        if len(rows):
            batchnorm_step.forward(
                rows, weight, bias, self.running_mean, self.running_var, self.eps, self.momentum,
                self.training, relu, added, y.reshape(-1, channels), state, terms,
                *normalization.chunks(len(rows), channels),
            )  # fmt: skip
        if self.training:
            self.num_batches_tracked += 1
        self.save(x, state, terms, self.training, relu, NO_ROWS if residual is None else y)
        return y

    def backward(self, dy):
        return self.gradients(dy, self.input_grad)[0]

    def gradients(self, dy, of_input=True):
        """(dx, or None unless `of_input`; the gradient of the residual, where there was one and a ReLU)."""
        x, state, terms, training, relu, y = self.saved()
        dy, channels = self.gradient(dy, x.shape), self.num_features
        rows = x.reshape(-1, channels)
        dx = workspace.empty(x.shape) if of_input else NO_ROWS
        dz = workspace.empty(x.shape) if y is not NO_ROWS else NO_ROWS
        learned = [NOTHING] * 3
        if self.weight is not None:
            learned = self.weight.data, self.weight.grad, self.bias.grad
        if len(rows):
            batchnorm_step.backward(
                rows, dy.reshape(-1, channels), *learned, training, relu, y.reshape(-1, channels),
                dz.reshape(-1, channels), dx.reshape(-1, channels), state, terms,
                np.empty((5, channels), np.float32), *normalization.chunks(len(rows), channels),
            )  # fmt: skip
        return dx if of_input else None, dz

    def __repr__(self):
        return (
            f"{type(self).__name__}({self.num_features}, eps={self.eps:g}, momentum={self.momentum:g}, "
            f"affine={self.weight is not None})"
        )


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of the channels of images.

    y = (x - mean) / sqrt(variance + eps) * weight + bias, with the batch's mean and biased variance in
    training mode and the running ones in evaluation mode.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
    momentum : float
        The weight of the new value in running = (1 - momentum) running + momentum new.
    affine : bool
        Whether there are a trainable scale (`weight`) and shift (`bias`).

    Attributes
    ----------
    weight, bias : Parameter (num_features,) or None
    running_mean, running_var : ndarray of float32 (num_features,)
        The running variance is that of the unbiased estimate, n / (n - 1) times the batch's.

    Notes
    -----
    x and y are float32 (N, H, W, num_features). A training batch of one value a channel raises ValueError.
    """

    dimensions = (4,)
    wanted = "(N, H, W, {})"


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of the columns of rows: x is float32 (N, num_features), or (N, L, num_features).

    Parameters, attributes and rules are those of `BatchNorm2d`.
    """

    dimensions = (2, 3)
    wanted = "(N, {0}) or (N, L, {0})"
