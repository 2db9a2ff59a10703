"""3x3 convolution of channels that are no multiple of 8, widened by zeros for Winograd's algorithm."""

from dataclasses import replace

import numpy as np

from cynet.core import workspace
from cynet.kernels.pointwise import elementwise

from . import winograd_loops
from .algorithm import Algorithm, registered
from .winograd import WinogradConvolution

LEAST = 900  # channels in x out: below it the copies take longer than they save
MOST = 1.5  # times as many of these as without the zeros


@registered(rank=35)
class WidenedConvolution(Algorithm):
    """Images and filters are copied with channels of zeros behind their own, for Winograd's way."""

    title = "widened conv"
    fuses = frozenset({"relu"})
    example = (2, 9, 8, 29), 40, (3, 3), (1, 1), (1, 1, 1, 1), 1

    def __init__(self, problem):
        super().__init__(problem)
        self.within = WinogradConvolution(_widened(problem))

    @staticmethod
    def suits(problem):
        channels, outputs = problem.in_shape[3], problem.out_shape[3]
        return (
            channels * outputs >= LEAST
            and _wide(channels) * _wide(outputs) <= MOST * channels * outputs
            and problem.groups == 1
            and WinogradConvolution.suits(_widened(problem))
        )

    def pack(self, w):
        return self.within.pack(self._filters(w))

    def padded(self, bias):
        bias = super().padded(bias)
        return np.pad(bias, (0, self.within.out_shape[3] - len(bias)))

    def scratch_floats(self, threads):
        return self.within.scratch_floats(threads)

    def _forward(self, x, w, bias, y, threads):
        outputs = self._outputs(y)
        x = _copied(x, self.within.in_shape, threads)
        self.within._forward(x, self._filters(w), self.padded(bias), outputs, threads)
        _copied(outputs, y, threads)

    def _filters(self, w):
        wide = np.zeros(self.within.weight_shape, np.float32)
        wide[: w.shape[0], : w.shape[1]] = w
        return wide

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        outputs = self._outputs(y)
        x = _copied(x, self.within.in_shape, threads)
        self.within.apply(x, packed, bias, outputs, scratch, threads, relu)
        _copied(outputs, y, threads)

    def _outputs(self, y):
        """Where the outputs go, with those of channels that are none."""
        return y if y.shape == self.within.out_shape else workspace.empty(self.within.out_shape)

    def _input_gradient(self, dy, w, dx, threads, added):
        dy = _copied(dy, self.within.out_shape, threads)
        wide = dx if dx.shape == self.within.in_shape else workspace.empty(self.within.in_shape)
        self.within._input_gradient(dy, self._filters(w), wide, threads, None)
        _copied(wide, dx, threads)

    def _weight_gradient(self, x, dy, dw, threads):
        x, dy = (
            _copied(a, shape, threads)
            for a, shape in ((x, self.within.in_shape), (dy, self.within.out_shape))
        )
        wide = np.zeros(self.within.weight_shape, np.float32)
        self.within._weight_gradient(x, dy, wide, threads)
        dw += wide[: dw.shape[0], : dw.shape[1]]


def _wide(channels):
    return -(-channels // winograd_loops.LANES) * winograd_loops.LANES


def _widened(problem):
    """The same with channels by eights."""
    in_shape, out_shape = ((*shape[:3], _wide(shape[3])) for shape in (problem.in_shape, problem.out_shape))
    return replace(problem, in_shape=in_shape, out_shape=out_shape)


def _copied(images, out, threads):
    """The images with channels of zeros behind their own, or without such: in `out`, an array or a shape."""
    if isinstance(out, tuple):
        out = images if images.shape == out else workspace.empty(out)
    if out is not images:
        rows = (a.reshape(-1, a.shape[3]) for a in (images, out))
        elementwise.fit_channels(*rows, threads)
    return out
