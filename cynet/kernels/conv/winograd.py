"""3x3 convolution with stride 1 by Winograd's algorithm.

A quarter of the multiplications of the other algorithms; the transforms cost some accuracy: errors stay below
1e-4 of the output's scale (about 1e-5 in practice), where the others have 1e-6.
"""

import numpy as np

from cynet.core import workspace
from cynet.core.threads import get_num_threads

from . import winograd_loops, winograd_tiles, winograd_weight_loops
from .algorithm import PARTIALS, Algorithm, registered

BLOCK = 32  # tiles of a block, at most
ITEMS = 32  # work items wanted, at least
MANY = 4096  # channels x lanes whose filters, 600 KB, are not to be read for each block
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
        before = problem.before
        around = 2 - before[0], 2 - before[1]
        self.forward_pass = _pass(batch, in_hw, out_hw, before, channels, outputs)
        self.kept_pass = _pass(batch, in_hw, out_hw, before, channels, outputs, fresh=False)
        self.input_pass = _pass(batch, out_hw, in_hw, around, outputs, channels)
        self.weight_tiles = winograd_tiles.Tiles(batch, in_hw, out_hw, before, BLOCK)
        tiles = self.weight_tiles.count
        most = CHANNELS // 2 if tiles < 2 * CHUNK_TILES else CHANNELS
        self.part = _part(channels, most), _part(outputs, CHANNELS)
        parts = channels // self.part[0] * (outputs // self.part[1])
        self.chunks = max(1, min(PARTIALS // parts, tiles // CHUNK_TILES))
        self._no_bias = np.zeros(max(channels, outputs), np.float32)

    @staticmethod
    def suits(problem):
        """Channels by eights, and most outputs fill their tiles."""
        channels, (batch, height, width, outputs) = problem.in_shape[3], problem.out_shape
        lanes, tile = winograd_loops.LANES, winograd_tiles.SIDE**2
        return (
            problem.kernel == (3, 3)
            and problem.stride == problem.dilation == (1, 1)
            and problem.groups == 1
            and channels % lanes == outputs % lanes == 0
            and 2 * height * width >= tile * winograd_tiles.tile_count(1, (height, width))
            and (batch * height * width > FEW_PIXELS or channels * outputs < LARGE)
        )

    def pack(self, w):
        u = workspace.empty((winograd_loops.filter_floats(w.shape[0], w.shape[1]),))
        winograd_loops.transform_filters(winograd_loops.Filters(w, False), u, get_num_threads())
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
        winograd_loops.convolve_with(self.input_pass, dy, w, True, self._no_bias, dx, added, threads)

    def _weight_gradient(self, x, dy, dw, threads):
        winograd_weight_loops.weight_gradient(self.weight_tiles, x, dy, dw, self.chunks, *self.part, threads)


def _pass(batch, in_hw, out_hw, before, channels, lanes, fresh=True):
    """By lanes where there are more filters than inputs: too many to read them for each block of tiles."""
    tiles = winograd_tiles.tile_count(batch, out_hw)
    part = 0
    if channels * lanes >= MANY and 2 * tiles <= lanes:
        wide = winograd_loops.WIDTH
        part = wide * max(1, min(PART // wide, lanes // (wide * LEAST_PARTS)))
    block = BLOCK if part else max(8, min(BLOCK, tiles // ITEMS // 8 * 8))
    cut = winograd_tiles.Tiles(batch, in_hw, out_hw, before, block)
    return winograd_loops.Sharing(cut, channels, lanes, part, fresh and part > 0)


def _part(channels, most):
    """The largest divisor of `channels` that is a multiple of 8 and at most `most`."""
    lanes = winograd_loops.LANES
    return next(n for n in range(min(most, channels), 0, -lanes) if channels % n == 0)
