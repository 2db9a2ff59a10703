"""Max-pooling of NHWC images.

Design: forward keeps the number of each winner inside its window (row times kernel width plus column) as one
byte. Backward works on one row of input pixels at a time: it adds to them the gradients of the windows that
cover the row, each at its winner, in the order of the windows. So no two threads write the same pixel, and the
order of additions is fixed.
"""

from libc.string cimport memset

from cython.parallel cimport prange

from cynet.kernels.parallel cimport team
from cynet.kernels.simd cimport load, load_bytes, store, store_bytes, vf8, vi8, vmax8, vset8i, vwhere8
from cynet.kernels.window cimport Window, end_cell, end_window, first_cell, first_window


cdef inline void one_window(
    const float *start,                     # the window's first cell, which may lie outside the image
    float *y, unsigned char *winner, Py_ssize_t channels, Py_ssize_t in_w, Py_ssize_t kw,
    Py_ssize_t ky_first, Py_ssize_t ky_end, Py_ssize_t kx_first, Py_ssize_t kx_end, Py_ssize_t left,
) noexcept nogil:
    """Up to eight channels of one output, of which `left` are there."""
    cdef vf8 best = load(start + (ky_first * in_w + kx_first) * channels, left)
    cdef vi8 number = vset8i(<int>(ky_first * kw + kx_first))
    cdef Py_ssize_t ky, kx
    for ky in range(ky_first, ky_end):
        for kx in range(kx_first, kx_end):
            vmax8(load(start + (ky * in_w + kx) * channels, left), <int>(ky * kw + kx), &best, &number)
    store(y, best, left)
    store_bytes(winner, number, left)


cdef void forward_row(
    const float *image, float *y, unsigned char *winner, const Window *g, Py_ssize_t oy
) noexcept nogil:
    """One row of outputs."""
    cdef Py_ssize_t top = oy * g.sh - g.top, left, ox, c, out, n = g.channels, w = g.in_w
    cdef Py_ssize_t y0 = first_cell(top), y1 = end_cell(top, g.kh, g.in_h), x0, x1
    cdef const float *start
    for ox in range(g.out_w):
        left = ox * g.sw - g.left
        x0, x1 = first_cell(left), end_cell(left, g.kw, w)
        for c in range(0, n, 8):
            start, out = image + (top * w + left) * n + c, ox * n + c
            # The usual windows with constant sizes, which the compiler unrolls.
            if n - c >= 8 and g.kw == 3 and y0 == 0 and y1 == 3 and x1 - x0 == 3:
                one_window(start, y + out, winner + out, n, w, 3, 0, 3, 0, 3, 8)
            elif n - c >= 8 and g.kw == 2 and y0 == 0 and y1 == 2 and x1 - x0 == 2:
                one_window(start, y + out, winner + out, n, w, 2, 0, 2, 0, 2, 8)
            else:
                one_window(start, y + out, winner + out, n, w, g.kw, y0, y1, x0, x1, n - c)


cdef void backward_row(
    const float *dy, const unsigned char *winner, float *dx, const Window *g, Py_ssize_t iy
) noexcept nogil:
    """One row of input gradients."""
    cdef Py_ssize_t row = iy + g.top, left, oy, ox, kx, kx_first, kx_end, c, at, n = g.channels
    cdef float *pixel
    cdef int number
    cdef vf8 gradient
    cdef vi8 won
    memset(dx, 0, g.in_w * n * sizeof(float))
    for oy in range(first_window(row, g.kh, g.sh), end_window(row, g.sh, g.out_h)):
        number = <int>((row - oy * g.sh) * g.kw)
        for ox in range(g.out_w):
            left = ox * g.sw - g.left
            kx_first, kx_end = first_cell(left), end_cell(left, g.kw, g.in_w)
            for c in range(0, n, 8):
                at = (oy * g.out_w + ox) * n + c
                gradient, won = load(dy + at, n - c), load_bytes(winner + at, n - c)
                for kx in range(kx_first, kx_end):
                    pixel = dx + (left + kx) * n + c
                    store(pixel, load(pixel, n - c) + vwhere8(won, number + <int>kx, gradient), n - c)


def max_pool(
    const float[:, :, :, ::1] x not None,           # in: (N, H, W, C)
    float[:, :, :, ::1] y not None,                 # out: (N, out height, out width, C)
    unsigned char[:, :, :, ::1] winner not None,    # out: shape of y
    Py_ssize_t kernel_h,                            # kernel_h * kernel_w at most 255
    Py_ssize_t kernel_w,
    Py_ssize_t stride_h,
    Py_ssize_t stride_w,
    Py_ssize_t top,                                 # padding before, less than the kernel
    Py_ssize_t left,
    int threads,
):
    """y = the greatest of each window; padding counts as -Inf, NaN as greater than all, first of equals wins."""
    cdef Window g = Window(
        x.shape[1], x.shape[2], y.shape[1], y.shape[2], x.shape[3],
        kernel_h, kernel_w, stride_h, stride_w, top, left,
    )
    cdef Py_ssize_t image = g.in_h * g.in_w * g.channels, row = g.out_w * g.channels
    cdef Py_ssize_t rows = x.shape[0] * g.out_h, i
    cdef const float *px
    cdef float *py
    cdef unsigned char *pw
    if rows * row == 0:
        return
    px, py, pw = &x[0, 0, 0, 0], &y[0, 0, 0, 0], &winner[0, 0, 0, 0]
    for i in prange(rows, nogil=True, num_threads=team(rows * row, threads), schedule="static"):
        forward_row(px + i // g.out_h * image, py + i * row, pw + i * row, &g, i % g.out_h)


def max_pool_backward(
    const float[:, :, :, ::1] dy not None,              # in: (N, out height, out width, C)
    const unsigned char[:, :, :, ::1] winner not None,  # in: what the forward pass wrote
    float[:, :, :, ::1] dx not None,                    # out: (N, H, W, C)
    Py_ssize_t kernel_h,
    Py_ssize_t kernel_w,
    Py_ssize_t stride_h,
    Py_ssize_t stride_w,
    Py_ssize_t top,
    Py_ssize_t left,
    int threads,
):
    """dx = the sum of dy over the windows that the pixel won."""
    cdef Window g = Window(
        dx.shape[1], dx.shape[2], dy.shape[1], dy.shape[2], dx.shape[3],
        kernel_h, kernel_w, stride_h, stride_w, top, left,
    )
    cdef Py_ssize_t image = g.out_h * g.out_w * g.channels, row = g.in_w * g.channels
    cdef Py_ssize_t rows = dx.shape[0] * g.in_h, i
    cdef const float *pdy
    cdef const unsigned char *pw
    cdef float *pdx
    if rows * row == 0:
        return
    pdy, pw, pdx = &dy[0, 0, 0, 0], &winner[0, 0, 0, 0], &dx[0, 0, 0, 0]
    for i in prange(rows, nogil=True, num_threads=team(rows * row, threads), schedule="static"):
        backward_row(
            pdy + i // g.in_h * image, pw + i // g.in_h * image, pdx + i * row, &g, i % g.in_h
        )
