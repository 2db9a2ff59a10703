"""Depth-wise convolution: every channel with its own filter.

Design: with one channel a group the register block of tiled_loops.pyx would work for a single lane, so the lanes
are channels here, and the registers hold the sums of neighbouring pixels (depthwise.h). All three products slide a
window along both axes. How it slides is an `Axis`: the forward pass has one for each direction; the input gradient
has one for each residue of a pixel's position modulo the stride, with the taps that reach such pixels, backwards.
Filters come as (taps, channels).
"""

from cython.parallel cimport prange
from libc.string cimport memset

from cynet.kernels.common.window cimport end_cell, first_cell


cdef extern from "depthwise.h" nogil:
    enum: VL
    bint vstreams(const float *p)
    void vstreamed()
    ctypedef struct TapGrid:
        Py_ssize_t rows, cols, x_row, x_col, w_row, w_col, x_pixel, y_pixel, y_row, new_rows, channels
        int relu, ahead, past
    void depthwise_run(const TapGrid *g, Py_ssize_t pixels, const float *x, const float *w, const float *bias,
                       float *y)
    void depthwise_sums(const TapGrid *g, Py_ssize_t pixels, const float *x, const float *dy, float *sums)


cdef enum:
    CLOSE = 1 << 18  # floats, 1 MB
    MANY = 1 << 23
    LARGE = 1 << 22  # of what is written


cdef Axis forward_axis(Py_ssize_t size, Py_ssize_t windows, Py_ssize_t kernel, Py_ssize_t stride,
                       Py_ssize_t before) noexcept nogil:
    return Axis(size, kernel, stride, -before, windows, 0, 1, 0, 1)


cdef Axis input_axis(Py_ssize_t size, Py_ssize_t windows, Py_ssize_t kernel, Py_ssize_t stride,
                     Py_ssize_t before, Py_ssize_t first) noexcept nogil:
    """Input pixels first, first + stride, ... of `size`: each takes dy of the windows that cover it.

    Pixel i is under tap k of window (i + before - k) / stride, for the taps that make this whole.
    """
    cdef Py_ssize_t least = (first + before) % stride
    cdef Py_ssize_t taps = (kernel - least + stride - 1) // stride if least < kernel else 0
    cdef Py_ssize_t pixels = (size - first + stride - 1) // stride if first < size else 0
    return Axis(windows, taps, 1, (first + before - least) // stride - taps + 1, pixels, first, stride,
                least + (taps - 1) * stride, -stride)


