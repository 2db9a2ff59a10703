"""Convolution by tiled im2col, which suits every problem; a linear layer is one over images of one pixel."""

from functools import cached_property

import numpy as np

from cynet.core import workspace
from cynet.core.threads import get_num_threads

from . import tiled_loops, tiled_weight_loops
from .algorithm import PARTIALS, Algorithm, registered
from .lowering import Lowering

TILE_FLOATS = 24 * 1024  # source rows of a tile: with a block's filters they stay in a 256 KB L2 cache
RUN_PIXELS = 1024  # pixels of a tile whose rows are read in place
LEAST_TILES = 32  # of a pass, where there are pixels enough: work for every thread
CHUNK_PIXELS = 256  # pixels that make a partial weight gradient worth its final sum
SPLIT_COLUMNS = 16  # columns of a split of the weight gradient, at least


@registered(rank=100)
class TiledConvolution(Algorithm):
    """Any convolution: rows are copied once, with their padding, and read through address tables."""

    fuses = frozenset({"relu"})
    example = (2, 9, 8, 10), 6, (3, 2), (2, 1), (1, 0, 1, 2), 2

    def __init__(self, problem):
        super().__init__(problem)
        (_, _, _, channels), (batch, *out_hw, outputs) = problem.in_shape, problem.out_shape
        window = problem.kernel, problem.stride, problem.before, problem.groups
        sizes = problem.in_shape, out_hw, (*out_hw, outputs), *window
        self.forward_pass = Lowering(*sizes, TILE_FLOATS, LEAST_TILES)
        direct = self.forward_pass.direct
        self.weight_pass = Lowering(
            *sizes, RUN_PIXELS * problem.stride[0] * channels if direct else TILE_FLOATS
        )
        tiles, columns = self.weight_pass.tiles, self.weight_pass.columns
        pixels = batch * out_hw[0] * out_hw[1]
        self.chunks = max(1, min(tiles, PARTIALS, pixels // CHUNK_PIXELS))
        self.splits = max(1, min(PARTIALS // (self.chunks * problem.groups), columns // SPLIT_COLUMNS))
        self._no_bias = np.zeros(self.forward_pass.bias_floats, np.float32)

    @staticmethod
    def suits(problem):
        return True

    @cached_property
    def input_passes(self):
        """([(pass, first tap)] by the residue of the input pixel's position modulo the stride, clear).

        Pixels that no tap reaches have no pass of their own where `clear`: the first pass writes their zeros.
        """
        groups, stride = self.problem.groups, self.problem.stride
        rows = [self._residue(0, r) for r in range(min(stride[0], self.in_shape[1]))]
        columns = [self._residue(1, r) for r in range(min(stride[1], self.in_shape[2]))]
        pairs = [(v, h) for v in rows for h in columns]
        reached = [(v, h) for v, h in pairs if v[1] * h[1]]
        clear = 0 < len(reached) < len(pairs) and groups == 1
        passes = [
            (
                Lowering(
                    self.out_shape, (v[0], h[0]), self.in_shape[1:], (v[1], h[1]), (1, 1), (v[2], h[2]),
                    groups, TILE_FLOATS, LEAST_TILES, stride, (v[4], h[4]),
                ),
                (v[3], h[3]),
            )
            for v, h in (reached if clear else pairs)
        ]  # fmt: skip
        return passes, clear

    def _residue(self, axis, residue):
        """Input pixels residue, residue + stride, ...: (how many, taps, padding before, first tap, start).

        Pixel i takes dy[(i + before - tap) / stride] * w[tap] for the taps that make this whole.
        """
        size, kernel = self.in_shape[1 + axis], self.problem.kernel[axis]
        stride, before = self.problem.stride[axis], self.problem.before[axis]
        first = (residue + before) % stride
        taps = max(0, -(-(kernel - first) // stride))
        offset = (residue + before - first) // stride
        return -(-(size - residue) // stride), taps, taps - 1 - offset, first, residue

    def pack(self, w):
        return _pack(self.forward_pass, w, False, (0, 0))

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

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        tiled_loops.convolve(self.forward_pass, x, packed, bias, y, scratch, relu, threads)

    def _input_gradient(self, dy, w, dx, threads, added):
        passes, clear = self.input_passes
        for g, first in passes:
            packed, no_bias = _pack(g, w, True, first), workspace.zeros((g.bias_floats,))
            scratch = workspace.empty((threads * g.band_floats,))
            tiled_loops.convolve(g, dy, packed, no_bias, dx, scratch, False, threads, clear)
            clear = False

    def _weight_gradient(self, x, dy, dw, threads):
        g, chunks = self.weight_pass, self.chunks
        partial = workspace.empty((tiled_weight_loops.partial_floats(g, chunks),))
        scratch = workspace.empty((threads * tiled_weight_loops.scratch_floats(g),))
        tiled_weight_loops.weight_gradient(g, x, dy, dw, partial, scratch, chunks, self.splits, threads)


def _pack(g, w, transposed, first):
    packed = workspace.empty((g.packed_floats,))
    tiled_loops.pack(g, w, packed, transposed, first, get_num_threads())
    return packed
