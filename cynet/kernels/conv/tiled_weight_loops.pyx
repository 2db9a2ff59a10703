"""The weight gradient of a convolution, dw[k, o] = sum over pixels p of columns[k, p] * dy[p, o].

Design: the sum over pixels is cut into `chunks` of tiles, chosen by the problem's size alone. Each chunk has
its own partial dw; in it the register block holds some columns x output channels while it walks over the
pixels of a tile (tiled_loops.pyx says how the column matrix is read). Where there are few pixels and many columns,
as in a linear layer, the columns are cut into `splits` as well, so that every thread has work. The partial
sums are added in the order of the chunks: the same bytes for any number of threads. Of a large 1x1 convolution the
pixels of the next tile are asked for meanwhile: a block reads some columns of each, a line here and a line there, which
the processor does not foresee.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.string cimport memset

from cynet.kernels.common.ahead cimport Share, fetch_read, share_of
from cynet.kernels.common.simd cimport load, vf8, vload8, vset8, vstore8
from cynet.kernels.common.turns cimport ItemTurns, share_out, take
from cynet.kernels.conv.lowering cimport (
    Block, Lowering, block_rows, block_rows_of, block_run, block_width, blocks_along, ceil_div,
)

cdef float[32] zeros
memset(zeros, 0, sizeof(zeros))

cdef enum:
    SLICE = 16  # weights of each filter that one item of the final sum writes: whole lines, which no other thread does
    LANES = 8  # of them at once: partial sums have whole vectors of these
    FAR = 1 << 22  # floats of x and dy, 16 MB, that have to come from beyond the caches


def partial_floats(Lowering g not None, Py_ssize_t chunks):
    """The floats of the partial sums of `weight_gradient`."""
    return chunks * g.packed_floats


def scratch_floats(Lowering g not None):
    """The floats of scratch that `weight_gradient` needs for each thread."""
    return g.band_floats + (g.tile_pixels * g.lanes if g.lanes != g.group_out else 0)


def weight_gradient(
    Lowering g not None,                        # of the forward pass
    const float[:, :, :, ::1] source not None,  # in: (batch, height, width, channels), the forward pass's input
    const float[:, :, :, ::1] dy not None,      # in: (batch, out_h, out_w, out_channels)
    float[:, :, :, ::1] dw not None,            # inout: (out_channels, channels / groups, taps_y, taps_x), added to
    float[::1] partial not None,                # out: (partial_floats(g, chunks),)
    float[::1] scratch not None,                # out: at least (threads * scratch_floats(g),)
    Py_ssize_t chunks, Py_ssize_t splits,       # how often pixels and columns are cut: functions of shapes alone
    int threads,
):
    """Add the gradient of the loss with respect to the filters to dw."""
    cdef Py_ssize_t items = chunks * g.groups * splits, item = 0
    cdef ItemTurns turns
    if g.tiles == 0 or g.columns == 0 or source.shape[0] == 0:
        return
    cdef const float *x = &source[0, 0, 0, 0]
    cdef const float *d = &dy[0, 0, 0, 0]
    cdef float *sums = &partial[0]
    cdef float *target = &dw[0, 0, 0, 0]
    cdef float *work = &scratch[0] if scratch.shape[0] else NULL
    cdef Py_ssize_t each = scratch_floats(g), slices = slices_of(g)
    if threads == 1:
        for item in range(items):
            sum_chunk(g, item, chunks, splits, x, d, sums, work)
        for item in range(g.groups * slices):
            add_partials(g, item, slices, chunks, sums, target)
        return
    share_out(&turns, items, threads)
    with nogil, parallel(num_threads=threads):
        item = take(&turns, threadid())
        while item >= 0:
            sum_chunk(g, item, chunks, splits, x, d, sums, work + threadid() * each)
            item = take(&turns, threadid())
    for item in prange(g.groups * slices, nogil=True, num_threads=threads, schedule="static"):
        add_partials(g, item, slices, chunks, sums, target)


cdef void sum_chunk(Lowering g, Py_ssize_t item, Py_ssize_t chunks, Py_ssize_t splits, const float *source,
                    const float *dy, float *partial, float *scratch) noexcept nogil:
    """One chunk of pixels, one group, one split of the columns."""
    cdef Py_ssize_t split = item % splits, group = item // splits % g.groups
    cdef Py_ssize_t chunk = item // splits // g.groups
    # Splits meet at multiples of the block's height, so that all but the last block are full.
    cdef Py_ssize_t first = g.columns * split // splits // 8 * 8
    cdef Py_ssize_t last = g.columns if split == splits - 1 else g.columns * (split + 1) // splits // 8 * 8
    cdef Py_ssize_t begin = g.tiles * chunk // chunks, tile
    partial += chunk * g.packed_floats + group * g.columns * g.lanes
    for tile in range(begin, g.tiles * (chunk + 1) // chunks):
        add_tile(g, tile, group, first, last, source, dy, partial, scratch, tile == begin)


cdef void add_tile(Lowering g, Py_ssize_t tile, Py_ssize_t group, Py_ssize_t first, Py_ssize_t last,
                   const float *source, const float *dy, float *partial, float *scratch, bint fresh) noexcept nogil:
    """Add one tile's pixels to the partial sums of columns first to last of a group (or, if fresh, start them)."""
    cdef Py_ssize_t image, row, p, lane, left, pixels = g.tile_start(tile, &image, &row)
    cdef vf8 v
    cdef const float *band = g.band(source, group, image, row, pixels, scratch)
    cdef float *padded = scratch + g.band_floats
    cdef Share x_ahead = share_of(band, 0, 0, 1, 1), dy_ahead = x_ahead
    dy += (image * g.out_h + row) * g.out_w * g.full_channels + group * g.group_out
    if g.lanes == g.group_out:
        if first == 0 and tile + 1 < g.tiles and reads_far(g):
            x_ahead = share_of(band + pixels * g.channels, pixels * g.channels, 0, 1, 1)
            dy_ahead = share_of(dy + pixels * g.full_channels, pixels * g.full_channels, 0, 1, 1)
        sum_tile(g, row, pixels, first, last, band, dy, g.full_channels, partial, fresh, x_ahead, dy_ahead)
        return
    for p in range(pixels):
        lane = 0
        while lane < g.lanes:
            left = g.group_out - lane
            v = load(dy + p * g.full_channels + lane, left) if left > 0 else vset8(0)
            vstore8(padded + p * g.lanes + lane, v)
            lane += LANES
    sum_tile(g, row, pixels, first, last, band, padded, g.lanes, partial, fresh, x_ahead, dy_ahead)


