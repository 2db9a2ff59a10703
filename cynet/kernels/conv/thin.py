"""Convolution of images of few channels, as a net's first layer; two of its products have their own way."""

import numpy as np

from cynet.core import workspace

from . import thin_loops
from .algorithm import PARTIALS, registered
from .raised import RaisedConvolution
from .tiled import TiledConvolution

CHANNELS = 4  # at most
PIXELS = 4096  # of an image whose padded copy stays in the cache


@registered(rank=30)
class ThinConvolution(RaisedConvolution):
    """One padded image at a time; the gradient of the input is by columns where that suits, or else tiled.

    Where the outputs are half of a register, two neighbouring pixels lie in it: as if there were twice the
    outputs, of windows that reach one step further and move by two, half of them with zeros in their last
    columns and half in their first. So an infinite or NaN input reaches both pixels of each pair that one of
    its windows is of.
    """

    by_channels = frozenset()
    example = (2, 9, 20, 3), 16, (3, 4), (1, 2), (1, 1, 1, 2), 1

    def __init__(self, problem):
        super().__init__(problem)
        (_, height, width, outputs), (taps_y, taps_x), (down, across) = (
            problem.out_shape, problem.kernel, problem.stride,
        )  # fmt: skip
        self.band = thin_loops.Band(
            problem.in_shape, (height, width), problem.kernel, problem.stride, problem.before
        )
        self.pairs = (
            2 * outputs == thin_loops.WIDEST
            and across < taps_x
            and width % 2 == 0
            and width >= 2 * thin_loops.LEAST_WIDTH
            and taps_y * (taps_x + across) * problem.in_shape[3] <= thin_loops.MOST_ENTRIES
        )
        self.forward_band, self._lanes = self.band, problem.out_shape
        if self.pairs:
            window = (taps_y, taps_x + across), (down, 2 * across), problem.before
            self.forward_band = thin_loops.Band(problem.in_shape, (height, width // 2), *window)
            self._lanes = problem.out_shape[0], height, width // 2, 2 * outputs
        self.chunks = max(1, min(PARTIALS, problem.in_shape[0] // 2))
        self._like = RaisedConvolution if RaisedConvolution.suits(problem) else TiledConvolution

    @staticmethod
    def suits(problem):
        (_, height, width, outputs), channels = problem.out_shape, problem.in_shape[3]
        return (
            problem.groups == 1
            and problem.dilation == (1, 1)
            and channels <= CHANNELS
            and outputs % thin_loops.LANES == 0
            and width >= thin_loops.LEAST_WIDTH
            and problem.kernel[0] * problem.kernel[1] * channels <= thin_loops.MOST_ENTRIES
            and height * width <= PIXELS
        )

    def pack(self, w):
        if self.pairs:
            outputs, channels, taps_y, taps_x = w.shape
            across, one = self.problem.stride[1], w
            w = np.zeros((2 * outputs, channels, taps_y, taps_x + across), np.float32)
            w[:outputs, :, :, :taps_x] = w[outputs:, :, :, across:] = one
        packed = workspace.empty((w.size,))
        thin_loops.pack(w, packed)
        return packed

    def padded(self, bias):
        bias = self._no_bias if bias is None else bias
        return np.concatenate([bias, bias]) if self.pairs else bias

    def scratch_floats(self, threads):
        return threads * self.band.floats

    def kept(self, packed, bias, y, scratch, threads, relu):
        y = y.reshape(self._lanes)
        return thin_loops.ThinPass(self.forward_band, packed, bias, y, scratch, relu, threads)

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        y = y.reshape(self._lanes)
        thin_loops.convolve(self.forward_band, x, packed, bias, y, scratch, relu, threads)

    def _input_gradient(self, dy, w, dx, threads, added):
        self._like._input_gradient(self, dy, w, dx, threads, added)

    def _weight_gradient(self, x, dy, dw, threads):
        partial = workspace.empty(self.band.partial_shape(self.chunks, dy.shape[3]))
        scratch = workspace.empty((threads * self.band.floats,))
        thin_loops.weight_gradient(self.band, x, dy, dw, partial, scratch, threads)
