"""Max-pooling of NHWC images by windows of more cells than a byte can number, or whose cells lie apart.

Design: for each row of outputs first the greatest of each column of the image within the windows' rows, then of the
columns of each window: the time grows with the sum of a window's sides, not with their product. Winners are kept as
the numbers of their pixels in the image, in 32 bits, so that backward adds each output's gradient to its winner and
looks at no window again: an image and a block of channels at a time, in the order of the windows. A window of
which no cell lies in the image, as there may be where cells lie apart, is -Inf, and nobody wins it.
"""

from libc.math cimport INFINITY
from libc.string cimport memset

from cython.parallel cimport parallel, prange, threadid

from cynet.kernels.common.parallel cimport team
from cynet.kernels.common.window cimport Window

cdef extern from "large.h" nogil:
    void greatest_row(const float *image, Py_ssize_t row, Py_ssize_t first, Py_ssize_t end, Py_ssize_t step,
                      Py_ssize_t left, float *value, int *number)
    void greatest_column(const float *value, const int *number, Py_ssize_t channels, Py_ssize_t first, Py_ssize_t end,
                         Py_ssize_t step, Py_ssize_t in_w, Py_ssize_t left, float *y, int *winner)

cdef enum:
    BLOCK = 16          # channels of one work item of backward: a cache line of each pixel

MOST_PIXELS = 2**31 - 1  # of an image


cdef inline Py_ssize_t first_pixel(Py_ssize_t start, Py_ssize_t step) noexcept nogil:
    """The first pixel of the image's, or beyond, of a window whose cells lie at start, start + step, ..."""
    return start if start >= 0 else (start % step + step) % step


cdef inline Py_ssize_t end_pixel(
    Py_ssize_t start, Py_ssize_t kernel, Py_ssize_t step, Py_ssize_t size
) noexcept nogil:
    """One past the last pixel of the image that such a window may have."""
    return min(size, start + (kernel - 1) * step + 1)


cdef void nobody(float *y, int *winner, Py_ssize_t count) noexcept nogil:
    """Outputs whose windows hold no pixel."""
    cdef Py_ssize_t i
    for i in range(count):
        y[i], winner[i] = -INFINITY, -1


cdef void forward_row(const float *image, float *y, int *winner, const Window *g, Py_ssize_t down, Py_ssize_t right,
                      Py_ssize_t oy, float *value, int *number) noexcept nogil:
    """One row of outputs; `value` and `number` have room for a row of the image."""
    cdef Py_ssize_t top = oy * g.sh - g.top, left, n = g.channels, row = g.in_w * n, i, c, ox
    cdef Py_ssize_t first = first_pixel(top, down), end = end_pixel(top, g.kh, down, g.in_h)
    if first >= end:
        nobody(y, winner, g.out_w * n)
        return
    for i in range(0, row, 8):
        greatest_row(image + i, row, first, end, down, row - i, value + i, number + i)
    for ox in range(g.out_w):
        left = ox * g.sw - g.left
        first, end = first_pixel(left, right), end_pixel(left, g.kw, right, g.in_w)
        if first >= end:
            nobody(y + ox * n, winner + ox * n, n)
            continue
        for c in range(0, n, 8):
            greatest_column(value + c, number + c, n, first, end, right, g.in_w, n - c, y + ox * n + c,
                            winner + ox * n + c)


def large_max_pool(
    const float[:, :, :, ::1] x not None,   # in: (N, H, W, C), H * W at most MOST_PIXELS
    float[:, :, :, ::1] y not None,         # out: (N, out height, out width, C)
    int[:, :, :, ::1] winner not None,      # out: shape of y
    Py_ssize_t kernel_h,
    Py_ssize_t kernel_w,
    Py_ssize_t stride_h,
    Py_ssize_t stride_w,
    Py_ssize_t top,                         # padding before, less than the kernel
    Py_ssize_t left,
    Py_ssize_t down,                        # how far a window's cells lie apart, at least 1
    Py_ssize_t right,
    float[:, ::1] values not None,          # out: scratch of (threads, W * C)
    int[:, ::1] numbers not None,           # out: scratch of the same shape
    int threads,
):
    """y = the greatest of each window, as `max_pool`; winner = its pixel's number in the image."""
    cdef Window g = Window(
        x.shape[1], x.shape[2], y.shape[1], y.shape[2], x.shape[3],
        kernel_h, kernel_w, stride_h, stride_w, top, left,
    )
    cdef Py_ssize_t image = g.in_h * g.in_w * g.channels, row = g.out_w * g.channels, line = g.in_w * g.channels
    cdef Py_ssize_t rows = x.shape[0] * g.out_h, i
    cdef int used = team(x.shape[0] * image, threads)
    cdef const float *px
    cdef float *py
    cdef float *pv
    cdef int *pw
    cdef int *pn
    if rows * row == 0:
        return
    px, py, pw, pv, pn = &x[0, 0, 0, 0], &y[0, 0, 0, 0], &winner[0, 0, 0, 0], &values[0, 0], &numbers[0, 0]
    with nogil, parallel(num_threads=used):
        for i in prange(rows, schedule="static"):
            forward_row(px + i // g.out_h * image, py + i * row, pw + i * row, &g, down, right, i % g.out_h,
                        pv + threadid() * line, pn + threadid() * line)


cdef void backward_block(const float *dy, const int *winner, float *dx, Py_ssize_t outputs, Py_ssize_t pixels,
                         Py_ssize_t channels, Py_ssize_t width) noexcept nogil:
    """The gradients of `width` channels of one image."""
    cdef Py_ssize_t p, o, c, pixel
    for p in range(pixels):
        memset(dx + p * channels, 0, width * sizeof(float))
    for o in range(outputs):
        for c in range(width):
            pixel = winner[o * channels + c]
            if pixel >= 0:
                dx[pixel * channels + c] += dy[o * channels + c]


def large_max_pool_backward(
    const float[:, :, :, ::1] dy not None,      # in: (N, out height, out width, C)
    const int[:, :, :, ::1] winner not None,    # in: what the forward pass wrote
    float[:, :, :, ::1] dx not None,            # out: (N, H, W, C)
    int threads,
):
    """dx = the sum of dy over the windows that the pixel won."""
    cdef Py_ssize_t pixels = dx.shape[1] * dx.shape[2], outputs = dy.shape[1] * dy.shape[2], n = dx.shape[3]
    cdef Py_ssize_t blocks = (n + BLOCK - 1) // BLOCK, items = dx.shape[0] * blocks, i, image, start
    cdef int used = team(dx.shape[0] * pixels * n, threads)
    cdef const float *pdy
    cdef const int *pw
    cdef float *pdx
    if items * pixels * outputs == 0:
        return
    pdy, pw, pdx = &dy[0, 0, 0, 0], &winner[0, 0, 0, 0], &dx[0, 0, 0, 0]
    for i in prange(items, nogil=True, num_threads=used, schedule="static"):
        image, start = i // blocks, i % blocks * BLOCK
        backward_block(pdy + image * outputs * n + start, pw + image * outputs * n + start,
                       pdx + image * pixels * n + start, outputs, pixels, n, min(<Py_ssize_t>BLOCK, n - start))
