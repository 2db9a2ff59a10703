"""Convolution with pixels in a register's lanes, for numbers of output channels that would leave it empty (planes.h).

Design: a tile's source rows are copied once, each channel into a plane of its own, with zeros around; of a stride s
each plane is s x s planes, one for each residue of rows and columns. So the pixels that a tap reads for neighbouring
outputs lie side by side, also from one row to the next: a block of outputs is some pixels of the flattened tile, the
padding's among them, which are computed in vain. Its sums are turned into rows of channels and copied to the outputs.

An output's sum runs over channels, then rows and columns of taps, whatever the tile and the block are: the same bytes
for any cut and any number of threads.
"""

from cython.parallel cimport parallel, threadid
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from cynet.kernels.common.simd cimport VL, clear_run, copy_run
from cynet.kernels.common.turns cimport ItemTurns, share_out, take


cdef extern from "planes.h" nogil:
    const Py_ssize_t PLANES_FEWEST
    const Py_ssize_t PLANES_MOST
    const Py_ssize_t PLANES_PITCH
    Py_ssize_t planes_vectors(Py_ssize_t n)
    void planes_run(Py_ssize_t n, Py_ssize_t vectors, const float *band, const Py_ssize_t *off, Py_ssize_t columns,
                    const float *b, const float *bias, float *m, int relu)
    void planes_rows(const float *m, Py_ssize_t pixels, Py_ssize_t n, float *rows, Py_ssize_t step)
    void planes_fill(const float *x, Py_ssize_t step, Py_ssize_t pixels, Py_ssize_t channels, float *row,
                     Py_ssize_t plane)

FEWEST, MOST, LANES = PLANES_FEWEST, PLANES_MOST, VL

cdef enum:
    BEHIND = 8  # floats that rows of channels may have behind them


def vectors_of(Py_ssize_t outputs):
    """The vectors of pixels of a block of so many outputs, at most."""
    return planes_vectors(outputs)


