"""Convolution of images of few channels: the first layer of a net.

Design: with three channels a 3x3 window has 27 entries, nine side by side in each of its rows. The sums are so
short that the address tables of tiled_loops.pyx cost more than the sums. Here eight neighbouring output pixels, whose
windows lie at one distance, meet in a register block (product.h):

    forward          y[p, o]  = sum over k of band[p * step + offset[k]] * w[k, o]
    weight gradient  dw[k, o] = sum over p of band[p * step + offset[k]] * dy[p, o]

`band` is one image with its zero padding, which stays in the cache. The weight gradient is cut into chunks of
images, whose sums are added in order: the same bytes for any number of threads.
"""

from cython.parallel cimport parallel, threadid
from libc.string cimport memset

from cynet.kernels.common.simd cimport clear_run, copy_run
from cynet.kernels.common.turns cimport ItemTurns, share_out, take

cdef extern from "product.h":
    enum: VL
    enum: _LANES "PRODUCT_LANES"
    Py_ssize_t product_width(Py_ssize_t lanes) noexcept nogil
    void window_sums(Py_ssize_t taps, Py_ssize_t a_next, Py_ssize_t lanes, Py_ssize_t rows, const float *a,
                     Py_ssize_t a_step, Py_ssize_t a_line, const float *b, Py_ssize_t b_step, Py_ssize_t b_line,
                     Py_ssize_t steps, Py_ssize_t lines, float *c, Py_ssize_t c_row) noexcept nogil
    Py_ssize_t table_rows(Py_ssize_t width, Py_ssize_t rows) noexcept nogil
    void table_product(Py_ssize_t width, Py_ssize_t rows, const float *a, Py_ssize_t a_row,
                       const Py_ssize_t *offset, const float *b, Py_ssize_t steps, const float *init, float *c,
                       Py_ssize_t c_row, int relu) noexcept nogil

cdef enum:
    PIXELS = 8  # of a register block
    MOST = 256  # entries of a window, at most

MOST_ENTRIES, LEAST_WIDTH = MOST, PIXELS
LANES, WIDEST = _LANES, VL  # of which output channels are a multiple; of a register


cdef class Band:
    """One image of few channels with its padding, and where the entries of a window lie in it.

    Parameters
    ----------
    shape : tuple of int
        (batch, height, width, channels) of the input.
    out_hw, taps, stride, before : tuple of int
        (vertical, horizontal) output pixels (at least 8 across), size, step, and padding above and left.
    """

    cdef readonly Py_ssize_t batch, height, width, channels, out_h, out_w, taps_y, taps_x, stride_y, stride_x
    cdef readonly Py_ssize_t top, left, band_h, band_row, entries
    cdef readonly Py_ssize_t floats  # of the padded image: scratch of a thread
    cdef Py_ssize_t[MOST] offset

    def __cinit__(self, shape, out_hw, taps, stride, before):
        cdef Py_ssize_t k, row
        self.batch, self.height, self.width, self.channels = shape
        self.out_h, self.out_w = out_hw
        self.taps_y, self.taps_x = taps
        self.stride_y, self.stride_x = stride
        self.top, self.left = before
        self.band_h = (self.out_h - 1) * self.stride_y + self.taps_y
        self.band_row = ((self.out_w - 1) * self.stride_x + self.taps_x) * self.channels
        self.floats = self.band_h * self.band_row
        row = self.taps_x * self.channels
        self.entries = self.taps_y * row
        if self.entries > MOST or self.out_w < PIXELS:
            raise ValueError(f"wanted at most {MOST} entries and {PIXELS} pixels across, got {self.entries} "
                             f"and {self.out_w}")
        for k in range(self.entries):
            self.offset[k] = k // row * self.band_row + k % row

    def partial_shape(self, Py_ssize_t chunks, Py_ssize_t lanes):
        """The shape of the partial sums of `weight_gradient`."""
        return chunks, self.entries * lanes

    cdef void fill(self, const float *image, float *band) noexcept nogil:
        """Copy one image with its padding (or without what the windows leave out)."""
        cdef Py_ssize_t y, from_y, start = max(0, self.left) * self.channels
        cdef Py_ssize_t skip = max(0, -self.left) * self.channels
        cdef Py_ssize_t count = max(0, min(self.band_row - start, self.width * self.channels - skip))
        for y in range(self.band_h):
            from_y = y - self.top
            if from_y < 0 or from_y >= self.height:
                clear_run(band, self.band_row)
            else:
                clear_run(band, start)
                copy_run(band + start, image + from_y * self.width * self.channels + skip, count)
                clear_run(band + start + count, self.band_row - start - count)
            band += self.band_row


def pack(
    const float[:, :, :, ::1] w not None,   # in: (lanes, channels, taps_y, taps_x), lanes a multiple of LANES
    float[::1] packed not None,             # out: (w.size,)
):
    """Lay filters out as `convolve` reads them: block of lanes after block, each (entries, width)."""
    cdef Py_ssize_t channels = w.shape[1], plane = w.shape[2] * w.shape[3], entries = channels * plane
    cdef Py_ssize_t done = 0, width, k, lane, place
    cdef const float *source = &w[0, 0, 0, 0]
    cdef float *target = &packed[0]
    while done < w.shape[0]:
        width = product_width(w.shape[0] - done)
        for k in range(entries):
            place = k % channels * plane + k // channels
            for lane in range(width):
                target[k * width + lane] = source[(done + lane) * entries + place]
        target += width * entries
        done += width


