"""Convolution to numbers of channels that would leave registers empty: their lanes are pixels."""

from dataclasses import replace
from functools import cached_property, lru_cache
from math import inf, prod

from cynet.core import workspace
from cynet.kernels.common import geometry

from . import planes_loops
from .algorithm import Algorithm, registered, suited

RANK = 25
BAND_FLOATS = 24 * 1024  # of a tile's planes: with a group's filters they stay in a 256 KB L2 cache
MOST_FLOATS = 2 * BAND_FLOATS  # of one row of pixels
LEAST_TILES = 32  # of a pass, where there are pixels enough: work for every thread
FEW_PIXELS = 128  # of a tile, which may have these however few tiles there are
GAIN = 0.87  # of the other way's time, at most

# What a pass costs, in multiply-adds of whole registers: about, by measurements of the blocks alone.
WIDE, NARROW = (0.95, 0.82)  # of the peak: blocks of many output channels, and of one register of them
FULL, ALONE = 0.97, 0.85  # blocks of pixels of several registers, and of one
A_TAP_ROW = 2  # of a pixel, besides, in each block of output channels
TO_ROWS = 2.4  # eight channels of a pixel
A_BLOCK, A_SUM = 12, 2  # of pixels; and each of its sums
TO_PLANES, SOME = 18, 32  # eight channels of eight pixels; fewer channels of them
ONE_BY_ONE, COPIED = 2, 0.1  # a number, where channels or pixels are few; of one channel
A_ROW = 10  # of source rows, besides


@registered(rank=RANK + 1)
class PlanarGradient(Algorithm):
    """The input gradient with pixels side by side in a register; all else as is fastest without this way."""

    title = "conv, planar gradient"
    example = (2, 12, 17, 6), 32, (5, 4), (1, 1), (2, 1, 2, 2), 1

    def __init__(self, problem):
        super().__init__(problem)
        self.beside = suited(problem, RANK + 1)(problem)
        self.fuses = self.beside.fuses - {"added"}

    @staticmethod
    def suits(problem):
        return _can(problem, "input") and _turned(problem) is not None

    @cached_property
    def input_pass(self):
        """Of the gradient of the input, or None where it is made the other way."""
        turned = _turned(self.problem) if _can(self.problem, "input") else None
        return None if turned is None else _pass(turned)

    def pack(self, w):
        return self.beside.pack(w)

    def padded(self, bias):
        return self.beside.padded(bias)

    def scratch_floats(self, threads):
        return self.beside.scratch_floats(threads)

    def kept(self, packed, bias, y, scratch, threads, relu):
        return self.beside.kept(packed, bias, y, scratch, threads, relu)

    def _forward(self, x, w, bias, y, threads):
        self.beside._forward(x, w, bias, y, threads)

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        self.beside._apply(x, packed, bias, y, scratch, threads, relu, residual)

    def gradients(self, x, dy, w, dw, wants_dx=True, added=None):
        # The other way may make both in one walk.
        own = super() if wants_dx and self.input_pass is not None else self.beside
        return own.gradients(x, dy, w, dw, wants_dx, added)

    def _input_gradient(self, dy, w, dx, threads, added):
        g = self.input_pass
        if g is None:
            self.beside._input_gradient(dy, w, dx, threads, added)
            return
        no_bias, scratch = workspace.zeros((g.outputs,)), workspace.empty((threads * g.each,))
        planes_loops.convolve(g, dy, _packed(g, w, True), no_bias, dx, scratch, 0, threads)

    def _weight_gradient(self, x, dy, dw, threads):
        self.beside._weight_gradient(x, dy, dw, threads)


