"""Average pooling of NHWC images, over windows and over whole images.

Padding cells count as zeros. A window is divided by its cells that lie in the image or in the padding that is
counted: where it lies within, by the area of the kernel. Backward goes row by row, as in max_pool.pyx; where windows
do not overlap, each pixel is written once.
"""

from libc.string cimport memset

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport team
from cynet.kernels.common.simd cimport VL, load_wide, store_wide, vf, vset
from cynet.kernels.common.window cimport Window, end_cell, end_window, first_cell, first_window


cdef struct Divisor:
    Py_ssize_t top, left, bottom, right     # how far around the image cells are counted
    Py_ssize_t fixed                        # what is divided by in place of their number, or 0


cdef inline Py_ssize_t counted(
    Py_ssize_t start, Py_ssize_t kernel, Py_ssize_t size, Py_ssize_t before, Py_ssize_t after
) noexcept nogil:
    """How many cells along one axis, of a window that starts at pixel `start`."""
    return min(start + kernel, size + after) - max(start, -before)


cdef inline vf area(const Window *g, const Divisor *by, Py_ssize_t top, Py_ssize_t left) noexcept nogil:
    """What the sum of a window that starts at a pixel is divided by, in each lane."""
    if by.fixed:
        return vset(<float>by.fixed)
    return vset(<float>(counted(top, g.kh, g.in_h, by.top, by.bottom)
                        * counted(left, g.kw, g.in_w, by.left, by.right)))


cdef inline void window_mean(const float *start, float *y, Py_ssize_t n, Py_ssize_t row, Py_ssize_t rows,
                             Py_ssize_t columns, vf cells) noexcept nogil:
    """The sum of rows x columns cells of n channels, divided by `cells`."""
    cdef Py_ssize_t c, ky, kx
    cdef vf total
    for c from 0 <= c < n by VL:
        total = vset(0)
        for ky in range(rows):
            for kx in range(columns):
                total = total + load_wide(start + ky * row + kx * n + c, n - c)
        store_wide(y + c, total / cells, n - c)


cdef void forward_row(
    const float *image, float *y, const Window *g, const Divisor *by, Py_ssize_t oy
) noexcept nogil:
    """One row of outputs."""
    cdef Py_ssize_t top = oy * g.sh - g.top, left, ox, n = g.channels, row = g.in_w * n, rows, columns
    cdef Py_ssize_t ky = first_cell(top), kx
    cdef const float *start
    cdef vf cells
    rows = end_cell(top, g.kh, g.in_h) - ky
    for ox in range(g.out_w):
        left = ox * g.sw - g.left
        kx = first_cell(left)
        columns = end_cell(left, g.kw, g.in_w) - kx
        start, cells = image + (top + ky) * row + (left + kx) * n, area(g, by, top, left)
        if rows == 2 and columns == 2:  # constants let the compiler unroll
            window_mean(start, y + ox * n, n, row, 2, 2, cells)
        elif rows == 3 and columns == 3:
            window_mean(start, y + ox * n, n, row, 3, 3, cells)
        else:
            window_mean(start, y + ox * n, n, row, rows, columns, cells)


cdef inline void share_row(const float *dy, float *dx, Py_ssize_t n, Py_ssize_t columns, bint add,
                           vf cells) noexcept nogil:
    """Give `columns` pixels of n channels dy / cells, or that much more."""
    cdef Py_ssize_t c, kx
    cdef vf share
    for c from 0 <= c < n by VL:
        share = load_wide(dy + c, n - c) / cells
        for kx in range(columns):
            store_wide(dx + kx * n + c, load_wide(dx + kx * n + c, n - c) + share if add else share, n - c)


cdef void backward_row(
    const float *dy, float *dx, const Window *g, const Divisor *by, Py_ssize_t iy
) noexcept nogil:
    """One row of input gradients."""
    cdef Py_ssize_t row = iy + g.top, left, oy, ox, kx, columns, n = g.channels, done = 0
    cdef Py_ssize_t y0 = first_window(row, g.kh, g.sh), y1 = end_window(row, g.sh, g.out_h)
    cdef bint apart = g.kw <= g.sw and y1 - y0 == 1  # no pixel has two windows
    cdef vf cells
    if not apart:
        memset(dx, 0, g.in_w * n * sizeof(float))
    for oy in range(y0, y1):
        for ox in range(g.out_w):
            left = ox * g.sw - g.left
            kx, cells = first_cell(left), area(g, by, oy * g.sh - g.top, left)
            columns = end_cell(left, g.kw, g.in_w) - kx
            if apart:
                memset(dx + done * n, 0, (left + kx - done) * n * sizeof(float))
                done = left + kx + columns
            if apart and columns == 2:
                share_row(dy + (oy * g.out_w + ox) * n, dx + (left + kx) * n, n, 2, False, cells)
            else:
                share_row(dy + (oy * g.out_w + ox) * n, dx + (left + kx) * n, n, columns, not apart, cells)
    if apart:
        memset(dx + done * n, 0, (g.in_w - done) * n * sizeof(float))