cdef void inner_windows(const Axis *a, Py_ssize_t *begin, Py_ssize_t *end) noexcept nogil:
    """The windows that lie wholly inside: from begin to before end."""
    cdef Py_ssize_t room = a.size - a.taps - a.start
    begin[0] = min(a.windows, (a.step - 1 - a.start) // a.step if a.start < 0 else 0)
    end[0] = max(begin[0], min(a.windows, room // a.step + 1 if room >= 0 else 0))


cdef Py_ssize_t inside(const Axis *a, Py_ssize_t start, Py_ssize_t *skipped) noexcept nogil:
    """How many taps of the window that starts at pixel `start` are inside, after those to be skipped."""
    skipped[0] = min(a.taps, first_cell(start))
    return max(0, end_cell(start, a.taps, a.size) - skipped[0])


cdef void set_row(TapGrid *g, const Axis *v, Py_ssize_t row, Py_ssize_t line, Py_ssize_t kernel_w,
                  Py_ssize_t *iy, Py_ssize_t *ky) noexcept nogil:
    """The rows of taps of one row of windows; the first one's row of pixels and of the filter."""
    cdef Py_ssize_t start = v.start + row * v.step, skipped
    g.rows = inside(v, start, &skipped)
    g.new_rows = v.step
    g.x_row, g.w_row = line, v.next_tap * kernel_w * g.channels
    iy[0], ky[0] = start + skipped, v.tap + skipped * v.next_tap


cdef void write_row(const Axis *v, const Axis *h, Py_ssize_t row, const float *x, const float *w,
                    Py_ssize_t kernel_w, const float *bias, Py_ssize_t channels, int relu, int away,
                    float *y) noexcept nogil:
    """A row of windows; x: the image; y: the row that is written."""
    cdef TapGrid g
    cdef Py_ssize_t iy, ky, begin, end, j, start, skipped
    g.channels, g.relu, g.ahead, g.past = channels, relu, away != NEAR, away == PAST
    set_row(&g, v, row, h.size * channels, kernel_w, &iy, &ky)
    g.x_col, g.w_col = channels, h.next_tap * channels
    g.x_pixel, g.y_pixel = h.step * channels, h.every * channels
    g.y_row = h.windows * h.every * channels
    inner_windows(h, &begin, &end)
    x += iy * g.x_row
    w += (ky * kernel_w + h.tap) * channels
    y += h.first * channels
    j = 0
    while j < h.windows:
        start = h.start + j * h.step
        if j == begin and begin < end:
            g.cols = h.taps
            depthwise_run(&g, end - begin, x + start * channels, w, bias, y + j * g.y_pixel)
            j = end
            continue
        g.cols = inside(h, start, &skipped)
        depthwise_run(&g, 1, x + (start + skipped) * channels, w + skipped * g.w_col, bias,
                      y + j * g.y_pixel)
        j += 1
    if g.past:
        vstreamed()


cdef int distance(const float[:, :, :, ::1] x, const float[:, :, :, ::1] y, bint strided) noexcept:
    """How far away images are that are read and written. Strided windows share less: they ask later for what comes."""
    cdef Py_ssize_t written = y.shape[0] * y.shape[1] * y.shape[2] * y.shape[3]
    if x.shape[0] * x.shape[1] * x.shape[2] * x.shape[3] + written <= (MANY if strided else CLOSE):
        return NEAR
    return PAST if written >= LARGE and y.shape[3] % VL == 0 and vstreams(&y[0, 0, 0, 0]) else FAR


def forward(
    const float[:, :, :, ::1] x not None,   # in: (N, H, W, C)
    const float[:, ::1] w not None,         # in: (kernel_h * kernel_w, C)
    const float[::1] bias not None,         # in: (C,)
    float[:, :, :, ::1] y not None,         # out: (N, out_h, out_w, C)
    kernel, stride, before,                 # (vertical, horizontal); before: the padding (top, left)
    int relu,                              # 0, 1: at least 0 is written, 6: and at most 6
    int threads,
):
    """y[n, oy, ox, c] = bias[c] + sum over taps of x[n, oy*s + ky - top, ox*s + kx - left, c] * w[tap, c]."""
    cdef Axis v = forward_axis(x.shape[1], y.shape[1], kernel[0], stride[0], before[0])
    cdef Axis h = forward_axis(x.shape[2], y.shape[2], kernel[1], stride[1], before[1])
    cdef Py_ssize_t item, channels = x.shape[3], kernel_w = kernel[1]
    cdef Py_ssize_t image = x.shape[1] * x.shape[2] * channels, row = y.shape[2] * channels
    if y.shape[0] == 0:
        return
    cdef int away = distance(x, y, h.step > 1)
    cdef const float *px = &x[0, 0, 0, 0]
    cdef const float *pw = &w[0, 0]
    cdef const float *pb = &bias[0]
    cdef float *py = &y[0, 0, 0, 0]
    for item in prange(y.shape[0] * v.windows, nogil=True, num_threads=threads, schedule="static"):
        write_row(&v, &h, item % v.windows, px + item // v.windows * image, pw, kernel_w, pb, channels, relu,
                  away, py + item * row)


def input_gradient(
    const float[:, :, :, ::1] dy not None,  # in: (N, out_h, out_w, C)
    const float[:, ::1] w not None,         # in: (kernel_h * kernel_w, C)
    const float[::1] zeros not None,        # in: (C,)
    float[:, :, :, ::1] dx not None,        # out: (N, H, W, C)
    kernel, stride, before,                 # (vertical, horizontal); before: the padding (top, left)
    int threads,
):
    """dx: each input pixel gathers from the output pixels whose windows cover it."""
    cdef Py_ssize_t item
    if dx.shape[0] == 0:
        return
    cdef Py_ssize_t kernel_h = kernel[0], kernel_w = kernel[1], stride_h = stride[0], stride_w = stride[1]
    cdef Py_ssize_t top = before[0], left = before[1], rows = dx.shape[1]
    cdef const float *pd = &dy[0, 0, 0, 0]
    cdef const float *pw = &w[0, 0]
    cdef const float *pz = &zeros[0]
    cdef float *px = &dx[0, 0, 0, 0]
    cdef int away = distance(dy, dx, False)
    for item in prange(dx.shape[0] * rows, nogil=True, num_threads=threads, schedule="static"):
        gather_row(dy.shape[1], dy.shape[2], rows, dx.shape[2], dx.shape[3], kernel_h, kernel_w, stride_h,
                   stride_w, top, left, pd + item // rows * dy.shape[1] * dy.shape[2] * dy.shape[3], pw, pz,
                   item % rows, away, px + item * dx.shape[2] * dx.shape[3])


cdef void gather_row(Py_ssize_t out_h, Py_ssize_t out_w, Py_ssize_t in_h, Py_ssize_t in_w,
                     Py_ssize_t channels, Py_ssize_t kernel_h, Py_ssize_t kernel_w, Py_ssize_t stride_h,
                     Py_ssize_t stride_w, Py_ssize_t top, Py_ssize_t left, const float *dy, const float *w,
                     const float *zeros, Py_ssize_t iy, int away, float *dx) noexcept nogil:
    """A row of input pixels: those of one residue after those of the other."""
    cdef Axis v = input_axis(in_h, out_h, kernel_h, stride_h, top, iy % stride_h), h
    cdef Py_ssize_t first
    for first in range(min(stride_w, in_w)):
        h = input_axis(in_w, out_w, kernel_w, stride_w, left, first)
        write_row(&v, &h, iy // stride_h, dy, w, kernel_w, zeros, channels, False, away, dx)


def partial_shape(Py_ssize_t chunks, kernel, Py_ssize_t channels):
    """The shape of the partial sums of `weight_gradient`; kernel : (vertical, horizontal)."""
    return chunks, kernel[0] * kernel[1], channels


def weight_gradient(
    const float[:, :, :, ::1] x not None,   # in: (N, H, W, C)
    const float[:, :, :, ::1] dy not None,  # in: (N, out_h, out_w, C)
    float[:, :, ::1] partial not None,      # out: `partial_shape`; 1 to N * out_h chunks
    kernel, stride, before,                 # (vertical, horizontal); before: the padding (top, left)
    int threads,
):
    """The gradient of the filters: a partial sum for each chunk of rows of windows (the caller adds them in order).

    The cut hangs on nothing but shapes: the same bytes for any number of threads.
    """
    cdef Axis v = forward_axis(x.shape[1], dy.shape[1], kernel[0], stride[0], before[0])
    cdef Axis h = forward_axis(x.shape[2], dy.shape[2], kernel[1], stride[1], before[1])
    cdef Py_ssize_t chunks = partial.shape[0], rows = x.shape[0] * v.windows, channels = x.shape[3], i
    cdef const float *px = &x[0, 0, 0, 0]
    cdef const float *pd = &dy[0, 0, 0, 0]
    cdef float *sums = &partial[0, 0, 0]
    cdef Py_ssize_t size = v.taps * h.taps * channels
    cdef bint ahead = distance(x, dy, False) != NEAR
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        sum_rows(&v, &h, px, pd, rows * i // chunks, rows * (i + 1) // chunks, channels, ahead,
                 sums + i * size)


cdef void sum_rows(const Axis *v, const Axis *h, const float *x, const float *dy, Py_ssize_t first,
                   Py_ssize_t last, Py_ssize_t channels, bint ahead, float *sums) noexcept nogil:
    cdef TapGrid g
    cdef Py_ssize_t row, iy, ky, begin, end, j, start, skipped
    cdef const float *line
    cdef const float *slopes
    cdef float *target
    memset(sums, 0, v.taps * h.taps * channels * sizeof(float))
    g.channels, g.ahead, g.past = channels, ahead, False
    g.x_col = g.w_col = g.y_pixel = channels
    g.x_pixel, g.y_row = h.step * channels, h.windows * channels
    inner_windows(h, &begin, &end)
    for row in range(first, last):
        set_row(&g, v, row % v.windows, h.size * channels, h.taps, &iy, &ky)
        line = x + (row // v.windows * v.size + iy) * g.x_row
        slopes = dy + row * h.windows * channels
        target = sums + ky * g.w_row
        j = 0
        while j < h.windows:
            start = h.start + j * h.step
            if j == begin and begin < end:
                g.cols = h.taps
                depthwise_sums(&g, end - begin, line + start * channels, slopes + j * channels, target)
                j = end
                continue
            g.cols = inside(h, start, &skipped)
            depthwise_sums(&g, 1, line + (start + skipped) * channels, slopes + j * channels,
                           target + skipped * channels)
            j += 1
