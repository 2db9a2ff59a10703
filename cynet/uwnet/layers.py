"""The five kinds of layers; base.py says what they share."""

from math import isqrt

import numpy as np

from cynet.core import checks, random, workspace
from cynet.core.threads import get_num_threads
from cynet.kernels.common import geometry
from cynet.kernels.conv import convolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.loss import softmax
from cynet.kernels.norm import normalization
from cynet.kernels.pointwise import activation
from cynet.kernels.pool import max_pool
from cynet.nn import init

from . import planes
from .base import Layer, Matrix, WeightedLayer

LINEAR, LOGISTIC, RELU, LRELU, SOFTMAX = range(5)
KINDS = ("LINEAR", "LOGISTIC", "RELU", "LRELU", "SOFTMAX")
LEAK = 0.01  # slope of the leaky ReLU
EPS = 1e-5  # what batch norm adds to the variance
NEW = 0.1  # weight of a batch's statistics in the rolling ones
MOST = 2**28  # weights of a layer, columns of a matrix: 1 GiB of floats
POOL_SIZE = isqrt(max_pool.MOST_CELLS)  # the side of the largest pooling window


def _bounded(name, count):
    if count > MOST:
        raise ValueError(f"{name}: wanted at most {MOST}, got {count}")
    return count


class ConnectedLayer(WeightedLayer):
    """y = x w + b, with w (inputs, outputs) and b (1, outputs).

    The kernels' filters are (out, in). The transpose of a 1x1 convolution from `outputs` to `inputs` channels
    is x w for w as the course keeps it, so nothing is turned round.
    """

    def __init__(self, inputs, outputs):
        self.inputs = checks.integer("inputs", inputs, 1)
        self.outputs = checks.integer("outputs", outputs, 1)
        _bounded("inputs * outputs", inputs * outputs)
        self._start(random.uniform((inputs, outputs), (2 / inputs) ** 0.5), outputs)
        self._algorithm = None

    def _forward(self, x):
        rows = len(x)
        if self._algorithm is None or self._algorithm.in_shape[1] != rows:
            self._algorithm = convolution.choose(Problem.of_rows(rows, self.outputs, self.inputs))
        y = self._algorithm.input_gradient(x[None, :, None], self.w[:, :, None, None])[0, :, 0]
        y += self.b
        return self._keep(y, x)

    def _add_gradients(self, dy, x):
        gradient = dy[None, :, None]
        self._algorithm.weight_gradient(gradient, x[None, :, None], self.dw[:, :, None, None])
        normalization.add_channel_sums(dy, self.db[0])
        return gradient

    def _input_gradient(self, gradient):
        return self._algorithm.forward(gradient, self.w[:, :, None, None])[0, :, 0]

    def __repr__(self):
        return f"connected layer {self.inputs} -> {self.outputs}"


class WindowLayer(Layer):
    """What convolution and max-pooling share: window i starts at i * stride - (size - 1) // 2."""

    def _windows(self, w, h, c, size, stride):
        self.width, self.height = checks.integer("w", w, 1), checks.integer("h", h, 1)
        self.channels = checks.integer("c", c, 1)
        self.size, self.stride = checks.integer("size", size, 1), checks.integer("stride", stride, 1)
        self.inputs = _bounded("w * h * c", self.width * self.height * self.channels)
        (top, left, _, _), self.out_hw = geometry.window_grid(
            (self.height, self.width), (self.size,) * 2, (self.stride,) * 2, geometry.SAME
        )
        self.before = top, left

    def _images(self, x):
        """Planar rows as (N, H, W, C)."""
        shape = len(x), self.height, self.width, self.channels
        return planes.to_channels(x, self.channels).reshape(shape)

    def __repr__(self):
        return (
            f"{self.kind} layer {self.width} x {self.height} x {self.channels} (w x h x c), "
            f"size {self.size}, stride {self.stride}"
        )


