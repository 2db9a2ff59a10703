"""3x3 convolution with stride 1 by Winograd's algorithm.

A quarter of the multiplications of the other algorithms; the transforms cost some accuracy: errors stay below
1e-4 of the output's scale (about 1e-5 in practice), where the others have 1e-6.
"""

import numpy as np

from cynet.core import workspace
from cynet.core.threads import get_num_threads

from . import winograd_loops
from .algorithm import PARTIALS, Algorithm, registered

BLOCK = 32  # tiles of a block, at most
ITEMS = 32  # work items wanted, at least
CHUNK_TILES = 64  # tiles that make a partial weight gradient worth its final sum
CHANNELS = 64  # of a work item of the weight gradient, at most
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
        tiles, in_tiles = (winograd_loops.tile_count(batch, hw) for hw in (out_hw, in_hw))
        self.forward_tiles = winograd_loops.Tiles(batch, in_hw, out_hw, before, _block(tiles))
        self.weight_tiles = winograd_loops.Tiles(batch, in_hw, out_hw, before, BLOCK)
        around = 2 - before[0], 2 - before[1]
        self.input_tiles = winograd_loops.Tiles(batch, out_hw, in_hw, around, _block(in_tiles))
        self.part = _part(channels), _part(outputs)
        parts = channels // self.part[0] * (outputs // self.part[1])
        self.chunks = max(1, min(PARTIALS // parts, tiles // CHUNK_TILES))
        self._no_bias = np.zeros(max(channels, outputs), np.float32)

    @staticmethod
    def suits(problem):
        """Channels by eights, and most outputs fill their tiles."""
        channels, (_, height, width, outputs) = problem.in_shape[3], problem.out_shape
        lanes, tile = winograd_loops.LANES, winograd_loops.SIDE**2
        return (
            problem.kernel == (3, 3)
            and problem.stride == problem.dilation == (1, 1)
            and problem.groups == 1
            and channels % lanes == outputs % lanes == 0
            and 2 * height * width >= tile * winograd_loops.tile_count(1, (height, width))
        )

    def pack(self, w, transposed=False):
        filters = workspace.empty((winograd_loops.filter_floats(w.shape[0], w.shape[1]),))
        winograd_loops.transform_filters(w, filters, transposed, get_num_threads())
        return filters

    def scratch_floats(self, threads):
        channels, outputs = self.in_shape[3], self.out_shape[3]
        return threads * winograd_loops.scratch_floats(self.forward_tiles, channels, outputs)

    def kept(self, packed, bias, y, scratch, threads, relu):
        return winograd_loops.WinogradPass(
            self.forward_tiles, packed, bias, y, scratch, relu, NOTHING, threads
        )

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        residual = NOTHING if residual is None else residual
        winograd_loops.convolve(self.forward_tiles, x, packed, bias, y, scratch, relu, residual, threads)

    def _input_gradient(self, dy, w, dx, threads, added):
        g, filters = self.input_tiles, self.pack(w, transposed=True)
        added = NOTHING if added is None else added
        scratch = workspace.empty((threads * winograd_loops.scratch_floats(g, dy.shape[3], dx.shape[3]),))
        winograd_loops.convolve(g, dy, filters, self._no_bias, dx, scratch, False, added, threads)

    def _weight_gradient(self, x, dy, dw, threads):
        g, channels, outputs = self.weight_tiles, x.shape[3], dy.shape[3]
        partial = workspace.empty((winograd_loops.partial_floats(self.chunks, channels, outputs),))
        scratch = workspace.empty((threads * winograd_loops.gradient_scratch_floats(g, *self.part),))
        winograd_loops.weight_gradient(g, x, dy, dw, partial, scratch, self.chunks, *self.part, threads)


def _block(tiles):
    """Tiles of a block: whole register blocks, and few enough for `ITEMS` blocks."""
    return max(8, min(BLOCK, tiles // ITEMS // 8 * 8))


def _part(channels):
    """The largest divisor of `channels` that is a multiple of 8 and at most CHANNELS."""
    lanes = winograd_loops.LANES
    return next(n for n in range(min(CHANNELS, channels), 0, -lanes) if channels % n == 0)
