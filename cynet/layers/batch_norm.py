"""BatchNorm2d and BatchNorm1d: batch normalisation of channels.

Ioffe and Szegedy (2015), "Batch normalization: accelerating deep network training".
"""

import numpy as np

from cynet.core import checks, normalization
from cynet.core.layer import Layer
from cynet.core.parameter import Parameter


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
        self.output_shape(x.shape)  # refuses what __call__ may not have seen
        for name in ("weight", "bias") if self.weight is not None else ():
            getattr(self, name).require((self.num_features,), name)
        rows = x.reshape(-1, self.num_features)
        if self.training:
            if len(rows) < 2:
                raise ValueError(
                    f"{self!r}: wanted more than 1 value per channel in training mode, got input {x.shape}"
                )
            mean, variance = normalization.statistics(rows)
            self._track(mean, variance, len(rows))
        else:
            mean, variance = self.running_mean.astype(np.float64), self.running_var.astype(np.float64)
        inverse = 1 / np.sqrt(variance + self.eps)
        self.save(x, mean, inverse, self.training)
        scale, shift = (inverse, 0.0) if self.weight is None else (inverse * self.weight.data, self.bias.data)
        return normalization.normalize(rows, mean, scale, shift).reshape(x.shape)

    def _track(self, mean, variance, count):
        """Move the running statistics towards this batch's; the running variance is the unbiased one."""
        unbiased = variance * (count / (count - 1))
        with np.errstate(over="ignore", invalid="ignore"):  # of channels with NaN, Inf or beyond float32
            for running, new in ((self.running_mean, mean), (self.running_var, unbiased)):
                running += self.momentum * (new - running)
        self.num_batches_tracked += 1

    def backward(self, dy):
        x, mean, inverse, of_batch = self.saved()
        dy = self.gradient(dy, x.shape)
        rows, drows = x.reshape(-1, self.num_features), dy.reshape(-1, self.num_features)
        of_dy = inverse if self.weight is None else inverse * self.weight.data
        of_x = constant = 0.0
        if of_batch or self.weight is not None:
            total, product = normalization.gradient_sums(rows, drows, mean)
            if self.weight is not None:
                self.weight.grad += (product * inverse).astype(np.float32)
                self.bias.grad += total.astype(np.float32)
            if of_batch:
                of_x = -of_dy * product * inverse**2 / len(rows)
                constant = -of_dy * total / len(rows)
        if not self.input_grad:
            return None
        return normalization.input_gradient(rows, drows, mean, of_dy, of_x, constant).reshape(x.shape)

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
