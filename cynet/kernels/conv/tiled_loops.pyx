"""Convolution by tiled im2col: the pass that forward and input gradient share.

Design: im2col turns a convolution into a matrix product. Its column matrix repeats each pixel once for each
tap, and writing those copies costs as much as the product when there are few output channels. So the copies
are not written: a tile's source rows are copied once, with their zero padding, into a *band* that stays in
the cache, and two address tables (lowering.pyx) say where each entry of the column matrix lies in it,

    columns[k, p] = band[column[k] + pixel[p]],       k = (tap row, tap column, channel), p = output pixel.

All three products of a convolution read it through these tables and meet in one register block (block.h):

    forward          y[p, o]  = sum over k of columns[k, p] * w[k, o]
    input gradient   the same over dy, with flipped filters; a stride s splits it into s x s passes, one for
                     each residue of the pixel's position, with the taps that reach it (`spread`, `start`)
    weight gradient  dw[k, o] = sum over p of columns[k, p] * dy[p, o]        (tiled_weight_loops.pyx)

The work items are tiles of pixels x groups of channels, or parts of these. Each output's sum runs over k in one order, whatever
the tile or block it falls into, so the result is the same for any cut and any number of threads.
"""

from cython.parallel cimport parallel, prange, threadid

from cynet.kernels.common.simd cimport clear_run
from cynet.kernels.common.turns cimport ItemTurns, share_out, take
from cynet.kernels.conv.lowering cimport (
    Block, Lowering, block_rows, block_rows_of, block_run, block_width, blocks_run, ceil_div,
)

cdef enum:
    LINES = 32  # floats of a pixel, several lines of the cache, that are asked for ahead, unless they were read before


