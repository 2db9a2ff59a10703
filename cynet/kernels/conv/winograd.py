"""3x3 convolution with stride 1 by Winograd's algorithm, for one input shape.

The kernels compute with a quarter of the multiplications of `Convolution`; the transforms cost some accuracy:
errors stay below 1e-4 of the output's scale (about 1e-5 in practice), where `Convolution` has 1e-6.
"""

from math import prod

import numpy as np

from cynet.core import checks, workspace
from cynet.core.threads import get_num_threads, team

from . import winograd_loops

BLOCK = 32  # tiles of a block, at most
ITEMS = 32  # work items wanted, at least
CHUNKS = 16  # partial weight gradients x blocks of channels, at most about so many
CHUNK_TILES = 64  # tiles that make a partial weight gradient worth its final sum
NOTHING = np.zeros((0, 0, 0, 0), np.float32)
CHANNELS = 64  # of a work item of the weight gradient, at most


def suits(out_hw, channels, out_channels, kernel, stride, groups):
    """Whether this algorithm can do it, and with less work: most outputs must fill their 4x4 tiles."""
    height, width = out_hw
    tiles = -(-height // 4) * -(-width // 4)
    return (
        kernel == (3, 3)
        and stride == (1, 1)
        and groups == 1
        and channels % 8 == out_channels % 8 == 0
        and height * width >= 8 * tiles
    )


class WinogradConvolution:
    """The three products of a 3x3 convolution for one shape of input.

    Parameters
    ----------
    shape : tuple of int
        (N, H, W, C) of the input, C a multiple of 8.
    out_hw : tuple of int
        Height and width of the output.
    out_channels : int
        A multiple of 8.
    before : tuple of int
        The padding (top, left).
    """

    def __init__(self, shape, out_hw, out_channels, before):
        batch, *in_hw, channels = self.in_shape = tuple(shape)
        self.out_shape = (batch, *out_hw, out_channels)
        self.weight_shape = out_channels, channels, 3, 3
        self.macs = prod(self.out_shape) * 9 * channels  # of the plain algorithm
        tiles = batch * -(-out_hw[0] // 4) * -(-out_hw[1] // 4)
        self.forward_tiles = winograd_loops.Tiles(batch, in_hw, out_hw, before, _block(tiles))
        self.weight_tiles = winograd_loops.Tiles(batch, in_hw, out_hw, before, BLOCK)
        in_tiles = batch * -(-in_hw[0] // 4) * -(-in_hw[1] // 4)
        around = 2 - before[0], 2 - before[1]
        self.input_tiles = winograd_loops.Tiles(batch, out_hw, in_hw, around, _block(in_tiles))
        self.part = _part(channels), _part(out_channels)
        parts = channels // self.part[0] * (out_channels // self.part[1])
        self.chunks = max(1, min(CHUNKS // parts, tiles // CHUNK_TILES))
        self._no_bias = np.zeros(max(channels, out_channels), np.float32)

    def forward(self, x, w, bias=None):
        """y (N, out_h, out_w, out_channels) of x (N, H, W, C) and w (out, in, 3, 3)."""
        checks.shapes("x weight.data", (x.shape, w.shape), (self.in_shape, self.weight_shape))
        y, threads = workspace.empty(self.out_shape), team(self.macs)
        scratch = workspace.empty((self.scratch_floats(threads),))
        self.apply(x, self.pack(w), self.padded(bias), y, scratch, threads)
        return y

    def input_gradient(self, dy, w, added=NOTHING):
        """dx (N, H, W, C) of dy (N, out_h, out_w, out_channels), plus `added` (of dx's shape)."""
        checks.shapes("dy weight.data", (dy.shape, w.shape), (self.out_shape, self.weight_shape))
        dx, threads = workspace.empty(self.in_shape), team(self.macs)
        g, filters = self.input_tiles, self.pack(w, transposed=True)
        scratch = workspace.empty((threads * winograd_loops.scratch_floats(g, dy.shape[3], dx.shape[3]),))
        winograd_loops.convolve(g, dy, filters, self._no_bias, dx, scratch, False, added, threads)
        return dx

    def weight_gradient(self, x, dy, dw):
        """Add the gradient to dw (out, in, 3, 3)."""
        checks.shapes(
            "x dy weight.grad", (x.shape, dy.shape, dw.shape),
            (self.in_shape, self.out_shape, self.weight_shape),
        )  # fmt: skip
        g, threads = self.weight_tiles, team(self.macs)
        partial = workspace.empty((self.chunks * winograd_loops.POINTS * x.shape[3] * dy.shape[3],))
        scratch = workspace.empty((threads * winograd_loops.gradient_scratch_floats(g, *self.part),))
        winograd_loops.weight_gradient(g, x, dy, dw, partial, scratch, self.chunks, *self.part, threads)

    # -- the forward pass in its parts, for weights that stay -------------------------------------------
    def pack(self, w, transposed=False):
        """w as `apply` takes it."""
        filters = workspace.empty((winograd_loops.POINTS * w.shape[0] * w.shape[1],))
        winograd_loops.transform_filters(w, filters, transposed, get_num_threads())
        return filters

    def padded(self, bias):
        """The bias, or zeros, as `apply` takes it."""
        return self._no_bias if bias is None else bias

    def scratch_floats(self, threads):
        """The floats of scratch that `apply` needs."""
        channels, outputs = self.in_shape[3], self.out_shape[3]
        return threads * winograd_loops.scratch_floats(self.forward_tiles, channels, outputs)

    def apply(self, x, filters, bias, y, scratch, threads, relu=False, residual=NOTHING):
        """y = x convolved + bias + residual (any array of y's shape), with `relu` at least 0."""
        winograd_loops.convolve(self.forward_tiles, x, filters, bias, y, scratch, relu, residual, threads)


def _block(tiles):
    return max(8, min(BLOCK, tiles // ITEMS // 8 * 8))


def _part(channels):
    """The largest divisor of `channels` that is a multiple of 8 and at most CHANNELS."""
    return next(n for n in range(min(CHANNELS, channels), 0, -8) if channels % n == 0)