class ConvolutionalLayer(WindowLayer, WeightedLayer):
    """w (filters, c * size * size), its columns in channel, row, column order, and b (1, filters)."""

    kind = "convolutional"

    def __init__(self, w, h, c, filters, size, stride):
        self._windows(w, h, c, size, stride)
        self.filters = checks.integer("filters", filters, 1)
        self.outputs = _bounded("columns of the output", self.filters * self.out_hw[0] * self.out_hw[1])
        _bounded("filters * c * size * size", self.filters * self.channels * self.size**2)
        self._start(init.weights((self.filters, self.channels * self.size**2)), self.filters)
        self._algorithm = None

    def _filters(self, matrix):
        return matrix.reshape(self.filters, self.channels, self.size, self.size)

    def _forward(self, x):
        images = self._images(x)
        if self._algorithm is None or self._algorithm.in_shape[0] != len(x):
            window = (self.size,) * 2, (self.stride,) * 2, geometry.SAME
            self._algorithm = convolution.choose(Problem.of(images.shape, self.filters, *window))
        y = self._algorithm.forward(images, self._filters(self.w), self.b[0])
        return self._keep(planes.to_planes(y, len(x)), images)

    def _add_gradients(self, dy, images):
        gradient = planes.to_channels(dy, self.filters).reshape(len(dy), *self.out_hw, self.filters)
        self._algorithm.weight_gradient(images, gradient, self._filters(self.dw))
        normalization.add_channel_sums(gradient.reshape(-1, self.filters), self.db[0])
        return gradient

    def _input_gradient(self, gradient):
        dx = self._algorithm.input_gradient(gradient, self._filters(self.w))
        return planes.to_planes(dx, len(gradient))


class MaxpoolLayer(WindowLayer):
    """The greatest value of each window; cells outside the image are ignored, of equals the first wins."""

    kind = "max-pool"

    def __init__(self, w, h, c, size, stride):
        self._windows(w, h, c, size, stride)
        checks.integer("size", size, 1, POOL_SIZE)
        self.outputs = self.channels * self.out_hw[0] * self.out_hw[1]

    @property
    def _geometry(self):
        return self.size, self.size, self.stride, self.stride, *self.before, get_num_threads()

    def _forward(self, x):
        shape = len(x), *self.out_hw, self.channels
        y, winner = workspace.empty(shape), workspace.empty(shape, np.uint8)
        max_pool.max_pool(self._images(x), y, winner, *self._geometry)
        return self._keep(planes.to_planes(y, len(x)), winner)

    def _backward(self, dy, winner):
        dx = workspace.empty((len(dy), self.height, self.width, self.channels))
        gradient = planes.to_channels(dy, self.channels).reshape(winner.shape)
        max_pool.max_pool_backward(gradient, winner, dx, *self._geometry)
        return planes.to_planes(dx, len(dy))


class ActivationLayer(Layer):
    """One of LINEAR, LOGISTIC, RELU, LRELU (slope .01) and SOFTMAX (along each row).

    Soft-max's backward pass hands dy on: `train_image_classifier` starts with the gradient of soft-max and
    cross-entropy together, which is output - y.
    """

    def __init__(self, kind):
        self.kind = checks.integer("kind", kind, LINEAR, SOFTMAX)

    def _forward(self, x):
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
        return self._keep(y, y.copy() if self.kind == LOGISTIC else x)

    def _backward(self, dy, kept):
        dx, threads = workspace.empty(dy.shape), get_num_threads()
        arrays = kept.reshape(-1), dy.reshape(-1), dx.reshape(-1)
        if self.kind == LOGISTIC:
            activation.sigmoid_backward(*arrays, threads)
        elif self.kind == RELU:
            activation.relu_backward(*arrays, threads)
        elif self.kind == LRELU:
            activation.leaky_relu_backward(*arrays, LEAK, threads)
        else:
            dx[:] = dy
        return dx

    def __repr__(self):
        return f"{KINDS[self.kind]} layer"


