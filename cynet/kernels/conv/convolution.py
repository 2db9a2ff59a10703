"""One convolution for one input shape: its geometry, worked out once, and its three products.

`plan` chooses between four classes with the same methods: `Convolution` (any; `Linear` is a 1x1 convolution
over 1x1 images), `ThinConvolution` (few channels in), `DepthwiseConvolution`, and
`winograd.WinogradConvolution` (3x3, stride 1).
"""

import numpy as np

from cynet.core import checks, workspace
from cynet.core.threads import get_num_threads, team
from cynet.kernels.pointwise import activation

from . import depthwise_loops, thin_loops, tiled_loops, tiled_weight_loops, winograd

TILE_FLOATS = 24 * 1024  # source rows of a tile: with a block's filters they stay in a 256 KB L2 cache
RUN_PIXELS = 1024  # pixels of a tile whose rows are read in place
CHUNKS = 16  # partial weight gradients, and work items, at most about so many
THIN_PIXELS = 4096  # of an image whose padded copy stays in the cache
CHUNK_PIXELS = 256  # pixels that make a partial weight gradient worth its final sum


def plan(shape, out_hw, out_channels, kernel, stride, before, groups=1):
    """The fastest way to convolve images of `shape`; parameters as for `Convolution`."""
    if groups == shape[3] == out_channels > 1:
        return DepthwiseConvolution(shape, out_hw, kernel, stride, before)
    if winograd.suits(out_hw, shape[3], out_channels, kernel, stride, groups):
        return winograd.WinogradConvolution(shape, out_hw, out_channels, before)
    if ThinConvolution.suits(shape, out_hw, out_channels, kernel, groups):
        return ThinConvolution(shape, out_hw, out_channels, kernel, stride, before)
    return Convolution(shape, out_hw, out_channels, kernel, stride, before, groups)