cdef void convolve_tile(Lowering g, Py_ssize_t item, const float *source, const float *packed,
                        const float *bias, float *out, float *scratch, int relu, bint clear) noexcept nogil:
    """A part of one group's output channels for one tile of pixels."""
    cdef Py_ssize_t image, row, width, height, p, q, r, blocks, last
    cdef Py_ssize_t group = item // g.tiles % g.groups, channel = item // g.tiles // g.groups * g.part_lanes
    cdef Py_ssize_t end = min(channel + g.part_lanes, g.group_out), begin = channel
    cdef Py_ssize_t pixels = g.tile_start(item % g.tiles, &image, &row)
    cdef const float *band = g.band(source, group, image, row, pixels, scratch)
    cdef Block block
    cdef Py_ssize_t cleared = 0 if clear else pixels  # these pixels' rows have their zeros
    cdef Py_ssize_t start = (g.start_y * g.full_w + g.start_x) * g.full_channels + group * g.group_out
    out += (image * g.full_h + row * g.spread_y) * g.full_w * g.full_channels + start
    packed += group * g.columns * g.lanes
    bias += group * g.lanes
    block.a_step, block.relu = 1, relu
    block.a_off, block.b_off = g.segment, g.segment_column
    block.segments, block.steps = g.segments, g.steps
    while channel < end:
        width = block_width(g.group_out - channel)
        height = block_rows(width)
        block.b, block.b_step = packed + channel * g.columns, width
        block.lanes = g.group_out - channel
        block.ahead = g.direct and g.segments == 1 and g.steps >= LINES and channel == begin
        p = 0
        while p < pixels:
            # As many whole blocks as a row of pixels has, then one that may reach into the next row.
            blocks = min(g.even_pixels - p % g.even_pixels, pixels - p) // height
            if blocks and block_rows_of(width, pixels - p - (blocks - 1) * height) < height:
                blocks -= 1  # the last pixels of the tile are better shared
            last = min(p + max(blocks, 1) * height, pixels)
            while channel == 0 and cleared < last:  # a row's at a time, for the first cache
                clear_row(g, row + cleared // g.out_w % g.rows, out - start + g.out[cleared])
                cleared += g.out_w
            if g.clipped:
                clip(g, &block, row, p, p + blocks * height if blocks else last)
            if blocks:
                block.a[0], block.c[0] = band + g.pixel[p], out + g.out[p] + channel
                block.init[0] = bias + channel
                blocks_run(&block, width, blocks, g.run_step, g.even_out_step)
                p += blocks * height
                continue
            height = block_rows_of(width, pixels - p)
            block.rows = min(height, pixels - p)
            for r in range(height):
                q = p + min(r, block.rows - 1)  # rows beyond the last repeat it, and are not stored
                block.a[r] = band + g.pixel[q]
                block.c[r] = out + g.out[q] + channel
                block.init[r] = bias + channel
            block_run(&block, width, height)
            p += height
            height = block_rows(width)
        channel += width


cdef void clip(Lowering g, Block *block, Py_ssize_t row, Py_ssize_t p, Py_ssize_t last) noexcept nogil:
    """Leave out the rows of taps that lie above or below the image for all pixels of a tile from p to last."""
    cdef Py_ssize_t y, line, low = g.segments, high = 0
    for line in range(p // g.out_w, (last - 1) // g.out_w + 1):
        y = row + line % g.rows
        low, high = min(low, g.first_segment[y]), max(high, g.last_segment[y])
    block.a_off, block.b_off, block.segments = g.segment + low, g.segment_column + low, high - low


cdef void clear_row(Lowering g, Py_ssize_t y, float *out) noexcept nogil:
    """Zeros in the destination's rows from that of row y of this pass to that of the next."""
    clear_run(out, (g.spread_y if y < g.out_h - 1 else g.full_h - y * g.spread_y) * g.full_w * g.full_channels)


def convolve(
    Lowering g not None,
    const float[:, :, :, ::1] source not None,  # in: (batch, height, width, channels)
    const float[::1] packed not None,           # in: (g.packed_floats,), filters as `pack` lays them
    const float[::1] bias not None,             # in: (g.bias_floats,), zeros where there is none
    float[:, :, :, ::1] out not None,           # out: (batch, full_h, full_w, full_channels), this pass's pixels
    float[::1] scratch not None,                # out: at least (threads * g.band_floats,)
    int relu,                                  # 0, 1: at least 0 is written, 6: and at most 6
    int threads,
    bint clear=False,                           # with one group: write zeros between the pixels, too
):
    """One pass: out[pixel, o] = bias[o] + sum over columns k of columns[k, pixel] * packed[k, o]."""
    run(g, source, packed, bias, out, scratch, relu, threads, clear)


cdef int run(Lowering g, const float[:, :, :, ::1] source, const float[::1] packed, const float[::1] bias,
             float[:, :, :, ::1] out, float[::1] scratch, int relu, int threads, bint clear) except -1:
    cdef Py_ssize_t item = 0, items = g.tiles * g.groups * g.parts
    cdef ItemTurns turns
    if out.shape[0] == 0 or items == 0:
        return 0
    cdef const float *x = &source[0, 0, 0, 0]
    cdef const float *w = &packed[0] if packed.shape[0] else NULL
    cdef const float *b = &bias[0]
    cdef float *y = &out[0, 0, 0, 0]
    cdef float *bands = &scratch[0] if scratch.shape[0] else NULL
    if threads == 1:
        for item in range(items):
            convolve_tile(g, item, x, w, b, y, bands, relu, clear)
        return 0
    share_out(&turns, items, threads)
    with nogil, parallel(num_threads=threads):
        item = take(&turns, threadid())
        while item >= 0:
            convolve_tile(g, item, x, w, b, y, bands + threadid() * g.band_floats, relu, clear)
            item = take(&turns, threadid())


cdef class TiledPass:
    """`convolve` with arrays that stay, so that a pass need not look at them; called with the source."""

    cdef Lowering g
    cdef const float[::1] packed, bias
    cdef float[:, :, :, ::1] out
    cdef float[::1] scratch
    cdef int relu
    cdef int threads

    def __init__(self, Lowering g not None, const float[::1] packed not None, const float[::1] bias not None,
                 float[:, :, :, ::1] out not None, float[::1] scratch not None, int relu, int threads):
        self.g, self.packed, self.bias, self.out, self.scratch = g, packed, bias, out, scratch
        self.relu, self.threads = relu, threads

    def __call__(self, const float[:, :, :, ::1] source not None):
        run(self.g, source, self.packed, self.bias, self.out, self.scratch, self.relu, self.threads, False)


def pack(
    Lowering g not None,
    const float[:, :, :, ::1] w not None,   # in: (out_channels, in_channels / groups, height, width)
    float[::1] packed not None,             # out: (g.packed_floats,), zeros in lanes beyond the last channel
    bint transposed,                        # lanes are input channels, taps flipped: for the input gradient
    first, every,                           # then the (vertical, horizontal) taps that this pass uses
    int threads,
):
    """Lay filters out as the register block reads them: block by block, each (columns, block width).

    Where `transposed` a pass uses the taps first, first + every, ...
    """
    cdef Py_ssize_t first_y, first_x, every_y, every_x
    (first_y, first_x), (every_y, every_x) = first, every
    cdef Py_ssize_t down = w.shape[3], right = 1
    if g.turned:
        first_y, first_x, every_y, every_x, down, right = first_x, first_y, every_x, every_y, right, down
    cdef Py_ssize_t plane = w.shape[2] * w.shape[3], filter = w.shape[1] * plane
    cdef Py_ssize_t start = 0, step_y = down, step_x = right, lane = filter, channel = plane
    cdef Py_ssize_t of_group = g.group_out * filter
    if transposed:
        lane, channel, of_group = plane, filter, g.group_in * filter
        step_y, step_x = -every_y * down, -every_x * right
        start = first_y * down - (g.taps_y - 1) * step_y + first_x * right - (g.taps_x - 1) * step_x
    if packed.shape[0] == 0:
        return
    cdef const float *source = &w[0, 0, 0, 0]
    cdef float *target = &packed[0]
    cdef Py_ssize_t slices = ceil_div(g.columns, 64), item
    cdef int team = threads if g.columns * g.lanes * g.groups > 32768 else 1
    for item in prange(g.groups * slices, nogil=True, num_threads=team, schedule="static"):
        pack_columns(g, source + item // slices * of_group + start,
                     target + item // slices * g.columns * g.lanes, item % slices * 64,
                     lane, channel, step_y, step_x)


cdef void pack_columns(Lowering g, const float *w, float *packed, Py_ssize_t first, Py_ssize_t lane,
                       Py_ssize_t channel, Py_ssize_t step_y, Py_ssize_t step_x) noexcept nogil:
    """Pack up to 64 columns from `first` on; lane, channel and steps are distances in w."""
    cdef Py_ssize_t done = 0, width, k, l, c, count, last = min(first + 64, g.columns)
    cdef const float *value
    cdef float *row
    while done < g.group_out:
        width = block_width(g.group_out - done)
        count = min(width, g.group_out - done)
        for k in range(first, last):
            c = k % g.group_in
            value = (w + done * lane + c * channel + k // g.group_in // g.taps_x * step_y
                     + k // g.group_in % g.taps_x * step_x)
            row = packed + done * g.columns + k * width
            for l in range(count):
                row[l] = value[l * lane]
            for l in range(count, width):
                row[l] = 0
        done += width
