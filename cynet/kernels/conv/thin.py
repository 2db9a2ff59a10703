"""Convolution of images of few channels, as a net's first layer; two of its products have their own way."""

from cynet.core import workspace

from . import thin_loops
from .algorithm import PARTIALS, registered
from .raised import RaisedConvolution
from .tiled import TiledConvolution

CHANNELS = 4  # at most
PIXELS = 4096  # of an image whose padded copy stays in the cache


@registered(rank=30)
class ThinConvolution(RaisedConvolution):
    """One padded image at a time; the gradient of the input is by columns where that suits, or else tiled."""

    by_channels = frozenset()
    example = (2, 9, 20, 3), 16, (3, 4), (1, 2), (1, 1, 1, 2), 1

    def __init__(self, problem):
        super().__init__(problem)
        self.band = thin_loops.Band(
            problem.in_shape, problem.out_shape[1:3], problem.kernel, problem.stride, problem.before
        )
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
        packed = workspace.empty((w.size,))
        thin_loops.pack(w, packed)
        return packed

    def padded(self, bias):
        return self._no_bias if bias is None else bias

    def scratch_floats(self, threads):
        return threads * self.band.floats

    def kept(self, packed, bias, y, scratch, threads, relu):
        return thin_loops.ThinPass(self.band, packed, bias, y, scratch, relu, threads)

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        thin_loops.convolve(self.band, x, packed, bias, y, scratch, relu, threads)

    def _input_gradient(self, dy, w, dx, threads, added):
        self._like._input_gradient(self, dy, w, dx, threads, added)

    def _weight_gradient(self, x, dy, dw, threads):
        partial = workspace.empty(self.band.partial_shape(self.chunks, dy.shape[3]))
        scratch = workspace.empty((threads * self.band.floats,))
        thin_loops.weight_gradient(self.band, x, dy, dw, partial, scratch, threads)