class Convolution:
    """The three products of a convolution for one shape of input.

    Parameters
    ----------
    shape : tuple of int
        (N, H, W, C) of the input.
    out_hw : tuple of int
        Height and width of the output.
    out_channels, groups : int
    kernel, stride, before : tuple of int
        (vertical, horizontal); `before` is the padding (top, left).
    """

    def __init__(self, shape, out_hw, out_channels, kernel, stride=(1, 1), before=(0, 0), groups=1):
        batch, _, _, channels = self.in_shape = tuple(shape)
        self.out_shape = (batch, *out_hw, out_channels)
        self.kernel, self.stride, self.before, self.groups = kernel, stride, before, groups
        self.weight_shape = out_channels, channels // groups, *kernel
        self.forward_pass = tiled_loops.Lowering(
            shape, out_hw, (*out_hw, out_channels), kernel, stride, before, groups,
            tile_floats=TILE_FLOATS, least_tiles=2 * CHUNKS,
        )  # fmt: skip
        direct = self.forward_pass.direct
        self.weight_pass = tiled_loops.Lowering(
            shape, out_hw, (*out_hw, out_channels), kernel, stride, before, groups,
            tile_floats=RUN_PIXELS * stride[0] * channels if direct else TILE_FLOATS,
        )  # fmt: skip
        tiles, columns = self.weight_pass.tiles, self.weight_pass.columns
        pixels = batch * out_hw[0] * out_hw[1]
        self.macs = pixels * out_channels * columns
        self.chunks = max(1, min(tiles, CHUNKS, pixels // CHUNK_PIXELS))
        self.splits = max(1, min(CHUNKS // (self.chunks * groups), columns // 16))
        self._input_passes = None
        self._no_bias = np.zeros(groups * self.forward_pass.lanes, np.float32)

    @property
    def input_passes(self):
        """([(pass, first tap)] by the residue of the input pixel's position modulo the stride, clear).

        Pixels that no tap reaches have no pass of their own where `clear`: the first pass writes their zeros.
        """
        if self._input_passes is None:
            rows = [self._residue(0, r) for r in range(min(self.stride[0], self.in_shape[1]))]
            columns = [self._residue(1, r) for r in range(min(self.stride[1], self.in_shape[2]))]
            pairs = [(v, h) for v in rows for h in columns]
            reached = [(v, h) for v, h in pairs if v[1] * h[1]]
            clear = 0 < len(reached) < len(pairs) and self.groups == 1
            passes = [
                (
                    tiled_loops.Lowering(
                        self.out_shape, (v[0], h[0]), self.in_shape[1:], (v[1], h[1]), (1, 1), (v[2], h[2]),
                        self.groups, self.stride, (v[4], h[4]), TILE_FLOATS, 2 * CHUNKS,
                    ),
                    (v[3], h[3]),
                )
                for v, h in (reached if clear else pairs)
            ]  # fmt: skip
            self._input_passes = passes, clear
        return self._input_passes

    def _residue(self, axis, residue):
        """Input pixels residue, residue + stride, ...: (how many, taps, padding before, first tap, start).

        Pixel i takes dy[(i + before - tap) / stride] * w[tap] for the taps that make this whole.
        """
        size, kernel = self.in_shape[1 + axis], self.kernel[axis]
        stride, before = self.stride[axis], self.before[axis]
        first = (residue + before) % stride
        taps = max(0, -(-(kernel - first) // stride))
        offset = (residue + before - first) // stride
        return -(-(size - residue) // stride), taps, taps - 1 - offset, first, residue

    def forward(self, x, w, bias=None):
        """y (N, out_h, out_w, out_channels) of x (N, H, W, C) and w (out, in / groups, height, width)."""
        checks.shapes("x weight.data", (x.shape, w.shape), (self.in_shape, self.weight_shape))
        y, threads = workspace.empty(self.out_shape), team(self.macs)
        scratch = workspace.empty((self.scratch_floats(threads),))
        self.apply(x, self.pack(w), self.padded(bias), y, scratch, threads)
        return y

    def input_gradient(self, dy, w):
        """dx (N, H, W, C) of dy (N, out_h, out_w, out_channels)."""
        checks.shapes("dy weight.data", (dy.shape, w.shape), (self.out_shape, self.weight_shape))
        dx = workspace.empty(self.in_shape)
        threads = team(self.macs)
        passes, clear = self.input_passes
        for g, first in passes:
            packed, no_bias = _pack(g, w, True, first), workspace.zeros((g.groups * g.lanes,))
            scratch = workspace.empty((threads * g.band_floats,))
            tiled_loops.convolve(g, dy, packed, no_bias, dx, scratch, False, threads, clear)
            clear = False
        return dx

    def weight_gradient(self, x, dy, dw):
        """Add the gradient to dw (out, in / groups, height, width)."""
        checks.shapes(
            "x dy weight.grad", (x.shape, dy.shape, dw.shape),
            (self.in_shape, self.out_shape, self.weight_shape),
        )  # fmt: skip
        g, threads = self.weight_pass, team(self.macs)
        partial = workspace.empty((self.chunks * g.groups * g.columns * g.lanes,))
        scratch = workspace.empty((threads * tiled_weight_loops.scratch_floats(g),))
        tiled_weight_loops.weight_gradient(g, x, dy, dw, partial, scratch, self.chunks, self.splits, threads)

    # -- the forward pass in its parts, for weights that stay -------------------------------------------
    def pack(self, w):
        """w as `apply` takes it."""
        return _pack(self.forward_pass, w, False, (0, 0))

    def padded(self, bias):
        """The bias, or zeros, as `apply` takes it."""
        g = self.forward_pass
        if bias is None:
            return self._no_bias
        if g.lanes == g.group_out:
            return bias
        padded = workspace.zeros((g.groups, g.lanes))
        padded[:, : g.group_out] = bias.reshape(g.groups, g.group_out)
        return padded.reshape(-1)

    def scratch_floats(self, threads):
        """The floats of scratch that `apply` needs."""
        return threads * self.forward_pass.band_floats

    def apply(self, x, packed, bias, y, scratch, threads, relu=False):
        """y = x convolved + bias, with `relu` at least 0."""
        tiled_loops.convolve(self.forward_pass, x, packed, bias, y, scratch, relu, threads)


def _pack(g, w, transposed, first):
    packed = workspace.empty((g.groups * g.columns * g.lanes,))
    tiled_loops.pack(g, w, packed, transposed, first, get_num_threads())
    return packed


class DepthwiseConvolution:
    """The same three products where every channel has its own filter (groups = in = out channels).

    Parameters
    ----------
    shape, out_hw, kernel, stride, before
        As for `Convolution`.
    """

    def __init__(self, shape, out_hw, kernel, stride, before):
        self.in_shape = tuple(shape)
        self.out_shape = (shape[0], *out_hw, shape[3])
        self.geometry = kernel, stride, before
        self.weight_shape = shape[3], 1, *kernel
        self.chunks = min(shape[0], CHUNKS)
        self._no_bias = np.zeros(shape[3], np.float32)

    @staticmethod
    def pack(w):
        """(C, 1, height, width) filters as (taps, C)."""
        return np.ascontiguousarray(w.reshape(len(w), -1).T)

    def padded(self, bias):
        return self._no_bias if bias is None else bias

    def scratch_floats(self, threads):
        return 0

    def apply(self, x, filters, bias, y, scratch, threads, relu=False):
        depthwise_loops.forward(x, filters, bias, y, *self.geometry, threads)
        if relu:
            activation.relu(y.reshape(-1), y.reshape(-1), threads)

    def forward(self, x, w, bias=None):
        checks.shapes("x weight.data", (x.shape, w.shape), (self.in_shape, self.weight_shape))
        y = workspace.empty(self.out_shape)
        self.apply(x, self.pack(w), self.padded(bias), y, None, get_num_threads())
        return y

    def input_gradient(self, dy, w):
        checks.shapes("dy weight.data", (dy.shape, w.shape), (self.out_shape, self.weight_shape))
        dx = workspace.empty(self.in_shape)
        depthwise_loops.input_gradient(dy, self.pack(w), dx, *self.geometry, get_num_threads())
        return dx

    def weight_gradient(self, x, dy, dw):
        checks.shapes(
            "x dy weight.grad", (x.shape, dy.shape, dw.shape),
            (self.in_shape, self.out_shape, self.weight_shape),
        )  # fmt: skip
        if self.chunks:
            kernel_h, kernel_w = self.geometry[0]
            partial = workspace.empty((self.chunks, kernel_h * kernel_w, self.in_shape[3]))
            depthwise_loops.weight_gradient(x, dy, partial, *self.geometry, get_num_threads())
            dw += partial.sum(axis=0).T.reshape(dw.shape)


class ThinConvolution(Convolution):
    """The same where images have few channels, as a net's first layer; two products have their own way.

    Parameters
    ----------
    shape, out_hw, out_channels, kernel, stride, before
        As for `Convolution`.
    """

    @staticmethod
    def suits(shape, out_hw, out_channels, kernel, groups):
        """Whether this class can do it, and is the faster."""
        return (
            groups == 1
            and shape[3] <= 4
            and out_channels % 8 == 0
            and out_hw[1] >= thin_loops.LEAST_WIDTH
            and kernel[0] * kernel[1] * shape[3] <= thin_loops.MOST_ENTRIES
            and out_hw[0] * out_hw[1] <= THIN_PIXELS
        )

    def __init__(self, shape, out_hw, out_channels, kernel, stride, before):
        super().__init__(shape, out_hw, out_channels, kernel, stride, before)
        self.window = thin_loops.Window(shape, out_hw, kernel, stride, before)
        self.chunks = max(1, min(CHUNKS, shape[0] // 2))

    def pack(self, w):
        packed = workspace.empty((w.size,))
        thin_loops.pack(w, packed)
        return packed

    def scratch_floats(self, threads):
        return threads * self.window.band_floats

    def apply(self, x, packed, bias, y, scratch, threads, relu=False):
        thin_loops.convolve(self.window, x, packed, bias, y, scratch, relu, threads)

    def weight_gradient(self, x, dy, dw):
        checks.shapes(
            "x dy weight.grad", (x.shape, dy.shape, dw.shape),
            (self.in_shape, self.out_shape, self.weight_shape),
        )  # fmt: skip
        g, threads = self.window, team(self.macs)
        partial = workspace.empty((self.chunks, dw.size))
        scratch = workspace.empty((threads * g.band_floats,))
        thin_loops.weight_gradient(g, x, dy, dw, partial, scratch, threads)