cdef bint reads_far(Lowering g) noexcept nogil:
    """Whether the pixels of a tile, and those of the next one, lie one after another, and all of them far away."""
    cdef bint walks = g.direct and g.columns == g.channels and g.stride_y == g.stride_x == 1
    return walks and g.batch * g.height * g.width * (g.channels + g.full_channels) >= FAR


cdef Py_ssize_t slices_of(Lowering g) noexcept nogil:
    """The items of the final sum of each group."""
    return ceil_div(g.columns, SLICE)


cdef void sum_tile(Lowering g, Py_ssize_t row, Py_ssize_t pixels, Py_ssize_t first, Py_ssize_t last,
                   const float *band, const float *dy, Py_ssize_t dy_step, float *partial, bint fresh,
                   Share x_ahead, Share dy_ahead) noexcept nogil:
    """`add_tile`, from its band and its rows of dy, `dy_step` floats from one pixel to the next; asks for what is ahead,
    with each block a part."""
    cdef Py_ssize_t channel = 0, width, height, blocks, k, r, part = 0, parts = 0
    cdef Py_ssize_t run = g.steps  # columns that lie side by side
    cdef bint clipped = g.clipped and g.images == 1 and g.run_pixels == g.out_w  # runs are rows of one image
    cdef Block block
    while x_ahead.lines and channel < g.group_out:
        width = block_width(g.group_out - channel)
        parts += (last - first) // block_rows(width)
        channel += width
    channel = 0
    block.ahead = False
    block.relu = 0
    block.a_step, block.b_step = g.run_step, dy_step
    block.a_off, block.b_off = g.run, g.run_pixel
    if g.runs == 1:
        block.segments, block.steps = 1, pixels
    else:
        block.segments, block.steps = pixels // g.run_pixels, g.run_pixels
    while channel < g.group_out:
        width = block_width(g.group_out - channel)
        block.b, block.lanes = dy + channel, width
        k = first
        while k < last:
            # As many whole blocks as a row of taps has, then one that may reach into the next row.
            blocks = min(run - k % run, last - k) // block_rows(width)
            height = block_rows_of(width, last - k)
            block.rows = blocks * block_rows(width) if blocks else min(height, last - k)
            if clipped:
                clip(g, &block, row, pixels // g.out_w, k, k + block.rows)
            if blocks and parts:
                fetch_read(x_ahead, part, parts)
                fetch_read(dy_ahead, part, parts)
                part += 1
                blocks = 1
                block.rows = block_rows(width)
            if blocks:
                block.a[0], block.c[0] = band + g.column[k], partial + k * g.lanes + channel
                blocks_along(&block, width, blocks, g.lanes, fresh)
                k += block.rows
                continue
            for r in range(height):
                block.a[r] = band + g.column[k + min(r, block.rows - 1)]
                block.c[r] = partial + (k + min(r, block.rows - 1)) * g.lanes + channel
                block.init[r] = block.c[r]
                if fresh:
                    block.init[r] = zeros
            block_run(&block, width, height)
            k += height
        channel += width


cdef void clip(Lowering g, Block *block, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t first,
               Py_ssize_t last) noexcept nogil:
    """Leave out a tile's rows of pixels for which the taps of columns first to last lie above or below the image."""
    cdef Py_ssize_t low = 0, high = rows
    while low < high and g.first_segment[row + low] > (last - 1) // g.steps:
        low += 1
    while low < high and g.last_segment[row + high - 1] <= first // g.steps:
        high -= 1
    block.a_off, block.b_off, block.segments = g.run + low, g.run_pixel + low, high - low


cdef void add_partials(Lowering g, Py_ssize_t item, Py_ssize_t slices, Py_ssize_t chunks,
                       const float *partial, float *dw) noexcept nogil:
    """Add the chunks' partial sums, in order, to SLICE neighbouring weights of each filter."""
    cdef Py_ssize_t group = item // slices, first = item % slices * SLICE, lane = 0, i, o, chunk
    cdef Py_ssize_t taps = g.taps_y * g.taps_x, count = min(SLICE, g.columns - first)
    cdef Py_ssize_t[SLICE] row  # of the partial sums
    cdef float[SLICE][LANES] sums
    cdef vf8 total
    cdef const float *p
    partial += group * g.columns * g.lanes
    dw += group * g.group_out * g.columns + first
    for i in range(count):
        row[i] = ((first + i) % taps * g.group_in + (first + i) // taps) * g.lanes
    while lane < g.group_out:
        for i in range(count):
            p = partial + row[i] + lane
            total = vset8(0)
            for chunk in range(chunks):
                total = total + vload8(p + chunk * g.packed_floats)
            vstore8(sums[i], total)
        for o in range(lane, min(lane + LANES, g.group_out)):
            for i in range(count):
                dw[o * g.columns + i] += sums[i][o - lane]
        lane += LANES
