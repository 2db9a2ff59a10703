"""Convolution by tiled im2col: the geometry, and the pass that forward and input gradient share.

Design: im2col turns a convolution into a matrix product. Its column matrix repeats each pixel once for each
tap, and writing those copies costs as much as the product when there are few output channels. So the copies
are not written: a tile's source rows are copied once, with their zero padding, into a *band* that stays in
the cache, and two address tables say where each entry of the column matrix lies in it,

    columns[k, p] = band[column[k] + pixel[p]],       k = (tap row, tap column, channel), p = output pixel.

All three products of a convolution read it through these tables and meet in one register block (block.h):

    forward          y[p, o]  = sum over k of columns[k, p] * w[k, o]
    input gradient   the same over dy, with flipped filters; a stride s splits it into s x s passes, one for
                     each residue of the pixel's position, with the taps that reach it (`spread`, `start`)
    weight gradient  dw[k, o] = sum over p of columns[k, p] * dy[p, o]        (tiled_weight_loops.pyx)

The work items are tiles of pixels x groups of channels. Each output's sum runs over k in one order, whatever
the tile or block it falls into, so the result is the same for any cut and any number of threads.
"""

from cython.parallel cimport prange, threadid
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from cynet.kernels.common.simd cimport clear_run


cdef Py_ssize_t padded_lanes(Py_ssize_t channels) noexcept:
    """`channels` rounded up to whole register blocks: the row length of packed filters."""
    cdef Py_ssize_t done = 0, width
    while done < channels:
        done += block_width(channels - done)
    return done


cdef Py_ssize_t *table(Py_ssize_t count) except NULL:
    cdef Py_ssize_t *entries = <Py_ssize_t *>calloc(max(count, 1), sizeof(Py_ssize_t))
    if entries == NULL:
        raise MemoryError(f"no memory for an address table of {count} entries")
    return entries


