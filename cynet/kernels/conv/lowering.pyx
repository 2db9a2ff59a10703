"""im2col as address tables: the geometry of one pass of tiled convolution; tiled_loops.pyx says what they are for."""

from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

cdef enum:
    COPIES = 8  # parts of a tile's output channels, at most, where each has to copy the tile's rows
    CLIPPED_OF = 32  # rows of taps are left out where they are one of so many, or more


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
        Tiles are made smaller until there are this many (or they hold few pixels), or their output channels are
        cut: those first where there are more weights than inputs, which each tile reads anew.
    spread, start : tuple of int
        The distance of neighbouring output pixels, and the place of the first, in destination pixels.
    dilation : tuple of int
        The distance of neighbouring taps, in source pixels.
    """

    def __cinit__(self, source, out, full, taps, stride, before, Py_ssize_t groups, Py_ssize_t tile_floats,
                  Py_ssize_t least_tiles=1, spread=(1, 1), start=(0, 0), dilation=(1, 1)):
        self.batch, self.height, self.width, self.channels = source
        self.out_h, self.out_w = out
        self.full_h, self.full_w, self.full_channels = full
        self.taps_y, self.taps_x = taps
        self.stride_y, self.stride_x = stride
        self.dilation_y, self.dilation_x = dilation
        self.top, self.left = before
        self.start_y, self.start_x = start
        self.spread_y, self.spread_x = spread
        self.groups = groups
        self.turned = self.height == 1 and self.full_h == 1 and self.out_h == 1 and self.taps_y == 1
        if self.turned and self.out_w > 1:  # so that tiles are cut along it
            self.height, self.width, self.out_h, self.out_w = self.width, 1, self.out_w, 1
            self.full_h, self.full_w, self.taps_y, self.taps_x = self.full_w, 1, self.taps_x, 1
            self.stride_y, self.stride_x = self.stride_x, self.stride_y
            self.dilation_y, self.dilation_x = self.dilation_x, self.dilation_y
            self.top, self.left = self.left, self.top
            self.start_y, self.start_x = self.start_x, self.start_y
            self.spread_y, self.spread_x = self.spread_x, self.spread_y
        else:
            self.turned = False
        self.group_in = self.channels // groups
        self.group_out = self.full_channels // groups
        self.lanes = padded_lanes(self.group_out)
        self.columns = self.taps_y * self.taps_x * self.group_in
        self.packed_floats, self.bias_floats = groups * self.columns * self.lanes, groups * self.lanes
        cdef Py_ssize_t high = (self.out_h - 1) * self.stride_y + (self.taps_y - 1) * self.dilation_y + 1
        cdef Py_ssize_t wide = (self.out_w - 1) * self.stride_x + (self.taps_x - 1) * self.dilation_x + 1
        self.direct = (groups == 1 and self.top == 0 and self.left == 0
                       and high <= self.height and wide <= self.width)
        self.band_row = self.width * self.channels if self.direct else wide * self.group_in
        self._cut(tile_floats, least_tiles)
        self._clip()
        self._fill_tables()

    def __dealloc__(self):
        free(self.pixel)
        free(self.out)
        free(self.column)
        free(self.segment)
        free(self.segment_column)
        free(self.first_segment)
        free(self.last_segment)
        free(self.run)
        free(self.run_pixel)

    cdef Py_ssize_t _tap_rows(self, Py_ssize_t rows):
        """Those of the taps' distance, but without what lies between the rows that a tile of so many reads."""
        if self.direct:
            return self.dilation_y
        return min(self.dilation_y, (rows - 1) * self.stride_y + 1)

    cdef Py_ssize_t _band_rows(self, Py_ssize_t rows):
        return (rows - 1) * self.stride_y + (self.taps_y - 1) * self._tap_rows(rows) + 1

    cdef int _cut(self, Py_ssize_t tile_floats, Py_ssize_t least_tiles) except -1:
        """Choose the tile: as many rows, then images, as both bounds leave."""
        cdef Py_ssize_t area = self.out_h * self.out_w
        cdef Py_ssize_t wanted = least_tiles, most = 1
        self.rows, self.images = max(1, self.out_h), 1  # no pixels: one tile of none
        if self.spread_y == 1 and self.spread_x == 1:  # no zeros between the pixels, that one part would write
            most = max(1, ceil_div(self.lanes, WIDEST))
            if not self.direct:  # each part copies the rows
                most = min(most, COPIES)
        if self.columns * self.lanes * self.groups > self.batch * self.height * self.width * self.channels:
            wanted = ceil_div(least_tiles, most)
        while self.rows > 1 and self._band_rows(self.rows) * self.band_row > tile_floats:
            self.rows = (self.rows + 1) // 2
        while (self.rows > 1 and self.rows * self.out_w >= 32
               and self.batch * ceil_div(self.out_h, self.rows) < wanted):
            self.rows = (self.rows + 1) // 2
        if self.rows == self.out_h:
            while (self.images * 2 * area <= 64 and self.images * 2 <= self.batch
                   and ceil_div(self.batch, self.images * 2) >= wanted):
                self.images *= 2
        self.tiles_y = ceil_div(self.out_h, self.rows)
        self.tiles = ceil_div(self.batch, self.images) * self.tiles_y if area else 0
        self.tile_pixels = self.images * self.rows * self.out_w
        most = min(most, ceil_div(least_tiles, max(1, self.tiles * self.groups)))
        self.part_lanes = max(1, ceil_div(ceil_div(self.lanes, WIDEST), most)) * WIDEST
        self.parts = max(1, ceil_div(self.lanes, self.part_lanes))
        self.tap_rows, self.band_rows = self._tap_rows(self.rows), self._band_rows(self.rows)
        self.band_image = self.height * self.band_row if self.direct else self.band_rows * self.band_row
        self.band_floats = 0 if self.direct else self.images * self.band_image

    cdef int _clip(self) except -1:
        """Find the rows of taps that lie within the image, for each row of output pixels; tables of segments later."""
        cdef Py_ssize_t y, at, reached = 0
        self.first_segment, self.last_segment = table(self.out_h), table(self.out_h)
        for y in range(self.out_h):
            at = y * self.stride_y - self.top
            while self.first_segment[y] < self.taps_y and at + self.first_segment[y] * self.dilation_y < 0:
                self.first_segment[y] += 1
            self.last_segment[y] = self.taps_y
            while (self.last_segment[y] > self.first_segment[y]
                   and at + (self.last_segment[y] - 1) * self.dilation_y >= self.height):
                self.last_segment[y] -= 1
            reached += self.last_segment[y] - self.first_segment[y]
        self.clipped = (self.out_h * self.taps_y - reached) * CLIPPED_OF >= self.out_h * self.taps_y > 0

    cdef int _fill_tables(self) except -1:
        cdef Py_ssize_t image, y, x, k, p = 0
        cdef Py_ssize_t full_row = self.full_w * self.full_channels
        cdef Py_ssize_t step = self.stride_x * self.group_in, across = self.dilation_x * self.group_in
        cdef Py_ssize_t down = self.tap_rows * self.band_row
        cdef Py_ssize_t each = 1 if self.dilation_x == 1 or self.taps_x == 1 else self.taps_x  # of a row of taps
        self.pixel, self.out = table(self.tile_pixels), table(self.tile_pixels)
        self.column = table(self.columns)
        self.segments, self.steps = self.taps_y * each, self.taps_x // each * self.group_in
        if each == 1 and down == self.steps and not self.clipped:  # rows of taps lie side by side
            self.segments, self.steps = 1, self.taps_y * self.steps
        self.segment, self.segment_column = table(self.segments), table(self.segments)
        for y in range(self.out_h):
            self.first_segment[y] *= each
            self.last_segment[y] *= each
        self.runs, self.run_pixels, self.run_step = self.images * self.rows, self.out_w, step
        self.even_pixels, self.even_out_step = self.out_w, self.spread_x * self.full_channels
        if self.out_w == 1:
            self.runs, self.run_pixels, self.run_step = self.images, self.rows, self.stride_y * self.band_row
            self.even_pixels, self.even_out_step = self.rows, self.spread_y * full_row
        self.run, self.run_pixel = table(self.runs), table(self.runs)
        for image in range(self.images):
            for y in range(self.rows):
                for x in range(self.out_w):
                    self.pixel[p] = image * self.band_image + y * self.stride_y * self.band_row + x * step
                    self.out[p] = ((image * self.full_h + y * self.spread_y) * full_row
                                   + x * self.spread_x * self.full_channels)
                    p += 1
        for p in range(self.runs):
            self.run_pixel[p] = p * self.run_pixels
            self.run[p] = self.pixel[p * self.run_pixels]
        for k in range(self.columns):
            p = k // self.group_in
            self.column[k] = p // self.taps_x * down + p % self.taps_x * across + k % self.group_in
        for p in range(self.segments):
            self.segment_column[p] = p * self.steps
            self.segment[p] = self.column[p * self.steps]
        if (self.direct and self.taps_y == 1 and self.taps_x == 1 and self.stride_x == 1
                and self.stride_y == 1 and self.width == self.out_w and self.height == self.out_h):
            # A 1x1 window (and so every linear layer): the pixels of a tile lie in one run.
            self.run_pixels *= self.runs
            self.runs, self.run_step = 1, step
            if self.full_w == self.out_w and self.full_h == self.out_h:  # and so do those of the destination
                self.even_pixels, self.even_out_step = self.tile_pixels, self.full_channels

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
        cdef Py_ssize_t rows = self.band_rows - (self.rows - min(self.rows, self.out_h - row)) * self.stride_y
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
                from_y = first + y // self.tap_rows * self.dilation_y + y % self.tap_rows
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
