"""Convolution to numbers of channels that would leave registers empty: their lanes are pixels."""

from functools import cached_property, lru_cache
from math import prod

from cynet.core import workspace
from cynet.kernels.common import geometry

from . import planes_loops
from .algorithm import Algorithm, choose, registered
from .widened import WidenedConvolution

RANK = 25
BAND_FLOATS = 24 * 1024  # of a tile's planes: with a group's filters they stay in a 256 KB L2 cache
LEAST_TILES = 32  # of a pass, where there are pixels enough: work for every thread
FEW_PIXELS = 128  # of a tile, which may have these however few tiles there are
GAIN = 0.9  # of the other way's time, at most

# What a pass costs, in multiply-adds of whole registers: about, by measurements of the blocks alone.
WIDE, NARROW = (0.95, 0.82)  # of the peak: blocks of many output channels, and of one register of them
FULL, ALONE = 0.97, 0.85  # blocks of pixels of several registers, and of one
TO_ROWS, TO_PLANES, ONE_BY_ONE = 2.4, 0.4, 2.0  # eight channels of a pixel; a number; one of less than 4 channels


@registered(rank=RANK)
class PlanarConvolution(Algorithm):
    """Pixels side by side in a register, not output channels; a gradient as is fastest without this way."""

    title = "planar conv"
    fuses = frozenset({"relu"})
    example = (2, 9, 8, 7), 11, (3, 4), (2, 1), (1, 0, 1, 2), 1

    def __init__(self, problem):
        super().__init__(problem)
        self.beside = choose(problem, RANK)
        self.planes = _pass(problem)

    @staticmethod
    def suits(problem):
        return (
            problem.groups == 1
            and problem.border == geometry.ZEROS
            and prod(problem.out_shape) > 0
            and problem.in_shape[3] > 0
            and not WidenedConvolution.suits(problem)
            and _gains(problem)
        )

    @cached_property
    def input_pass(self):
        """Of the gradient of the input, or None where it is made the other way."""
        turned = _turned(self.problem)
        return _pass(turned) if turned is not None and _gains(turned) else None

    def pack(self, w):
        return _packed(self.planes, w, False)

    def scratch_floats(self, threads):
        return threads * self.planes.each

    def kept(self, packed, bias, y, scratch, threads, relu):
        return planes_loops.PlanesPass(self.planes, packed, bias, y, scratch, relu, threads)

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        planes_loops.convolve(self.planes, x, packed, bias, y, scratch, relu, threads)

    def _input_gradient(self, dy, w, dx, threads, added):
        g = self.input_pass
        if g is None:
            self.beside._input_gradient(dy, w, dx, threads, added)
            return
        no_bias, scratch = workspace.zeros((g.outputs,)), workspace.empty((threads * g.each,))
        planes_loops.convolve(g, dy, _packed(g, w, True), no_bias, dx, scratch, 0, threads)

    def _weight_gradient(self, x, dy, dw, threads):
        self.beside._weight_gradient(x, dy, dw, threads)


def _packed(g, w, transposed):
    packed = workspace.empty((g.packed_floats,))
    planes_loops.pack(g, w, packed, transposed)
    return packed


def _turned(problem):
    """The problem of the input gradient, of the steps that a pass makes it by; None where it takes several."""
    if problem.stride != (1, 1):
        return None
    around = zip(problem.kernel, problem.dilation, problem.before, strict=True)
    before = tuple((taps - 1) * apart - padding for taps, apart, padding in around)
    return type(problem)(
        problem.out_shape, problem.in_shape, problem.kernel, (1, 1), before, 1, problem.dilation, problem.border
    )


def _pass(problem):
    return planes_loops.Planes(
        problem.in_shape, problem.out_shape[1:], problem.kernel, problem.stride, problem.before, problem.dilation,
        _plan(problem)[1],
    )  # fmt: skip


def _gains(problem):
    """Whether pixels in lanes are the faster way, by a model."""
    outputs, lanes = problem.out_shape[3], planes_loops.LANES
    if outputs < planes_loops.FEWEST:
        return False
    wide, left = divmod(outputs, 2 * lanes)
    narrow = 0 if not left else 1 if left <= lanes else 2
    other = 2 * wide / WIDE + (2 / WIDE if narrow == 2 else narrow / NARROW)
    if lanes == 8 and 0 < left <= 8:  # eight lanes of a register of eight
        other = 2 * wide / WIDE + 1 / NARROW
    columns = prod(problem.kernel) * problem.in_shape[3]
    return _plan(problem)[0] < GAIN * columns * other * _reached(problem)


def _reached(problem):
    """The share of taps that are left where the other way leaves out rows beyond the edge."""
    (_, height, _, _), out_h = problem.in_shape, problem.out_shape[1]
    taps, apart, stride, before = problem.kernel[0], problem.dilation[0], problem.stride[0], problem.before[0]
    found = sum(0 <= y * stride + tap * apart - before < height for y in range(out_h) for tap in range(taps))
    return found / (out_h * taps)


@lru_cache(1024)
def _plan(problem):
    """(what a pixel costs, rows of a tile): the rows that cost least of those that fit."""
    (batch, _, _, channels), (_, height, width, outputs) = problem.in_shape, problem.out_shape
    (taps_y, taps_x), (down, across), apart = problem.kernel, problem.stride, problem.dilation
    lanes, columns = planes_loops.LANES, taps_y * taps_x * channels
    groups = -(-outputs // planes_loops.MOST)
    vectors = planes_loops.vectors_of(-(-outputs // groups))
    pitch = width + (taps_x - 1) * apart[1] // across
    more = (taps_y - 1) * apart[0] // down
    planes = min(taps_y, down) * min(taps_x, across) * channels
    number = TO_PLANES if channels >= planes_loops.FEWEST else ONE_BY_ONE if channels > 1 else TO_PLANES
    best = None
    for rows in range(1, height + 1):
        fits = planes * (rows + more) * pitch <= BAND_FLOATS
        enough = batch * -(-height // rows) >= LEAST_TILES or rows * width <= FEW_PIXELS
        if best is not None and not (fits and enough):
            break
        pixels = -(-((rows - 1) * pitch + width) // lanes) * lanes
        whole = pixels // (vectors * lanes) * vectors * lanes
        sums = whole / (FULL if vectors > 1 else ALONE) + (pixels - whole) / ALONE
        cost = columns * sums * outputs / lanes + pixels * groups * -(-outputs // groups // 8) * TO_ROWS
        cost = (cost + planes * (rows + more) * pitch * number) / (rows * width)
        if best is None or cost < best[0]:
            best = cost, rows
    return best
