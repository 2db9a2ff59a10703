"""The steps of a plan (`inference.py`): what each does with its input, once it is planned."""

from math import prod

import numpy as np

from cynet.core import checks
from cynet.core.threads import get_num_threads, team
from cynet.kernels.conv import convolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.pointwise import activation, elementwise
from cynet.kernels.pool import avg_pool
from cynet.nn.layers.linear import Linear

from .rules import is_known


class Unplanned(Exception):
    """The model holds something that cannot be planned, or that was not there when it was."""


class Slot:
    """Where an output lies: its shape and buffer (None: not the plan's), and how many still need it."""

    def __init__(self, shape, buffer=None, pins=0):
        self.shape, self.buffer, self.pins = tuple(shape), buffer, pins
        self.array = None if buffer is None else buffer[: prod(shape)].reshape(shape)


class Convolve:
    """A convolution or linear layer with the batch norm, the sum and the ReLU or ReLU6 that follow it."""

    def __init__(self, layer, norm, relu, shape, y, planes):
        self.layer, self.norm, self.relu, self.y = layer, norm, relu, y
        self.planes, self.scratch, self.residual = planes, None, None
        self._eps = None if norm is None else norm.settled()[1]
        if type(layer) is Linear:
            rows, outputs = prod(shape[:-1]), layer.output_shape(shape)[-1]
            self.algorithm = convolution.choose(Problem.of_rows(rows, shape[-1], outputs))
        else:
            self.algorithm = layer.convolution(shape)
        self.threads = team(self.algorithm.work)
        self._in, self._target = self.algorithm.in_shape, y.reshape(self.algorithm.out_shape)

    def weights(self):
        """The arrays that `fold` reads, copied."""
        w, bias = self.layer.values()
        self._biased = bias is not None
        found = [w, bias] if self._biased else [w]
        return found if self.norm is None else [*found, *self.norm.values()]

    def fold(self, copies):
        """Put the batch norm into the weights, and lay them out for the kernel.

        Parameters
        ----------
        copies : iterator of ndarray
            Of what `weights` returned: what is packed is what is compared, whatever others write meanwhile.
        """
        w = next(copies)
        bias = next(copies) if self._biased else None
        if self.norm is not None:
            weight, shift, mean, variance = (next(copies) for _ in range(4))
            scale = 1 / np.sqrt(variance.astype(np.float64) + self._eps)
            if weight.size:
                scale *= weight
            shift = shift if shift.size else 0.0
            w = (w * scale.reshape(-1, *[1] * (w.ndim - 1))).astype(np.float32)
            before = 0.0 if bias is None else bias
            bias = ((before - mean.astype(np.float64)) * scale + shift).astype(np.float32)
        if self.planes is not None:
            height, width, channels = self.planes
            w = w.reshape(len(w), channels, height * width).transpose(0, 2, 1).reshape(len(w), -1)
        w = np.ascontiguousarray(w).reshape(self.algorithm.weight_shape)
        self._run = self.algorithm.kept(
            self.algorithm.pack(w), self.algorithm.padded(bias), self._target, self.scratch, self.threads,
            self.relu,
        )  # fmt: skip

    def __call__(self, x):
        if self.residual is None:
            self._run(x.reshape(self._in))
        else:
            self._run(x.reshape(self._in), self.residual.reshape(self._target.shape))
        return self.y


class Called:
    """A layer that is called as it is."""

    def __init__(self, layer, shape):
        self.layer, self.ours = layer, is_known(layer)
        self.several = bool(shape) and isinstance(shape[0], tuple)
        self.shapes = list(shape) if self.several else [shape]

    def __call__(self, *xs):
        if self.ours:
            y = self.layer(*xs)
        else:  # it may keep what is a buffer here, and hand out anything
            name, y = f"{type(self.layer).__name__}.forward result", self.layer(*(x.copy() for x in xs))
            y = (
                tuple(checks.float_array(name, one) for one in y)
                if self.several
                else checks.float_array(name, y)
            )
        if [one.shape for one in (y if self.several else [y])] != self.shapes:
            raise Unplanned  # something within it is not what it was
        return y


class Rows:
    """(N, H, W, C) as rows; the linear layer after it has its weights in that order."""

    def __init__(self, shape):
        self.shape = shape

    def __call__(self, x):
        return x.reshape(self.shape)


class GlobalMean:
    """Global average pooling."""

    def __init__(self, y, threads):
        self.y, self.threads = y, threads

    def __call__(self, x):
        n, height, width, channels = x.shape
        avg_pool.global_avg_pool(x.reshape(n, height * width, channels), self.y, self.threads)
        return self.y


class Curve:
    """An activation that is one kernel; `y` may lie where its input does."""

    def __init__(self, kernel, y):
        self.kernel, self.y = kernel, y

    def __call__(self, x):
        self.kernel(x.reshape(-1), self.y.reshape(-1), get_num_threads())
        return self.y


class Sum:
    """A residual block: `last` is the convolution of the body that adds the shortcut, if there is one."""

    def __init__(self, aside, body, last, y, relu):
        self.aside, self.body, self.last, self.y, self.relu = aside, body, last, y, relu

    def __call__(self, x):
        beside = x
        for step in self.aside:
            beside = step(beside)
        if self.last is not None:
            self.last.residual = beside
        for step in self.body:
            x = step(x)
        if self.last is None:
            threads = get_num_threads()
            elementwise.add(x.reshape(-1), beside.reshape(-1), self.y.reshape(-1), threads)
            x = self.y
            if self.relu:
                activation.relu(x.reshape(-1), x.reshape(-1), threads)
        return x