cdef class Planes:
    """One pass of a window over images, for whole tiles of rows of outputs.

    Parameters
    ----------
    source : tuple of int
        (batch, height, width, channels) of the images.
    out : tuple of int
        (height, width, channels) of the outputs, at least FEWEST channels.
    taps, stride, before, dilation : tuple of int
        (vertical, horizontal) size of the window, its step, the padding above and left, the distance of its taps.
    rows : int
        Of outputs in a tile.
    """

    cdef readonly Py_ssize_t batch, height, width, channels, out_h, out_w, outputs
    cdef readonly Py_ssize_t taps_y, taps_x, stride_y, stride_x, top, left
    cdef readonly Py_ssize_t rows, tiles_y, tiles
    cdef readonly Py_ssize_t pitch, plane_rows, plane   # floats of a plane's row; its rows, and floats
    cdef readonly Py_ssize_t columns, groups            # of a sum; of outputs, as equal as they can be
    cdef readonly Py_ssize_t band_floats, each          # of scratch: a band, all of a thread
    cdef readonly Py_ssize_t packed_floats
    cdef Py_ssize_t *off        # of each column
    cdef Py_ssize_t *phase      # of each residue, row by row: its plane's number, or -1 where no tap reads it

    def __cinit__(self, source, out, taps, stride, before, dilation, Py_ssize_t rows):
        cdef Py_ssize_t c, y, x, k = 0, used = 0, dilation_y, dilation_x, place
        self.batch, self.height, self.width, self.channels = source
        self.out_h, self.out_w, self.outputs = out
        self.taps_y, self.taps_x = taps
        self.stride_y, self.stride_x = stride
        self.top, self.left = before
        dilation_y, dilation_x = dilation
        self.rows, self.tiles_y = rows, (self.out_h + rows - 1) // rows
        self.tiles = self.batch * self.tiles_y if self.out_w else 0
        self.pitch = self.out_w + (self.taps_x - 1) * dilation_x // self.stride_x
        self.plane_rows = rows + (self.taps_y - 1) * dilation_y // self.stride_y
        self.plane = (self.plane_rows * self.pitch + 15) // 16 * 16 | 16  # no two in the same set of the cache
        self.columns = self.taps_y * self.taps_x * self.channels
        self.groups = (self.outputs + PLANES_MOST - 1) // PLANES_MOST
        self.packed_floats = self.columns * self.outputs
        self.off = <Py_ssize_t *>calloc(max(1, self.columns), sizeof(Py_ssize_t))
        self.phase = <Py_ssize_t *>calloc(self.stride_y * self.stride_x, sizeof(Py_ssize_t))
        if self.off == NULL or self.phase == NULL:
            raise MemoryError(f"no memory for an address table of {self.columns} entries")
        for k in range(self.stride_y * self.stride_x):
            self.phase[k] = -1
        for y in range(self.taps_y):
            for x in range(self.taps_x):
                place = y * dilation_y % self.stride_y * self.stride_x + x * dilation_x % self.stride_x
                if self.phase[place] < 0:
                    self.phase[place], used = used, used + 1
        k = 0
        for c in range(self.channels):
            for y in range(self.taps_y):
                for x in range(self.taps_x):
                    place = y * dilation_y % self.stride_y * self.stride_x + x * dilation_x % self.stride_x
                    self.off[k] = ((self.phase[place] * self.channels + c) * self.plane
                                   + y * dilation_y // self.stride_y * self.pitch + x * dilation_x // self.stride_x)
                    k += 1
        # The last block reads pixels behind the band.
        self.band_floats = used * self.channels * self.plane + PLANES_PITCH
        self.each = (self.band_floats + (PLANES_MOST + 7) // 8 * 8 * PLANES_PITCH
                     + PLANES_PITCH * (self.outputs + BEHIND) + 15) // 16 * 16

    def __dealloc__(self):
        free(self.off)
        free(self.phase)

    cdef Py_ssize_t first_output(self, Py_ssize_t group) noexcept nogil:
        return self.outputs * group // self.groups


def pack(
    Planes g not None,
    const float[:, :, :, ::1] w not None,   # in: (out_channels, in_channels, height, width)
    float[::1] packed not None,             # out: (g.packed_floats,)
    bint transposed,                        # outputs are input channels, taps turned: for the input gradient
):
    """Lay filters out as the blocks read them: group by group, each (columns, its outputs)."""
    cdef Py_ssize_t taps = w.shape[2] * w.shape[3], filter = w.shape[1] * taps
    cdef Py_ssize_t of_output = filter, of_channel = taps
    if transposed:
        of_output, of_channel = taps, filter
    cdef Py_ssize_t group, first, count, c, t, o
    if g.packed_floats == 0:
        return
    cdef const float *source = &w[0, 0, 0, 0]
    cdef float *target = &packed[0]
    for group in range(g.groups):
        first = g.first_output(group)
        count = g.first_output(group + 1) - first
        for c in range(g.channels):
            for t in range(taps):
                for o in range(count):
                    target[o] = source[(first + o) * of_output + c * of_channel + (taps - 1 - t if transposed else t)]
                target += count


def convolve(
    Planes g not None,
    const float[:, :, :, ::1] source not None,  # in: (batch, height, width, channels)
    const float[::1] packed not None,           # in: filters as `pack` lays them
    const float[::1] bias not None,             # in: (outputs,)
    float[:, :, :, ::1] out not None,           # out: (batch, out_h, out_w, outputs)
    float[::1] scratch not None,                # out: at least (threads * g.each,)
    int relu,                                   # 0, 1: at least 0 is written, 6: and at most 6
    int threads,
):
    """out[pixel, o] = bias[o] + sum over columns k of columns[k, pixel] * packed[k, o]."""
    run(g, source, packed, bias, out, scratch, relu, threads)


cdef class PlanesPass:
    """`convolve` with arrays that stay, so that a pass need not look at them; called with the source."""

    cdef Planes g
    cdef const float[::1] packed, bias
    cdef float[:, :, :, ::1] out
    cdef float[::1] scratch
    cdef int relu
    cdef int threads

    def __init__(self, Planes g not None, const float[::1] packed not None, const float[::1] bias not None,
                 float[:, :, :, ::1] out not None, float[::1] scratch not None, int relu, int threads):
        self.g, self.packed, self.bias, self.out, self.scratch = g, packed, bias, out, scratch
        self.relu, self.threads = relu, threads

    def __call__(self, const float[:, :, :, ::1] source not None):
        run(self.g, source, self.packed, self.bias, self.out, self.scratch, self.relu, self.threads)


cdef void run(Planes g, const float[:, :, :, ::1] source, const float[::1] packed, const float[::1] bias,
              float[:, :, :, ::1] out, float[::1] scratch, int relu, int threads) noexcept:
    cdef Py_ssize_t tile = 0
    cdef ItemTurns turns
    if g.tiles == 0 or g.columns == 0:
        return
    cdef const float *x = &source[0, 0, 0, 0]
    cdef const float *w = &packed[0]
    cdef const float *b = &bias[0]
    cdef float *y = &out[0, 0, 0, 0]
    cdef float *work = &scratch[0]
    if threads == 1:
        clear_run(work, g.band_floats)
        for tile in range(g.tiles):
            one_tile(g, tile, x, w, b, y, work, relu)
        return
    share_out(&turns, g.tiles, threads)
    with nogil, parallel(num_threads=threads):
        clear_run(work + threadid() * g.each, g.band_floats)  # once: the padding beside the images stays
        tile = take(&turns, threadid())
        while tile >= 0:
            one_tile(g, tile, x, w, b, y, work + threadid() * g.each, relu)
            tile = take(&turns, threadid())


cdef void one_tile(Planes g, Py_ssize_t tile, const float *x, const float *w, const float *bias, float *y,
                   float *work, int relu) noexcept nogil:
    """Some rows of one image."""
    cdef Py_ssize_t image = tile // g.tiles_y, row = tile % g.tiles_y * g.rows
    cdef Py_ssize_t rows = min(g.rows, g.out_h - row), end = (rows - 1) * g.pitch + g.out_w, p = 0, count
    cdef Py_ssize_t group, first, outputs, most = planes_vectors((g.outputs + g.groups - 1) // g.groups)
    cdef Py_ssize_t step = g.outputs if g.groups == 1 else g.outputs + BEHIND
    cdef float *m = work + g.band_floats
    cdef float *pixels = m + (PLANES_MOST + 7) // 8 * 8 * PLANES_PITCH
    cdef const float *filters
    fill(g, x + image * g.height * g.width * g.channels, row, rows, work)
    y += (image * g.out_h + row) * g.out_w * g.outputs
    while p < end:
        count = min(most, (end - p + VL - 1) // VL)
        filters = w
        for group in range(g.groups):
            first = g.first_output(group)
            outputs = g.first_output(group + 1) - first
            planes_run(outputs, count, work + p, g.off, g.columns, filters, bias + first, m, relu)
            planes_rows(m, min(count * VL, end - p), outputs, pixels + first, step)
            filters += g.columns * outputs
        store(g, p, min(count * VL, end - p), pixels, step, y)
        p += count * VL


cdef void store(Planes g, Py_ssize_t p, Py_ssize_t count, const float *pixels, Py_ssize_t step,
                float *y) noexcept nogil:
    """`count` pixels of the flattened tile from p on, without the padding's, to the tile's outputs."""
    cdef Py_ssize_t done = 0, line, x, some, i
    while done < count:
        line, x = (p + done) // g.pitch, (p + done) % g.pitch
        some = min(g.out_w - x, count - done)
        if some > 0:
            if step == g.outputs:
                copy_run(y + (line * g.out_w + x) * g.outputs, pixels + done * step, some * g.outputs)
            else:
                for i in range(some):
                    copy_run(y + (line * g.out_w + x + i) * g.outputs, pixels + (done + i) * step, g.outputs)
        done += min(g.pitch - x, count - done)


cdef void fill(Planes g, const float *image, Py_ssize_t row, Py_ssize_t rows, float *band) noexcept nogil:
    """The planes of a tile's source rows; beside the images they have their zeros."""
    cdef Py_ssize_t y, x, line, at, first, last, c, number
    cdef float *plane
    for y in range(g.stride_y):
        for x in range(g.stride_x):
            number = g.phase[y * g.stride_x + x]
            if number < 0:
                continue
            # Column j of the plane is column j * stride + x - left of the image.
            first = max(0, (g.left - x + g.stride_x - 1) // g.stride_x if g.left > x else 0)
            last = min(g.pitch, (g.width - 1 + g.left - x) // g.stride_x + 1 if g.width - 1 + g.left >= x else 0)
            for line in range(rows + g.plane_rows - g.rows):
                at = (row + line) * g.stride_y + y - g.top
                plane = band + number * g.channels * g.plane + line * g.pitch
                if first >= last:
                    continue
                if at < 0 or at >= g.height:
                    for c in range(g.channels):
                        clear_run(plane + c * g.plane + first, last - first)
                    continue
                planes_fill(image + (at * g.width + first * g.stride_x + x - g.left) * g.channels,
                            g.stride_x * g.channels, last - first, g.channels, plane + first, g.plane)