cdef class Lowering:
    """im2col as address tables, for one shape of input.

    Parameters
    ----------
    source : tuple of int
        (batch, height, width, channels) of the array the window slides over.
    out : tuple of int
        (rows, columns) of output pixels that this pass computes in each image.
    full : tuple of int
        (height, width, channels) of the destination array.
    taps, stride, before : tuple of int
        (vertical, horizontal) size of the window, its step, and the padding above and left of the image.
    groups : int
    tile_floats : int
        Tiles are made smaller until their source rows are at most this many floats.
    least_tiles : int
        Tiles are made smaller until there are this many (or they hold few pixels).
    spread, start : tuple of int
        The distance of neighbouring output pixels, and the place of the first, in destination pixels.
    """

    def __cinit__(self, source, out, full, taps, stride, before, Py_ssize_t groups, Py_ssize_t tile_floats,
                  Py_ssize_t least_tiles=1, spread=(1, 1), start=(0, 0)):
        self.batch, self.height, self.width, self.channels = source
        self.out_h, self.out_w = out
        self.full_h, self.full_w, self.full_channels = full
        self.taps_y, self.taps_x = taps
        self.stride_y, self.stride_x = stride
        self.top, self.left = before
        self.start_y, self.start_x = start
        self.spread_y, self.spread_x = spread
        self.groups = groups
        self.group_in = self.channels // groups
        self.group_out = self.full_channels // groups
        self.lanes = padded_lanes(self.group_out)
        self.columns = self.taps_y * self.taps_x * self.group_in
        self.packed_floats, self.bias_floats = groups * self.columns * self.lanes, groups * self.lanes
        self.direct = (groups == 1 and self.top == 0 and self.left == 0
                       and (self.out_h - 1) * self.stride_y + self.taps_y <= self.height
                       and (self.out_w - 1) * self.stride_x + self.taps_x <= self.width)
        if self.direct:
            self.band_row = self.width * self.channels
        else:
            self.band_row = ((self.out_w - 1) * self.stride_x + max(self.taps_x, 1)) * self.group_in
        self._cut(tile_floats, least_tiles)
        self._fill_tables()

    def __dealloc__(self):
        free(self.pixel)
        free(self.out)
        free(self.column)
        free(self.segment)
        free(self.segment_column)
        free(self.run)
        free(self.run_pixel)

    cdef Py_ssize_t _band_rows(self, Py_ssize_t rows):
        return (rows - 1) * self.stride_y + max(self.taps_y, 1)

    cdef int _cut(self, Py_ssize_t tile_floats, Py_ssize_t least_tiles) except -1:
        """Choose the tile: as many rows, then images, as both bounds leave."""
        cdef Py_ssize_t area = self.out_h * self.out_w
        self.rows, self.images = max(1, self.out_h), 1  # no pixels: one tile of none
        while self.rows > 1 and self._band_rows(self.rows) * self.band_row > tile_floats:
            self.rows = (self.rows + 1) // 2
        while (self.rows > 1 and self.rows * self.out_w >= 32
               and self.batch * ceil_div(self.out_h, self.rows) < least_tiles):
            self.rows = (self.rows + 1) // 2
        if self.rows == self.out_h:
            while (self.images * 2 * area <= 64 and self.images * 2 <= self.batch
                   and ceil_div(self.batch, self.images * 2) >= least_tiles):
                self.images *= 2
        self.tiles_y = ceil_div(self.out_h, self.rows)
        self.tiles = ceil_div(self.batch, self.images) * self.tiles_y if area else 0
        self.tile_pixels = self.images * self.rows * self.out_w
        self.band_rows = self._band_rows(self.rows)
        self.band_image = self.height * self.band_row if self.direct else self.band_rows * self.band_row
        self.band_floats = 0 if self.direct else self.images * self.band_image

    cdef int _fill_tables(self) except -1:
        cdef Py_ssize_t image, y, x, k, p = 0
        cdef Py_ssize_t full_row = self.full_w * self.full_channels
        cdef Py_ssize_t step = self.stride_x * self.group_in
        self.pixel, self.out = table(self.tile_pixels), table(self.tile_pixels)
        self.column = table(self.columns)
        self.segment, self.segment_column = table(self.taps_y), table(self.taps_y)
        self.runs, self.run_pixels = self.images * self.rows, self.out_w
        self.run, self.run_pixel = table(self.runs), table(self.runs)
        for image in range(self.images):
            for y in range(self.rows):
                for x in range(self.out_w):
                    self.pixel[p] = image * self.band_image + y * self.stride_y * self.band_row + x * step
                    self.out[p] = ((image * self.full_h + y * self.spread_y) * full_row
                                   + x * self.spread_x * self.full_channels)
                    p += 1
                self.run[image * self.rows + y] = image * self.band_image + y * self.stride_y * self.band_row
                self.run_pixel[image * self.rows + y] = (image * self.rows + y) * self.out_w
        for k in range(self.columns):
            y = k // (self.taps_x * self.group_in)
            self.column[k] = y * self.band_row + k % (self.taps_x * self.group_in)
        for y in range(self.taps_y):
            self.segment[y] = y * self.band_row
            self.segment_column[y] = y * self.taps_x * self.group_in
        if (self.direct and self.taps_y == 1 and self.taps_x == 1 and self.stride_x == 1
                and self.stride_y == 1 and self.width == self.out_w and self.height == self.out_h):
            # A 1x1 window (and so every linear layer): the pixels of a tile lie in one run.
            self.run_pixels *= self.runs
            self.runs = 1

    cdef Py_ssize_t tile_start(self, Py_ssize_t tile, Py_ssize_t *image, Py_ssize_t *row) noexcept nogil:
        """Set the tile's first image and output row; return its number of pixels (less at the end)."""
        image[0] = tile // self.tiles_y * self.images
        row[0] = tile % self.tiles_y * self.rows
        return (min(self.images, self.batch - image[0]) * min(self.rows, self.out_h - row[0])
                * self.out_w)

    cdef const float *band(self, const float *source, Py_ssize_t group, Py_ssize_t image, Py_ssize_t row,
                           Py_ssize_t pixels, float *scratch) noexcept nogil:
        """The tile's source rows with their padding: in `scratch`, or in place where none is needed."""
        cdef Py_ssize_t first = row * self.stride_y - self.top
        if self.direct:
            return source + (image * self.height + first) * self.band_row
        cdef Py_ssize_t images = ceil_div(pixels, self.rows * self.out_w)
        cdef Py_ssize_t rows = (min(self.rows, self.out_h - row) - 1) * self.stride_y + self.taps_y
        cdef Py_ssize_t depth = self.group_in
        cdef Py_ssize_t start = max(0, self.left)
        cdef Py_ssize_t count = min(self.band_row // depth - start, self.width - start + self.left)
        cdef Py_ssize_t i, y, x, from_y
        cdef float *line
        cdef const float *pixel
        if count < 0:
            count = 0
        for i in range(images):
            for y in range(rows):
                line = scratch + i * self.band_image + y * self.band_row
                from_y = first + y
                if from_y < 0 or from_y >= self.height or count == 0:
                    memset(line, 0, self.band_row * sizeof(float))
                    continue
                pixel = (source + (((image + i) * self.height + from_y) * self.width + start - self.left)
                         * self.channels + group * depth)
                memset(line, 0, start * depth * sizeof(float))
                line += start * depth
                if depth == self.channels:
                    memcpy(line, pixel, count * depth * sizeof(float))
                else:
                    for x in range(count):
                        memcpy(line + x * depth, pixel + x * self.channels, depth * sizeof(float))
                memset(line + count * depth, 0,
                       (self.band_row - (start + count) * depth) * sizeof(float))
        return scratch


cdef void convolve_tile(Lowering g, Py_ssize_t item, const float *source, const float *packed,
                        const float *bias, float *out, float *scratch, bint relu, bint clear) noexcept nogil:
    """All output channels of one group for one tile of pixels."""
    cdef Py_ssize_t image, row, width, height, channel = 0, p, q, r, blocks
    cdef Py_ssize_t step = g.stride_x * g.group_in
    cdef Py_ssize_t out_step = g.spread_x * g.full_channels
    cdef Py_ssize_t group = item // g.tiles
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
    block.segments, block.steps = g.taps_y, g.taps_x * g.group_in
    while channel < g.group_out:
        width = block_width(g.group_out - channel)
        height = block_rows(width)
        block.b, block.b_step = packed + channel * g.columns, width
        block.lanes = g.group_out - channel
        p = 0
        while p < pixels:
            while channel == 0 and cleared < min(p + height, pixels):  # a row's at a time, for the first cache
                clear_row(g, row + cleared // g.out_w % g.rows, out - start + g.out[cleared])
                cleared += g.out_w
            # As many whole blocks as a row of pixels has, then one that may reach into the next row.
            blocks = min(g.out_w - p % g.out_w, pixels - p) // height if block.lanes >= width else 0
            if blocks:
                block.a[0], block.c[0] = band + g.pixel[p], out + g.out[p] + channel
                block.init[0] = bias + channel
                blocks_run(&block, width, blocks, step, out_step)
                p += blocks * height
                continue
            block.rows = min(height, pixels - p)
            for r in range(height):
                q = p + min(r, block.rows - 1)  # rows beyond the last repeat it, and are not stored
                block.a[r] = band + g.pixel[q]
                block.c[r] = out + g.out[q] + channel
                block.init[r] = bias + channel
            block_run(&block, width)
            p += height
        channel += width


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
    bint relu,                                  # whether what is written is at least 0
    int threads,
    bint clear=False,                           # with one group: write zeros between the pixels, too
):
    """One pass: out[pixel, o] = bias[o] + sum over columns k of columns[k, pixel] * packed[k, o]."""
    cdef Py_ssize_t item, items = g.tiles * g.groups
    if out.shape[0] == 0 or items == 0:
        return
    cdef const float *x = &source[0, 0, 0, 0]
    cdef const float *w = &packed[0] if packed.shape[0] else NULL
    cdef const float *b = &bias[0]
    cdef float *y = &out[0, 0, 0, 0]
    cdef float *bands = &scratch[0] if scratch.shape[0] else NULL
    if threads == 1:
        for item in range(items):
            convolve_tile(g, item, x, w, b, y, bands, relu, clear)
        return
    for item in prange(items, nogil=True, num_threads=threads, schedule="dynamic", chunksize=1):
        convolve_tile(g, item, x, w, b, y, bands + threadid() * g.band_floats, relu, clear)


def pack(
    Lowering g not None,
    const float[:, :, :, ::1] w not None,   # in: (out_channels, in_channels / groups, height, width)
    float[::1] packed not None,             # out: (g.packed_floats,), zeros in lanes beyond the last channel
    bint transposed,                        # lanes are input channels, taps flipped: for the input gradient
    first,                                  # then the (vertical, horizontal) tap that this pass uses first
    int threads,
):
    """Lay filters out as the register block reads them: block by block, each (columns, block width).

    Where `transposed` a pass uses every spread-th tap from `first` on.
    """
    cdef Py_ssize_t first_y, first_x
    first_y, first_x = first
    cdef Py_ssize_t plane = w.shape[2] * w.shape[3], filter = w.shape[1] * plane
    cdef Py_ssize_t start = 0, step_y = w.shape[3], step_x = 1, lane = filter, channel = plane
    cdef Py_ssize_t of_group = g.group_out * filter
    if transposed:
        lane, channel, of_group = plane, filter, g.group_in * filter
        step_y, step_x = -g.spread_y * w.shape[3], -g.spread_x
        start = (first_y * w.shape[3] - (g.taps_y - 1) * step_y
                 + first_x - (g.taps_x - 1) * step_x)
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
