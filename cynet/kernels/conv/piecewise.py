"""Convolution by larger windows, with strides, and of channels that are no eights by Winograd's algorithm."""

from functools import cached_property, lru_cache
from itertools import product as pairs
from math import inf, prod

from cynet.kernels.common import geometry

from . import winograd_loops, winograd_pieces, winograd_tiles
from .algorithm import registered, suited
from .winograd import CHANNELS, FEW_PIXELS, LARGE, WinogradConvolution

RANK = 22
FEW = 4  # channels, at most, that have ways of their own; of outputs one fewer
GAIN = 1.1  # times as fast as the other way, at least
DEPTH = 2048  # channels of all pieces, at most: the inputs of a block of tiles are so many times 4.6 KB
FILTERS = 1 << 24  # floats of transformed filters, at most: 67 MB
LANES = winograd_loops.WIDTH // 2  # of a register

# What it takes, in multiply-adds of whole registers: about, by least squares over 90 drawn convolutions, with
# AVX-512 and held to AVX2; of pieces of 25 and of 36 points.
PRODUCT = {25: 1.35, 36: 1.2}  # a multiply-add of transformed numbers
INPUT, OUTPUT = {25: 200, 36: 350}, {25: 330, 36: 500}  # a tile of a register of channels
FOR_FILTERS = {25: 300, 36: 550}, {25: 200, 36: 200}  # the same of x and of dy, for the filters' gradient
FILTER = {25: 600, 36: 1700}  # a filter of a register of outputs, to points or back, and read from memory
DIRECT = {"forward": 1.2, "input": 1.2, "weight": 1.3}  # a multiply-add of the other ways
PASS = 100_000  # one over the images, however small they are
FILLED = 1.1  # times that of registers that are full, by those whose lanes are pixels


@registered(RANK)
class PiecewiseConvolution(WinogradConvolution):
    """Each of the three products so where a model says that it gains, or else as without this way."""

    title = "Winograd conv in pieces"
    example = (32, 16, 17, 40), 48, (5, 4), (2, 1), (2, 1, 2, 2), 1

    def __init__(self, problem):
        super().__init__(problem)
        self.own = frozenset(name for name in DIRECT if _gains(problem, name))
        if "forward" not in self.own:
            self.fuses = self.beside.fuses - {"added"}
        if "input" not in self.own:
            self.fuses -= {"added"} - self.beside.fuses
        else:
            self.fuses |= {"added"}

    @cached_property
    def beside(self):
        """The way of the products that gain nothing."""
        return suited(self.problem, RANK)(self.problem)

    @staticmethod
    def suits(problem):
        return (
            problem.groups == 1
            and problem.dilation == (1, 1)
            and problem.border == geometry.ZEROS
            and min(problem.kernel) > 1
            and problem.stride[0] < problem.kernel[0]
            and problem.stride[1] < problem.kernel[1]
            and prod(problem.out_shape) > 0
            and problem.in_shape[3] > FEW
            and problem.out_shape[3] >= FEW
            and any(_gains(problem, name) for name in DIRECT)
        )

    def _way(self, name):
        return super() if name in self.own else self.beside

    def pack(self, w):
        return self._way("forward").pack(w)

    def padded(self, bias):
        return self._way("forward").padded(bias)

    def scratch_floats(self, threads):
        return self._way("forward").scratch_floats(threads)

    def kept(self, packed, bias, y, scratch, threads, relu):
        return self._way("forward").kept(packed, bias, y, scratch, threads, relu)

    def _forward(self, x, w, bias, y, threads):
        self._way("forward")._forward(x, w, bias, y, threads)

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        self._way("forward")._apply(x, packed, bias, y, scratch, threads, relu, residual)

    def _input_gradient(self, dy, w, dx, threads, added):
        self._way("input")._input_gradient(dy, w, dx, threads, added)

    def _weight_gradient(self, x, dy, dw, threads):
        self._way("weight")._weight_gradient(x, dy, dw, threads)


def _gains(problem, name):
    """Whether Winograd's is the faster way for a product.

    Of y and dx the batch does not matter, so that an image alone and in a batch has the same bytes, but where
    few pixels meet many filters.
    """
    inputs, outputs = problem.in_shape[3], problem.out_shape[3]
    depth = prod(problem.stride) * inputs  # at least
    if max(depth, outputs) > DEPTH or (name != "weight" and _few(problem, depth * outputs)):
        return False
    return _gain(problem if name == "weight" else problem.nominal(), name) > GAIN


def _few(problem, filters):
    return prod(problem.out_shape[:3]) <= FEW_PIXELS and filters >= LARGE


@lru_cache(1024)
def _gain(problem, name):
    """How many times as fast Winograd's way is, by a model; 0 where it takes too much memory."""
    inputs, outputs = problem.in_shape[3], problem.out_shape[3]
    lanes = inputs if name == "input" else outputs
    if name == "weight" or name in suited(problem, RANK).by_channels:
        registers = _registers(lanes)
    else:
        registers = lanes / LANES / FILLED
    direct = prod(problem.out_shape[:3]) * prod(problem.kernel) * inputs * outputs / lanes * registers
    if name == "input":
        cost = sum(_input_cost(problem, phase) for phase in pairs(*map(range, problem.stride)))
    else:
        taps, pixels = winograd_pieces.forward(problem)[1], problem.out_shape[1:3]
        cost = _cost(problem.in_shape[0], pixels, taps, inputs, outputs, name == "weight")
    return DIRECT[name] * direct / cost


def _input_cost(problem, phase):
    """Of the gradient to the inputs of one phase of the stride."""
    batch, *size, inputs = problem.in_shape
    pixels = [-(-(n - f) // s) for n, f, s in zip(size, phase, problem.stride, strict=True)]
    taps = winograd_pieces.backward(problem, phase)[1]
    return _cost(batch, pixels, taps, problem.out_shape[3], inputs)


def _cost(batch, pixels, taps, inputs, outputs, weight=False):
    """Of the outputs at these pixels (height, width), or of the gradient of their filters."""
    tiles, pieces = winograd_tiles.tile_count(batch, pixels), len(taps)
    points = (round(taps.shape[1] ** 0.5) + winograd_tiles.SIDE - 1) ** 2
    depth = pieces * -(-inputs // 8) * 8
    if max(depth, outputs) > DEPTH or points * depth * outputs > FILTERS:
        return inf
    products = depth * _registers(outputs)
    of_x, of_y = pieces * _vectors(inputs), _vectors(outputs)
    if weight:
        of_x *= FOR_FILTERS[0][points] * -(-outputs // CHANNELS)
        of_y *= FOR_FILTERS[1][points] * -(-inputs // CHANNELS) * pieces
    else:
        of_x, of_y = of_x * INPUT[points], of_y * OUTPUT[points]
    each = products * points * PRODUCT[points] + of_x + of_y
    return tiles * each + products * FILTER[points] + PASS


def _registers(lanes):
    return -(-lanes // LANES)


def _vectors(channels):
    """Of channels that are transformed: sixteens, then eights."""
    return -(-channels // 8) - (channels // 16 if LANES == 16 else 0)