class BatchnormLayer(Layer):
    """y = (x - mean) / sqrt(variance + 1e-5), a mean and a biased variance for each group of columns.

    A batch of one row is normalised with the rolling statistics, which then are constants for its backward
    pass too.

    Attributes
    ----------
    x : ndarray of float32 (rows, columns)
        The last input.
    rolling_mean, rolling_variance : ndarray of float32 (1, groups)
        .9 of the old and .1 of the new value after each batch, from zeros.
    """

    x, rolling_mean, rolling_variance = Matrix(), Matrix(), Matrix()

    def __init__(self, groups):
        self.groups = checks.integer("groups", groups, 1, MOST)
        self.rolling_mean = self.rolling_variance = np.zeros((1, self.groups))

    def _forward(self, x):
        if len(x) == 0:
            raise ValueError(f"{self!r}: x: wanted at least 1 row, got shape {x.shape}")
        pixels = self._pixels(x)
        return self._normalized(x, pixels, *self._statistics([pixels], len(x)))

    def forward_parts(self, parts):
        statistics = self._statistics(map(self._pixels, parts), sum(map(len, parts)))
        for i, part in enumerate(parts):
            parts[i] = self._normalized(part, self._pixels(part), *statistics)

    def _pixels(self, x):
        return planes.grouped(f"{self!r}: x", x, self.groups)

    def _statistics(self, parts, rows):
        """(mean, variance, whether they are the batch's) of the pixels of all parts together."""
        if rows == 1:
            return np.float64(self.rolling_mean[0]), np.float64(self.rolling_variance[0]), False
        found = [(len(pixels), *normalization.statistics(pixels)) for pixels in parts]
        count = sum(n for n, _, _ in found)
        mean = sum(n / count * m for n, m, _ in found)
        variance = sum(n / count * (v + (m - mean) ** 2) for n, m, v in found)
        for rolling, new in ((self.rolling_mean, mean), (self.rolling_variance, variance)):
            rolling[:] = (1 - NEW) * rolling + NEW * new
        return mean, variance, True

    def _normalized(self, x, pixels, mean, variance, of_batch):
        vars(self)["x"] = x
        inverse = 1 / np.sqrt(variance + EPS)
        y = planes.to_planes(normalization.normalize(pixels, mean, inverse, 0.0), len(x))
        return self._keep(y, pixels, mean, inverse, of_batch)

    def _backward(self, dy, pixels, mean, inverse, of_batch):
        gradient = planes.grouped(f"{self!r}: dy", dy, self.groups)
        of_x = constant = 0.0
        if of_batch:
            total, product = normalization.gradient_sums(pixels, gradient, mean)
            of_x, constant = -(inverse**3) * product / len(pixels), -inverse * total / len(pixels)
        dx = normalization.input_gradient(pixels, gradient, mean, inverse, of_x, constant)
        return planes.to_planes(dx, len(dy))

    def __repr__(self):
        return f"batch-norm layer of {self.groups} groups"


def make_connected_layer(inputs, outputs):
    """A fully connected layer from `inputs` to `outputs` columns, w uniform in +-sqrt(2 / inputs)."""
    return ConnectedLayer(inputs, outputs)


def make_activation_layer(kind):
    """An activation: LINEAR, LOGISTIC, RELU, LRELU or SOFTMAX."""
    return ActivationLayer(kind)


def make_convolutional_layer(w, h, c, filters, size, stride):
    """A convolution of images of w x h pixels and c channels with `filters` filters of size x size.

    Its output has ceil(w / stride) x ceil(h / stride) pixels. Weights are uniform in +-sqrt(2 / (c size^2)).
    """
    return ConvolutionalLayer(w, h, c, filters, size, stride)


def make_maxpool_layer(w, h, c, size, stride):
    """Max-pooling of images of w x h pixels and c channels in windows of size x size, `size` at most 15.

    Its output has ceil(w / stride) x ceil(h / stride) pixels.
    """
    return MaxpoolLayer(w, h, c, size, stride)


def make_batchnorm_layer(groups):
    """Batch normalisation; `groups` is the channels of a convolution or the outputs of a connected layer."""
    return BatchnormLayer(groups)
