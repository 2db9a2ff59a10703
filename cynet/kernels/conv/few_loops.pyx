"""Convolution to a few output channels: each output is a dot product along taps and channels.

Design: the register block (block.h) has output channels side by side in a register, so that one to three of them leave
most of it empty. Here columns are side by side: those of a row of taps lie in one run of the band, as the filters of
each output do, so that several pixels times all outputs are vectors of partial sums, which come to a number at the
end. Tiles, bands and tables are those of tiled_loops.pyx. An output's sums have one order, whatever pixels are beside.
"""

from cython.parallel cimport prange, threadid

from cynet.kernels.common.simd cimport VL, vf, vload, vload_part, vset, vstore
from cynet.kernels.conv.lowering cimport Block, Lowering
from cynet.kernels.conv.tiled_loops cimport clip

cdef enum:
    OUTPUTS = 3     # at most: four fill half of a register of eight
    SUMS = 8        # vectors of partial sums, at most: as many as keep both units for multiply-adds busy
    WIDEST = 16     # lanes

MOST_OUTPUTS = OUTPUTS


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
    cdef Py_ssize_t outputs = filters.shape[0], tile
    if not 1 <= outputs <= OUTPUTS or filters.shape[1] != g.columns or g.groups != 1:
        raise ValueError(f"filters: wanted at most {OUTPUTS} of {g.columns} columns each, got {outputs}")
    if out.shape[0] == 0 or g.tiles == 0:
        return
    cdef const float *x = &source[0, 0, 0, 0]
    cdef const float *w = &filters[0, 0]
    cdef const float *b = &bias[0]
    cdef float *y = &out[0, 0, 0, 0]
    cdef float *bands = &scratch[0] if scratch.shape[0] else NULL
    for tile in prange(g.tiles, nogil=True, num_threads=threads, schedule="dynamic", chunksize=1):
        one_tile(g, tile, outputs, x, w, b, y, bands + threadid() * g.band_floats)


cdef void one_tile(Lowering g, Py_ssize_t tile, Py_ssize_t outputs, const float *source, const float *w,
                   const float *bias, float *out, float *scratch) noexcept nogil:
    cdef Py_ssize_t image, row, pixels = g.tile_start(tile, &image, &row), p = 0
    cdef const float *band = g.band(source, 0, image, row, pixels, scratch)
    cdef Block runs  # its tables alone
    out += (image * g.full_h + row) * g.full_w * outputs
    runs.a_off, runs.b_off, runs.segments = g.segment, g.segment_column, g.segments
    while p < pixels:
        if outputs == 1:
            p += some(g, &runs, row, p, pixels, band, w, bias, out, 8, 1)
        elif outputs == 2:
            p += some(g, &runs, row, p, pixels, band, w, bias, out, 4, 2)
        else:
            p += some(g, &runs, row, p, pixels, band, w, bias, out, 2, 3)


cdef inline Py_ssize_t some(Lowering g, Block *runs, Py_ssize_t row, Py_ssize_t p, Py_ssize_t pixels,
                            const float *band, const float *w, const float *bias, float *out, Py_ssize_t count,
                            Py_ssize_t outputs) noexcept nogil:
    """Up to `count` pixels of a tile from p on, a constant; how many they are."""
    cdef Py_ssize_t i, o, s, k, lane, steps = g.steps, last = min(p + count, pixels)
    cdef const float *a[SUMS]
    cdef const float *f
    cdef vf[SUMS] sums, x
    cdef vf v
    cdef float[WIDEST] lanes
    cdef float total
    for i in range(count):
        a[i] = band + g.pixel[min(p + i, last - 1)]  # pixels beyond the last repeat it, and are not stored
    for i in range(count * outputs):
        sums[i] = vset(0)
    if g.clipped:
        clip(g, runs, row, p, last)
    for s in range(runs.segments):
        f = w + runs.b_off[s]
        k = runs.a_off[s]
        for i in range(count):
            a[i] += k
        k = 0
        while k + VL <= steps:
            for i in range(count):
                x[i] = vload(a[i] + k)
            for o in range(outputs):
                v = vload(f + o * g.columns + k)
                for i in range(count):
                    sums[i * outputs + o] = sums[i * outputs + o] + x[i] * v
            k += VL
        if k < steps:
            for o in range(outputs):
                v = vload_part(f + o * g.columns + k, steps - k)
                for i in range(count):
                    sums[i * outputs + o] = sums[i * outputs + o] + vload_part(a[i] + k, steps - k) * v
        k = runs.a_off[s]
        for i in range(count):
            a[i] -= k
    for i in range(last - p):
        for o in range(outputs):
            vstore(lanes, sums[i * outputs + o])
            total = 0
            for lane in range(VL):
                total = total + lanes[lane]
            out[g.out[p + i] + o] = bias[o] + total
    return last - p
