"""Convolution to a few output channels: each output is a dot product along taps and channels.

Design: the register block (block.h) has output channels side by side in a register, so that one to three of them leave
most of it empty. Here columns are side by side (few.h): those of a row of taps lie in one run of the band, as the
filters of each output do. Tiles, bands and tables are those of tiled_loops.pyx. An output's sums have one order,
whatever pixels are beside.
"""

from cython.parallel cimport parallel, threadid

from cynet.kernels.common.turns cimport ItemTurns, share_out, take
from cynet.kernels.conv.lowering cimport Block, Lowering
from cynet.kernels.conv.tiled_loops cimport clip


cdef extern from "few.h" nogil:
    const Py_ssize_t MOST_FEW
    Py_ssize_t dots_rows(Py_ssize_t outputs)
    void dots_run(const Block *q, Py_ssize_t outputs, Py_ssize_t columns)

MOST_OUTPUTS = MOST_FEW


def convolve(
    Lowering g not None,                        # of one group, to at most MOST_OUTPUTS channels
    const float[:, :, :, ::1] source not None,  # in: (batch, height, width, channels)
    const float[:, ::1] filters not None,       # in: (outputs, g.columns): taps row by row, channels innermost
    const float[::1] bias not None,             # in: (outputs,)
    float[:, :, :, ::1] out not None,           # out: (batch, full_h, full_w, outputs)
    float[::1] scratch not None,                # out: at least (threads * g.band_floats,)
    int threads,
):
    """out[pixel, o] = bias[o] + sum over columns k of columns[k, pixel] * filters[o, k]."""
    cdef Py_ssize_t outputs = filters.shape[0], tile = 0
    cdef ItemTurns turns
    if not 1 <= outputs <= MOST_FEW or filters.shape[1] != g.columns or g.groups != 1:
        raise ValueError(f"filters: wanted at most {MOST_FEW} of {g.columns} columns each, got {outputs}")
    if out.shape[0] == 0 or g.tiles == 0:
        return
    cdef const float *x = &source[0, 0, 0, 0]
    cdef const float *w = &filters[0, 0]
    cdef const float *b = &bias[0]
    cdef float *y = &out[0, 0, 0, 0]
    cdef float *bands = &scratch[0] if scratch.shape[0] else NULL
    share_out(&turns, g.tiles, threads)
    with nogil, parallel(num_threads=threads):
        tile = take(&turns, threadid())
        while tile >= 0:
            one_tile(g, tile, outputs, x, w, b, y, bands + threadid() * g.band_floats)
            tile = take(&turns, threadid())


cdef void one_tile(Lowering g, Py_ssize_t tile, Py_ssize_t outputs, const float *source, const float *w,
                   const float *bias, float *out, float *scratch) noexcept nogil:
    cdef Py_ssize_t image, row, pixels = g.tile_start(tile, &image, &row), p = 0, q, r
    cdef const float *band = g.band(source, 0, image, row, pixels, scratch)
    cdef Block block
    block.ahead = False
    out += (image * g.full_h + row) * g.full_w * outputs
    block.a_off, block.b_off, block.segments, block.steps = g.segment, g.segment_column, g.segments, g.steps
    block.b, block.init[0] = w, bias
    while p < pixels:
        block.rows = min(dots_rows(outputs), pixels - p)
        for r in range(dots_rows(outputs)):
            q = p + min(r, block.rows - 1)  # pixels beyond the last repeat it, and are not stored
            block.a[r], block.c[r] = band + g.pixel[q], out + g.out[q]
        if g.clipped:
            clip(g, &block, row, p, p + block.rows)
        dots_run(&block, outputs, g.columns)
        p += block.rows