def avg_pool(
    const float[:, :, :, ::1] x not None,   # in: (N, H, W, C)
    float[:, :, :, ::1] y not None,         # out: (N, out height, out width, C)
    Py_ssize_t kernel_h,
    Py_ssize_t kernel_w,
    Py_ssize_t stride_h,
    Py_ssize_t stride_w,
    Py_ssize_t top,                         # padding before, less than the kernel
    Py_ssize_t left,
    Py_ssize_t counted_top,                 # how far around the image cells are counted
    Py_ssize_t counted_left,
    Py_ssize_t counted_bottom,
    Py_ssize_t counted_right,
    Py_ssize_t divisor,                     # what is divided by in place of their number, or 0
    int threads,
):
    """y = the sum of each window / its counted cells."""
    cdef Window g = Window(
        x.shape[1], x.shape[2], y.shape[1], y.shape[2], x.shape[3],
        kernel_h, kernel_w, stride_h, stride_w, top, left,
    )
    cdef Divisor by = Divisor(counted_top, counted_left, counted_bottom, counted_right, divisor)
    cdef Py_ssize_t image = g.in_h * g.in_w * g.channels, row = g.out_w * g.channels
    cdef Py_ssize_t rows = x.shape[0] * g.out_h, i
    cdef const float *px
    cdef float *py
    if rows * row == 0:
        return
    px, py = &x[0, 0, 0, 0], &y[0, 0, 0, 0]
    for i in prange(rows, nogil=True, num_threads=team(rows * row, threads), schedule="static"):
        forward_row(px + i // g.out_h * image, py + i * row, &g, &by, i % g.out_h)


def avg_pool_backward(
    const float[:, :, :, ::1] dy not None,  # in: (N, out height, out width, C)
    float[:, :, :, ::1] dx not None,        # out: (N, H, W, C)
    Py_ssize_t kernel_h,
    Py_ssize_t kernel_w,
    Py_ssize_t stride_h,
    Py_ssize_t stride_w,
    Py_ssize_t top,
    Py_ssize_t left,
    Py_ssize_t counted_top,
    Py_ssize_t counted_left,
    Py_ssize_t counted_bottom,
    Py_ssize_t counted_right,
    Py_ssize_t divisor,
    int threads,
):
    """dx = the sum of dy / their counted cells over the windows that cover the pixel."""
    cdef Window g = Window(
        dx.shape[1], dx.shape[2], dy.shape[1], dy.shape[2], dx.shape[3],
        kernel_h, kernel_w, stride_h, stride_w, top, left,
    )
    cdef Divisor by = Divisor(counted_top, counted_left, counted_bottom, counted_right, divisor)
    cdef Py_ssize_t image = g.out_h * g.out_w * g.channels, row = g.in_w * g.channels
    cdef Py_ssize_t rows = dx.shape[0] * g.in_h, i
    cdef const float *pdy
    cdef float *pdx
    if rows * row == 0:
        return
    pdy, pdx = &dy[0, 0, 0, 0], &dx[0, 0, 0, 0]
    for i in prange(rows, nogil=True, num_threads=team(rows * row, threads), schedule="static"):
        backward_row(pdy + i // g.in_h * image, pdx + i * row, &g, &by, i % g.in_h)


cdef enum:
    BLOCK = 64          # channels of one work item: four cache lines of each pixel


cdef void mean_block(
    const float *x, float *y, Py_ssize_t pixels, Py_ssize_t channels, Py_ssize_t width
) noexcept nogil:
    """The means of `width` <= BLOCK channels of one image."""
    cdef double total[BLOCK]
    cdef Py_ssize_t p, c
    for c in range(width):
        total[c] = 0
    for p in range(pixels):
        for c in range(width):
            total[c] += x[p * channels + c]
    for c in range(width):
        y[c] = <float>(total[c] / pixels)


cdef void spread(const float *dy, float *dx, Py_ssize_t pixels, Py_ssize_t channels) noexcept nogil:
    cdef Py_ssize_t p, c
    for c in range(channels):
        dx[c] = dy[c] / <float>pixels
    for p in range(1, pixels):
        for c in range(channels):
            dx[p * channels + c] = dx[c]


def global_avg_pool(
    const float[:, :, ::1] x not None,      # in: (N, pixels, C), pixels at least 1
    float[:, ::1] y not None,               # out: (N, C)
    int threads,
):
    """y = the mean over the pixels of each image and channel; the sums are double."""
    cdef Py_ssize_t images = x.shape[0], pixels = x.shape[1], channels = x.shape[2]
    cdef Py_ssize_t blocks = (channels + BLOCK - 1) // BLOCK, i, start
    cdef const float *px
    cdef float *py
    if images * channels == 0:
        return
    px, py = &x[0, 0, 0], &y[0, 0]
    for i in prange(
        images * blocks, nogil=True, num_threads=team(images * pixels * channels, threads), schedule="static"
    ):
        start = i % blocks * BLOCK
        mean_block(
            px + i // blocks * pixels * channels + start, py + i // blocks * channels + start,
            pixels, channels, min(<Py_ssize_t>BLOCK, channels - start),
        )


def global_avg_pool_backward(
    const float[:, ::1] dy not None,        # in: (N, C)
    float[:, :, ::1] dx not None,           # out: (N, pixels, C)
    int threads,
):
    """dx = dy / pixels at every pixel."""
    cdef Py_ssize_t images = dx.shape[0], pixels = dx.shape[1], channels = dx.shape[2], i
    cdef const float *pdy
    cdef float *pdx
    if images * channels == 0:
        return
    pdy, pdx = &dy[0, 0], &dx[0, 0, 0]
    for i in prange(
        images, nogil=True, num_threads=team(images * pixels * channels, threads), schedule="static"
    ):
        spread(pdy + i * channels, pdx + i * pixels * channels, pixels, channels)