@registered(rank=RANK)
class PlanarConvolution(PlanarGradient):
    """The forward pass, too, whether or not the gradient gains by it."""

    title = "planar conv"
    example = (2, 12, 17, 20), 6, (3, 4), (2, 1), (1, 0, 1, 2), 1

    def __init__(self, problem):
        super().__init__(problem)
        self.fuses, self.planes = frozenset({"relu"}), _pass(problem)

    @staticmethod
    def suits(problem):
        return _can(problem, "forward") and _gains(problem)

    padded, _forward = Algorithm.padded, Algorithm._forward

    def pack(self, w):
        return _packed(self.planes, w, False)

    def scratch_floats(self, threads):
        return threads * self.planes.each

    def kept(self, packed, bias, y, scratch, threads, relu):
        return planes_loops.PlanesPass(self.planes, packed, bias, y, scratch, relu, threads)

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        planes_loops.convolve(self.planes, x, packed, bias, y, scratch, relu, threads)


def _can(problem, product):
    """Whether it can be done so, and is done by blocks of output channels otherwise."""
    return (
        problem.groups == 1
        and problem.border == geometry.ZEROS
        and prod(problem.out_shape) > 0
        and problem.in_shape[3] > 0
        and prod(problem.kernel) > 1  # else each number is used but once
        and product in suited(problem, RANK + 1).by_channels
    )


def _packed(g, w, transposed):
    packed = workspace.empty((g.packed_floats,))
    planes_loops.pack(g, w, packed, transposed)
    return packed


def _turned(problem):
    """The problem of the input gradient where that gains; None where it takes several passes."""
    if problem.stride != (1, 1):
        return None
    around = zip(problem.kernel, problem.dilation, problem.before, strict=True)
    before = tuple((taps - 1) * apart - padding for taps, apart, padding in around)
    turned = replace(problem, in_shape=problem.out_shape, out_shape=problem.in_shape, before=before)
    return turned if _gains(turned) else None


def _pass(problem):
    return planes_loops.Planes(
        problem.in_shape, problem.out_shape[1:], problem.kernel, problem.stride, problem.before,
        problem.dilation, _plan(problem)[1],
    )  # fmt: skip


def _gains(problem):
    """Whether pixels in lanes are the faster way, by a model."""
    outputs, lanes = problem.out_shape[3], planes_loops.LANES
    if outputs < planes_loops.FEWEST:
        return False
    wide, left = divmod(outputs, 2 * lanes)  # blocks of two registers, and what fills one or most of two
    of_column = 2 * (wide + (left > lanes)) / WIDE + (0 < left <= lanes) / NARROW
    of_row = A_TAP_ROW * (wide + (left > 0))
    other = problem.kernel[0] * (problem.kernel[1] * problem.in_shape[3] * of_column + of_row)
    return _plan(problem.nominal())[0] < GAIN * other * _reached(problem)


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
    phases = min(taps_y, down) * min(taps_x, across)
    if channels == 1 and across == 1:
        row = COPIED * pitch
    elif channels == 1 or pitch < 8:
        row = ONE_BY_ONE * pitch * channels
    else:
        row = -(-pitch // 8) * (channels // 8 * TO_PLANES + (SOME if channels % 8 else 0))
    best = None
    for rows in range(1, height + 1):
        floats = phases * channels * (rows + more) * pitch
        fits = floats <= BAND_FLOATS
        enough = batch * -(-height // rows) >= LEAST_TILES or rows * width <= FEW_PIXELS
        if best is not None and not (fits and enough):
            break
        pixels = -(-((rows - 1) * pitch + width) // lanes) * lanes
        whole = pixels // (vectors * lanes) * vectors * lanes
        sums = whole / (FULL if vectors > 1 else ALONE) + (pixels - whole) / ALONE
        blocks = -(-pixels // (vectors * lanes))
        cost = columns * sums * outputs / lanes + blocks * (groups * A_BLOCK + vectors * outputs * A_SUM)
        cost += pixels * groups * -(-outputs // groups // 8) * TO_ROWS
        cost = (cost + phases * (rows + more) * (row + A_ROW)) / (rows * width)
        if floats > MOST_FLOATS:
            cost = inf
        if best is None or cost < best[0]:
            best = cost, rows
    return best