def convolve(
    Band g not None,
    const float[:, :, :, ::1] source not None,  # in: (batch, height, width, channels)
    const float[::1] packed not None,           # in: (entries * lanes,), as `pack` lays it
    const float[::1] bias not None,             # in: (lanes,)
    float[:, :, :, ::1] out not None,           # out: (batch, out_h, out_w, lanes)
    float[::1] scratch not None,                # out: (threads * g.floats,)
    int relu,
    int threads,
):
    """out = the convolution of `source` with the packed filters, plus bias; with `relu`, at least 0."""
    run(g, source, packed, bias, out, scratch, relu, threads)


cdef int run(Band g, const float[:, :, :, ::1] source, const float[::1] packed, const float[::1] bias,
             float[:, :, :, ::1] out, float[::1] scratch, int relu, int threads) except -1:
    cdef Py_ssize_t image = 0, lanes = out.shape[3]
    cdef ItemTurns turns
    if source.shape[0] == 0:
        return 0
    cdef const float *x = &source[0, 0, 0, 0]
    cdef const float *w = &packed[0]
    cdef const float *b = &bias[0]
    cdef float *y = &out[0, 0, 0, 0]
    cdef float *work = &scratch[0]
    if threads == 1:
        for image in range(g.batch):
            convolve_image(g, image, x, w, b, y, lanes, work, relu)
        return 0
    share_out(&turns, g.batch, threads)
    with nogil, parallel(num_threads=threads):
        image = take(&turns, threadid())
        while image >= 0:
            convolve_image(g, image, x, w, b, y, lanes, work + threadid() * g.floats, relu)
            image = take(&turns, threadid())


cdef class ThinPass:
    """`convolve` with arrays that stay, so that a pass need not look at them; called with the source."""

    cdef Band g
    cdef const float[::1] packed, bias
    cdef float[:, :, :, ::1] out
    cdef float[::1] scratch
    cdef int relu
    cdef int threads

    def __init__(self, Band g not None, const float[::1] packed not None, const float[::1] bias not None,
                 float[:, :, :, ::1] out not None, float[::1] scratch not None, int relu, int threads):
        self.g, self.packed, self.bias, self.out, self.scratch = g, packed, bias, out, scratch
        self.relu, self.threads = relu, threads

    def __call__(self, const float[:, :, :, ::1] source not None):
        run(self.g, source, self.packed, self.bias, self.out, self.scratch, self.relu, self.threads)


cdef void convolve_image(Band g, Py_ssize_t image, const float *x, const float *packed, const float *bias,
                         float *y, Py_ssize_t lanes, float *band, int relu) noexcept nogil:
    cdef Py_ssize_t row, pixel, done, width, pixels, step = g.stride_x * g.channels
    g.fill(x + image * g.height * g.width * g.channels, band)
    y += image * g.out_h * g.out_w * lanes
    for row in range(g.out_h):
        done = 0
        while done < lanes:
            width = product_width(lanes - done)
            pixels = table_rows(width, g.out_w)
            pixel = 0
            while True:
                table_product(width, pixels, band + row * g.stride_y * g.band_row + pixel * step, step, g.offset,
                              packed + done * g.entries, g.entries, bias + done,
                              y + (row * g.out_w + pixel) * lanes + done, lanes, relu)
                if pixel == g.out_w - pixels:
                    break
                pixel = min(pixel + pixels, g.out_w - pixels)  # the last block may overlap the one before
            done += width


def weight_gradient(
    Band g not None,
    const float[:, :, :, ::1] source not None,  # in: (batch, height, width, channels), the forward pass's input
    const float[:, :, :, ::1] dy not None,      # in: (batch, out_h, out_w, lanes)
    float[:, :, :, ::1] dw not None,            # inout: (lanes, channels, taps_y, taps_x), added to
    float[:, ::1] partial not None,             # out: g.partial_shape(chunks, lanes): as many chunks of images
    float[::1] scratch not None,                # out: (threads * g.floats,)
    int threads,
):
    """Add the gradient of the loss with respect to the filters to dw."""
    cdef Py_ssize_t chunk = 0, chunks = partial.shape[0], lanes = dy.shape[3], k, lane, place, plane
    cdef ItemTurns turns
    cdef float total
    if source.shape[0] == 0:
        return
    cdef const float *x = &source[0, 0, 0, 0]
    cdef const float *d = &dy[0, 0, 0, 0]
    cdef float *sums = &partial[0, 0]
    cdef float *target = &dw[0, 0, 0, 0]
    cdef float *work = &scratch[0]
    share_out(&turns, chunks, threads)
    with nogil, parallel(num_threads=threads):
        chunk = take(&turns, threadid())
        while chunk >= 0:
            sum_chunk(g, g.batch * chunk // chunks, g.batch * (chunk + 1) // chunks, x, d, lanes,
                      sums + chunk * g.entries * lanes, work + threadid() * g.floats)
            chunk = take(&turns, threadid())
    plane = g.taps_y * g.taps_x
    for k in range(g.entries):
        place = k % g.channels * plane + k // g.channels
        for lane in range(lanes):
            total = 0
            for chunk in range(chunks):
                total = total + sums[(chunk * g.entries + k) * lanes + lane]
            target[lane * g.entries + place] += total


cdef void sum_chunk(Band g, Py_ssize_t image, Py_ssize_t last, const float *x, const float *dy,
                    Py_ssize_t lanes, float *sums, float *band) noexcept nogil:
    memset(sums, 0, g.entries * lanes * sizeof(float))
    dy += image * g.out_h * g.out_w * lanes
    while image < last:
        g.fill(x + image * g.height * g.width * g.channels, band)
        window_sums(g.taps_y, g.band_row, lanes, g.taps_x * g.channels, band, g.stride_x * g.channels,
                    g.stride_y * g.band_row, dy, lanes, g.out_w * lanes, g.out_w, g.out_h, sums, lanes)
        dy += g.out_h * g.out_w * lanes
        image += 1
