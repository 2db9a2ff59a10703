"""The five kinds of layers; base.py says what they share."""

from collections.abc import Iterable
from math import isqrt
from typing import Any

import numpy as np

from cynet.core import checks, random, workspace
from cynet.core.threads import get_num_threads
from cynet.core.types import AnyArray, Array, Shape
from cynet.kernels.common import geometry
from cynet.kernels.conv.problem import Problem
from cynet.kernels.loss import softmax
from cynet.kernels.norm import normalization, single_steps
from cynet.kernels.pointwise import activation
from cynet.kernels.pool import max_pool
from cynet.nn import init

from . import planes
from .base import MOST, CourseLayer, Matrix, WeightedLayer, WindowLayer, bounded, whole

LINEAR, LOGISTIC, RELU, LRELU, SOFTMAX = range(5)
KINDS = ("LINEAR", "LOGISTIC", "RELU", "LRELU", "SOFTMAX")
LEAK = 0.01  # slope of the leaky ReLU
EPS = 1e-5  # what batch norm adds to the variance
NEW = 0.1  # weight of a batch's statistics in the rolling ones
POOL_SIZE = isqrt(max_pool.MOST_CELLS)  # the side of the largest pooling window


class ConnectedLayer(WeightedLayer):
    """y = x w + b, with w (inputs, outputs) and b (1, outputs).

    The kernels' filters are (out, in). The transpose of a 1x1 convolution from `outputs` to `inputs` channels
    is x w for w as the course keeps it, so nothing is turned round.

    Parameters
    ----------
    inputs, outputs : int
        Columns.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        self.inputs, self.outputs = inputs, outputs
        self._settle()
        self._start(random.uniform((self.inputs, self.outputs), (2 / self.inputs) ** 0.5), self.outputs)

    def _settle(self) -> None:
        self.inputs = checks.integer("inputs", self.inputs, 1)
        self.outputs = checks.integer("outputs", self.outputs, 1)
        bounded("inputs * outputs", self.inputs * self.outputs)

    def _matrices(self) -> list[Array]:
        shape = self.inputs, self.outputs
        return whole(self, "by inputs and outputs", w=shape, b=(1, self.outputs))

    def _forward(self, x: Array) -> Array:
        (w, b), rows = self._matrices(), len(x)
        algorithm = self._chosen(Problem.of_rows(rows, self.outputs, self.inputs))
        filters = w[:, :, None, None]
        y = algorithm.input_gradient(x[None, :, None], filters)[0, :, 0]
        y += b
        return self._keep(y, x, algorithm, filters)

    def _add_gradients(self, dy: Array, x: Array, algorithm: Any, filters: Array) -> Array:
        dw, db = self._gradients(filters.shape[:2], dy.shape[1])
        gradient = dy[None, :, None]
        algorithm.weight_gradient(gradient, x[None, :, None], dw[:, :, None, None])
        normalization.add_channel_sums(dy, db[0])
        return gradient

    def _input_gradient(self, gradient: Array, _: Array, algorithm: Any, filters: Array) -> Array:
        return algorithm.forward(gradient, filters)[0, :, 0]

    def __repr__(self) -> str:
        return f"connected layer {self.inputs} -> {self.outputs}"


class ConvolutionalLayer(WindowLayer, WeightedLayer):
    """w (filters, c * size * size), its columns in channel, row, column order, and b (1, filters).

    Parameters
    ----------
    w, h, c, filters, size, stride : int
        As for `make_convolutional_layer`.
    """

    kind = "convolutional"

    def __init__(self, w: int, h: int, c: int, filters: int, size: int, stride: int) -> None:
        self._set(w, h, c, size, stride)
        self.filters = filters
        self._settle()
        self._start(init.weights((self.filters, self.channels * self.size**2)), self.filters)

    def _settle(self) -> None:
        super()._settle()
        self.filters = checks.integer("filters", self.filters, 1)
        self.outputs = bounded("columns of the output", self.filters * self.out_hw[0] * self.out_hw[1])
        bounded("filters * c * size * size", self.filters * self.channels * self.size**2)

    def _matrices(self) -> list[Array]:
        shape = self.filters, self.channels * self.size**2
        return whole(self, "by filters, channels and size", w=shape, b=(1, self.filters))

    def _forward(self, x: Array) -> Array:
        (w, b), images = self._matrices(), self._images(x)
        window = (self.size,) * 2, (self.stride,) * 2, geometry.SAME
        algorithm = self._chosen(Problem.of(images.shape, self.filters, *window))
        filters = w.reshape(algorithm.weight_shape)
        y = planes.to_planes(algorithm.forward(images, filters, b[0]), len(x))
        return self._keep(y, images, algorithm, filters)

    def _add_gradients(self, dy: Array, images: Array, algorithm: Any, filters: Array) -> Array:
        count = len(filters)
        dw, db = self._gradients((count, filters.size // count), count)
        gradient = planes.to_channels(dy, count).reshape(algorithm.out_shape)
        algorithm.weight_gradient(images, gradient, dw.reshape(filters.shape))
        normalization.add_channel_sums(gradient.reshape(-1, count), db[0])
        return gradient

    def _input_gradient(self, gradient: Array, _: Array, algorithm: Any, filters: Array) -> Array:
        return planes.to_planes(algorithm.input_gradient(gradient, filters), len(gradient))


class MaxpoolLayer(WindowLayer):
    """The greatest value of each window; cells outside the image are ignored, of equals the first wins.

    Parameters
    ----------
    w, h, c, size, stride : int
        As for `make_maxpool_layer`.
    """

    kind = "max-pool"

    def __init__(self, w: int, h: int, c: int, size: int, stride: int) -> None:
        self._set(w, h, c, size, stride)
        self._settle()

    def _settle(self) -> None:
        checks.integer("size", self.size, 1, POOL_SIZE)
        super()._settle()
        self.outputs = self.channels * self.out_hw[0] * self.out_hw[1]

    def _forward(self, x: Array) -> Array:
        images, shape = self._images(x), (len(x), *self.out_hw, self.channels)
        windows = self.size, self.size, self.stride, self.stride, *self.before
        y, winner = workspace.empty(shape), workspace.empty(shape, np.uint8)
        max_pool.max_pool(images, y, winner, *windows, get_num_threads())
        return self._keep(planes.to_planes(y, len(x)), winner, images.shape, windows)

    def _backward(self, dy: Array, winner: AnyArray, shape: Shape, windows: tuple[int, ...]) -> Array:
        dx = workspace.empty(shape)
        gradient = planes.to_channels(dy, shape[3]).reshape(winner.shape)
        max_pool.max_pool_backward(gradient, winner, dx, *windows, get_num_threads())
        return planes.to_planes(dx, len(dy))


class ActivationLayer(CourseLayer):
    """One of LINEAR, LOGISTIC, RELU, LRELU (slope .01) and SOFTMAX (along each row).

    Soft-max's backward pass hands dy on: `train_image_classifier` starts with the gradient of soft-max and
    cross-entropy together, which is output - y.

    Parameters
    ----------
    kind : int
        One of these.
    """

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self._settle()

    def _settle(self) -> None:
        super()._settle()
        self.kind = checks.integer("kind", self.kind, LINEAR, SOFTMAX)

    def _forward(self, x: Array) -> Array:
        y, flat, threads = workspace.empty(x.shape), x.reshape(-1), get_num_threads()
        if self.kind == LINEAR:
            y[:] = x
        elif self.kind == LOGISTIC:
            activation.sigmoid(flat, y.reshape(-1), threads)
        elif self.kind == RELU:
            activation.relu(flat, y.reshape(-1), threads)
        elif self.kind == LRELU:
            activation.leaky_relu(flat, y.reshape(-1), LEAK, threads)
        else:
            softmax.softmax(x, y, threads)
        # The logistic's slope comes from its output (its own copy: y goes to the caller), the others' from x.
        return self._keep(y, self.kind, y.copy() if self.kind == LOGISTIC else x)

    def _backward(self, dy: Array, kind: int, kept: Array) -> Array:
        dx, threads = workspace.empty(dy.shape), get_num_threads()
        arrays = kept.reshape(-1), dy.reshape(-1), dx.reshape(-1)
        if kind == LOGISTIC:
            activation.sigmoid_backward(*arrays, threads)
        elif kind == RELU:
            activation.relu_backward(*arrays, threads)
        elif kind == LRELU:
            activation.leaky_relu_backward(*arrays, LEAK, threads)
        else:
            dx[:] = dy
        return dx

    def __repr__(self) -> str:
        known = isinstance(self.kind, int) and 0 <= self.kind < len(KINDS)  # another may have been set
        return f"{KINDS[self.kind] if known else repr(self.kind)} layer"


class BatchnormLayer(CourseLayer):
    """y = (x - mean) / sqrt(variance + 1e-5), a mean and a biased variance for each group of columns.

    A batch of one row is normalised with the rolling statistics, which then are constants for its backward
    pass too.

    Parameters
    ----------
    groups : int

    Attributes
    ----------
    x : ndarray of float32 (rows, columns)
        The last input.
    rolling_mean, rolling_variance : ndarray of float32 (1, groups)
        .9 of the old and .1 of the new value after each batch, from zeros.
    """

    x, rolling_mean, rolling_variance = Matrix(), Matrix(), Matrix()

    def __init__(self, groups: int) -> None:
        self.groups = groups
        self._settle()
        self.rolling_mean = self.rolling_variance = np.zeros((1, self.groups))

    def _settle(self) -> None:
        super()._settle()
        self.groups = checks.integer("groups", self.groups, 1, MOST)

    def _forward(self, x: Array) -> Array:
        if len(x) == 0:
            raise ValueError(f"{self!r}: x: wanted at least 1 row, got shape {x.shape}")
        pixels = self._pixels(x)
        return self._normalized(x, pixels, *self._statistics([pixels], len(x)))

    def forward_parts(self, parts: list[Array]) -> None:
        self._settle()
        statistics = self._statistics(map(self._pixels, parts), sum(map(len, parts)))
        for i, part in enumerate(parts):
            parts[i] = self._normalized(part, self._pixels(part), *statistics)

    def _pixels(self, x: Array) -> Array:
        return planes.grouped(f"{self!r}: x", x, self.groups)

    def _statistics(self, parts: Iterable[Array], rows: int) -> tuple[Any, Any, bool]:
        """(mean, variance, whether they are the batch's) of the pixels of all parts together."""
        shape = 1, self.groups
        rolling = whole(self, "1 x groups", rows > 1, rolling_mean=shape, rolling_variance=shape)
        if rows == 1:
            known, spread = (np.float64(old[0]) for old in rolling)
            return known, spread, False
        found = [(len(pixels), *single_steps.statistics(pixels)) for pixels in parts]
        count = sum(n for n, _, _ in found)
        mean = sum(n / count * m for n, m, _ in found)
        variance = sum(n / count * (v + (m - mean) ** 2) for n, m, v in found)
        for old, new in zip(rolling, (mean, variance), strict=True):
            old[:] = (1 - NEW) * old + NEW * new
        return mean, variance, True

    def _normalized(
        self, x: Array, pixels: Array, mean: AnyArray, variance: AnyArray, of_batch: bool
    ) -> Array:
        vars(self)["x"] = shown = x[:]
        shown.flags.writeable = False  # backward needs these values
        inverse = 1 / np.sqrt(variance + EPS)
        y = planes.to_planes(single_steps.normalize(pixels, mean, inverse, 0.0), len(x))
        return self._keep(y, pixels, mean, inverse, of_batch)

    def _backward(self, dy: Array, pixels: Array, mean: AnyArray, inverse: AnyArray, of_batch: bool) -> Array:
        gradient = planes.grouped(f"{self!r}: dy", dy, len(mean))
        of_x = constant = 0.0
        if of_batch:
            total, product = single_steps.gradient_sums(pixels, gradient, mean)
            of_x, constant = -(inverse**3) * product / len(pixels), -inverse * total / len(pixels)
        dx = single_steps.input_gradient(pixels, gradient, mean, inverse, of_x, constant)
        return planes.to_planes(dx, len(dy))

    def __repr__(self) -> str:
        return f"batch-norm layer of {self.groups} groups"
