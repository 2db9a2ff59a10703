"""Convolution by tiled im2col, which suits all but borders; a linear layer is one of images of one pixel."""

from functools import cached_property
from math import gcd, prod

import numpy as np

from cynet.core import workspace
from cynet.core.threads import get_num_threads
from cynet.kernels.common import geometry

from . import tiled_loops, tiled_weight_loops
from .algorithm import PARTIALS, Algorithm, registered
from .lowering import Lowering

TILE_FLOATS = 24 * 1024  # source rows of a tile: with a block's filters they stay in a 256 KB L2 cache
RUN_PIXELS = 128, 1024  # of a tile whose rows are read in place, at least and at most
RUN_FLOATS = 32 * 1024  # of such a tile, of x and dy together: each is walked through several times
LEAST_TILES = 32  # of a pass, where there are pixels enough: work for every thread
FEWEST_PIXELS = 64  # of a tile of the weight gradient, as long as its sums: each reads its partial sums anew
LONG_TILE_FLOATS = 96 * 1024  # source rows of a tile that would have fewer
CHUNK_PIXELS = 256  # pixels that make a partial weight gradient worth its final sum
SPLIT_COLUMNS = 16  # columns of a split of the weight gradient, at least


@registered(rank=100)
class TiledConvolution(Algorithm):
    """Any convolution: rows are copied once, with their padding, and read through address tables."""

    fuses = frozenset({"relu"})
    by_channels = frozenset({"forward", "input"})
    example = (2, 9, 8, 10), 6, (3, 2), (2, 1), (1, 0, 1, 2), 2

    def __init__(self, problem):
        super().__init__(problem)
        (_, _, _, channels), (batch, *out_hw, outputs) = problem.in_shape, problem.out_shape
        window = problem.kernel, problem.stride, problem.before, problem.groups
        sizes, taps = (problem.in_shape, out_hw, (*out_hw, outputs), *window), {"dilation": problem.dilation}
        self.forward_pass = Lowering(*sizes, TILE_FLOATS, LEAST_TILES, **taps)
        g = self.forward_pass
        self.work = problem.macs * g.lanes // g.group_out  # lanes that are left empty take as long
        size = TILE_FLOATS
        if self.forward_pass.direct:
            run = max(RUN_PIXELS[0], min(RUN_PIXELS[1], RUN_FLOATS // (channels + outputs)))
            size = run * problem.stride[0] * channels
        self.weight_pass = Lowering(*sizes, size, **taps)
        if not self.weight_pass.direct and self.weight_pass.tile_pixels < FEWEST_PIXELS:
            self.weight_pass = Lowering(*sizes, LONG_TILE_FLOATS, **taps)
        tiles, columns = self.weight_pass.tiles, self.weight_pass.columns
        pixels = batch * out_hw[0] * out_hw[1]
        self.chunks = max(1, min(tiles, PARTIALS, pixels // CHUNK_PIXELS))
        self.splits = max(1, min(PARTIALS // (self.chunks * problem.groups), columns // SPLIT_COLUMNS))
        self._no_bias = np.zeros(self.forward_pass.bias_floats, np.float32)

    @staticmethod
    def suits(problem):
        return problem.border == geometry.ZEROS

    @cached_property
    def input_passes(self):
        """([(pass, first taps, steps of taps)], whether there are pixels that no tap reaches).

        A pass is of the input pixels whose positions have one residue modulo the stride, where taps reach it.
        """
        groups, stride, size = self.problem.groups, self.problem.stride, self.in_shape[1:3]
        pairs = [(v, h) for v in self._reached(0) for h in self._reached(1)]
        passes = [
            (
                Lowering(
                    self.out_shape, pixels, self.in_shape[1:], taps, (1, 1), before, groups, TILE_FLOATS,
                    LEAST_TILES, stride, start, apart,
                ),
                first, step,
            )
            for pixels, taps, before, first, step, start, apart in (zip(*pair, strict=True) for pair in pairs)
        ]  # fmt: skip
        return passes, len(pairs) < prod(map(min, stride, size))

    def _reached(self, axis):
        """(pixels, taps, padding before, first tap, step of taps, first pixel, dilation) of each residue.

        Pixel i takes dy[(i + before - dilation tap) / stride] * w[tap] for the taps that make this whole.
        """
        p, size = self.problem, self.in_shape[1 + axis]
        kernel, stride, before, dilation = p.kernel[axis], p.stride[axis], p.before[axis], p.dilation[axis]
        common = gcd(stride, dilation)
        step, apart = stride // common, dilation // common
        found = []
        for first in range(min(kernel, step)):
            residue = (first * dilation - before) % stride
            taps, offset = -(-(kernel - first) // step), (residue + before - first * dilation) // stride
            if residue < size:
                pixels = -(-(size - residue) // stride)
                found.append((pixels, taps, (taps - 1) * apart - offset, first, step, residue, apart))
        return sorted(found, key=lambda each: each[5])

    def pack(self, w):
        return packed_filters(self.forward_pass, w, False)

    def padded(self, bias):
        g = self.forward_pass
        if bias is None:
            return self._no_bias
        if g.lanes == g.group_out:
            return bias
        padded = workspace.zeros((g.groups, g.lanes))
        padded[:, : g.group_out] = bias.reshape(g.groups, g.group_out)
        return padded.reshape(-1)

    def scratch_floats(self, threads):
        return threads * self.forward_pass.band_floats

    def kept(self, packed, bias, y, scratch, threads, relu):
        return tiled_loops.TiledPass(self.forward_pass, packed, bias, y, scratch, relu, threads)

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        tiled_loops.convolve(self.forward_pass, x, packed, bias, y, scratch, relu, threads)

    def _input_gradient(self, dy, w, dx, threads, added):
        passes, gaps = self.input_passes
        clear = gaps and len(passes) > 0 and self.problem.groups == 1  # the first pass writes zeros between
        if gaps and not clear:
            dx.fill(0)
        for g, *taps in passes:
            packed, no_bias = packed_filters(g, w, True, *taps), workspace.zeros((g.bias_floats,))
            scratch = workspace.empty((threads * g.band_floats,))
            tiled_loops.convolve(g, dy, packed, no_bias, dx, scratch, False, threads, clear)
            clear = False

    def _weight_gradient(self, x, dy, dw, threads):
        g, chunks = self.weight_pass, self.chunks
        partial = workspace.empty((tiled_weight_loops.partial_floats(g, chunks),))
        scratch = workspace.empty((threads * tiled_weight_loops.scratch_floats(g),))
        tiled_weight_loops.weight_gradient(g, x, dy, dw, partial, scratch, chunks, self.splits, threads)


def packed_filters(g, w, transposed, first=(0, 0), every=(1, 1)):
    """The filters as a pass takes them, in memory of their own; see `tiled_loops.pack`."""
    packed = workspace.empty((g.packed_floats,))
    tiled_loops.pack(g, w, packed, transposed, first, every, get_num_threads())
    return packed
