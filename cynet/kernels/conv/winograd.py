"""3x3 convolution with stride 1 by Winograd's algorithm; other windows are cut into such: see piecewise.py.

A quarter of the multiplications of the other algorithms; the transforms cost some accuracy: errors stay below
1e-4 of the output's scale (in practice 1e-5 for 3x3, 2e-5 for 7x7 over many channels), where the others have
1e-6. An infinite or NaN input reaches the tiles around it, some pixels more than its windows do, as NaN.
"""

from functools import cached_property, partial
from itertools import product

import numpy as np

from cynet.core import workspace
from cynet.core.threads import get_num_threads

from . import winograd_loops, winograd_pieces, winograd_tiles, winograd_weight_loops
from .algorithm import PARTIALS, Algorithm, registered

BLOCK = 32  # tiles of a block, at most
FEW = 64  # channels of all pieces and lanes: with more, half as many tiles leave room for the next ones,
SMALL = 1 << 14  # but for more channels x lanes, whose filters would be read from afar for each block
WEIGHT_BLOCK = 64  # the same for the weight gradient
ITEMS = 32  # work items wanted, at least
MANY = 4096  # channels of all pieces x lanes whose filters, 400 to 600 KB, are not to be read for each block
LARGE = 1 << 16  # channels x lanes, whose 9 MB of filters take longer to read
FEW_PIXELS = 64  # than as many pixels to convolve without them
PART = 32  # lanes of an item by lanes, at most
LEAST_PARTS = 8  # of the lanes, where they allow it
CHUNK_TILES = 64  # tiles that make a partial weight gradient worth its final sum
CHANNELS = 64  # of a work item of the weight gradient, at most; half of one side where tiles are few
NOTHING = np.zeros((0, 0, 0, 0), np.float32)


@registered(rank=20)
class WinogradConvolution(Algorithm):
    """Tiles of the output are transformed, multiplied point by point, and transformed back."""

    title = "Winograd conv"
    fuses = frozenset({"relu", "residual", "added"})
    example = (2, 9, 8, 16), 24, (3, 3), (1, 1), (1, 1, 1, 1), 1

    def __init__(self, problem):
        super().__init__(problem)
        (batch, *in_hw, channels), (_, *out_hw, outputs) = problem.in_shape, problem.out_shape
        pieces = winograd_pieces.forward(problem)
        cut = partial(winograd_tiles.Tiles, batch, in_hw, out_hw, *pieces, step=problem.stride)
        self.forward_pass = _pass(cut, channels, outputs)
        self.kept_pass = _pass(cut, channels, outputs, fresh=False)
        self.weight_tiles = cut(block=WEIGHT_BLOCK)
        tiles = self.weight_tiles.count
        most = CHANNELS // 2 if tiles < 2 * CHUNK_TILES else CHANNELS
        self.part = _part(channels, most), _part(outputs, CHANNELS)
        parts = self.weight_tiles.pieces * -(-channels // self.part[0]) * -(-outputs // self.part[1])
        self.chunks = max(1, min(PARTIALS // parts, tiles // CHUNK_TILES))
        self._no_bias = np.zeros(max(channels, outputs), np.float32)

    @cached_property
    def input_passes(self):
        """Of the input pixels of each phase of the stride one."""
        problem, passes = self.problem, []
        (batch, *in_hw, channels), (_, *out_hw, outputs) = problem.in_shape, problem.out_shape
        for phase in product(*map(range, problem.stride)):
            pixels = [-(-(n - f) // s) for n, f, s in zip(in_hw, phase, problem.stride, strict=True)]
            place = in_hw, problem.stride, phase
            pieces = winograd_pieces.backward(problem, phase)
            cut = partial(winograd_tiles.Tiles, batch, out_hw, pixels, *pieces, place=place)
            passes.append(_pass(cut, outputs, channels))
        return passes

    @staticmethod
    def suits(problem):
        """Channels by eights, and most outputs fill their tiles."""
        channels, (batch, height, width, outputs) = problem.in_shape[3], problem.out_shape
        tile = winograd_tiles.SIDE**2
        return (
            problem.kernel == (3, 3)
            and problem.stride == problem.dilation == (1, 1)
            and problem.groups == 1
            and channels % 8 == outputs % 8 == 0
            and 2 * height * width >= tile * winograd_tiles.tile_count(1, (height, width))
            and (batch * height * width > FEW_PIXELS or channels * outputs < LARGE)
        )

    def pack(self, w):
        filters = winograd_loops.Filters(self.weight_tiles, w, False)
        u = workspace.empty((filters.floats,))
        winograd_loops.transform_filters(filters, u, get_num_threads())
        return u

    def scratch_floats(self, threads):
        return self.kept_pass.scratch_floats(threads)

    def kept(self, packed, bias, y, scratch, threads, relu):
        return winograd_loops.WinogradPass(self.kept_pass, packed, bias, y, scratch, relu, NOTHING, threads)

    def _forward(self, x, w, bias, y, threads):
        bias = self._no_bias if bias is None else bias
        winograd_loops.convolve_with(self.forward_pass, x, w, False, bias, y, NOTHING, threads)

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        residual = NOTHING if residual is None else residual
        winograd_loops.convolve(self.kept_pass, x, packed, None, bias, y, scratch, relu, residual, threads)

    def _input_gradient(self, dy, w, dx, threads, added):
        added = NOTHING if added is None else added
        for g in self.input_passes:
            winograd_loops.convolve_with(g, dy, w, True, self._no_bias, dx, added, threads)

    def _weight_gradient(self, x, dy, dw, threads):
        winograd_weight_loops.weight_gradient(self.weight_tiles, x, dy, dw, self.chunks, *self.part, threads)


def _pass(cut, channels, lanes, fresh=True):
    """By lanes where there are more filters than inputs: too many to read them for each block of tiles."""
    tiles, part = cut(block=BLOCK), 0
    if channels * tiles.pieces * lanes >= MANY and 2 * tiles.count <= lanes:
        wide = winograd_loops.WIDTH
        part = wide * max(1, min(PART // wide, lanes // (wide * LEAST_PARTS)))
    if not part:
        depth = channels * tiles.pieces
        most = BLOCK if depth + lanes <= FEW or depth * lanes > SMALL else BLOCK // 2
        tiles = cut(block=max(8, min(most, tiles.count // ITEMS // 8 * 8)))
    return winograd_loops.Sharing(tiles, channels, lanes, part, fresh and part > 0)


def _part(channels, most):
    """Channels of a block, by eights and at most `most`: all blocks are about as large."""
    blocks = -(-channels // most)
    return -(-channels // (8 * blocks)) * 8
