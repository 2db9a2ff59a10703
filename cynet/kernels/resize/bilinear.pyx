"""Bilinear interpolation of NHWC images by tables of pixels and shares, as places.py makes them.

Backward goes row by row of the input: those of the outputs that a row is used for are added to it in their order.
"""

from libc.string cimport memset

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport team
from cynet.kernels.common.simd cimport VL, load_wide, store_wide, vf, vset

cdef struct Taps:
    const Py_ssize_t *first
    const Py_ssize_t *second
    const float *share                      # of the second


cdef void forward_row(const float *upper, const float *lower, float down, float *y, Py_ssize_t channels,
                      const Taps *columns, Py_ssize_t out_w) noexcept nogil:
    """A row of outputs between two lines of an image; `down`: how much of the lower one."""
    cdef Py_ssize_t ox, c, a, b
    cdef vf above, below, right, left, low = vset(down), high = vset(1 - down)
    for ox in range(out_w):
        a, b = columns.first[ox] * channels, columns.second[ox] * channels
        right, left = vset(columns.share[ox]), vset(1 - columns.share[ox])
        for c from 0 <= c < channels by VL:
            above = left * load_wide(upper + a + c, channels - c) + right * load_wide(upper + b + c, channels - c)
            below = left * load_wide(lower + a + c, channels - c) + right * load_wide(lower + b + c, channels - c)
            store_wide(y + c, high * above + low * below, channels - c)
        y += channels


cdef void add_row(const float *dy, float share, float *dx, Py_ssize_t channels, const Taps *columns,
                  Py_ssize_t out_w) noexcept nogil:
    """Add to a line of the input's gradient what a row of outputs gives it, `share` of its gradient."""
    cdef Py_ssize_t ox, c
    cdef float *a
    cdef float *b
    cdef vf each, right, left, part = vset(share)
    for ox in range(out_w):
        a, b = dx + columns.first[ox] * channels, dx + columns.second[ox] * channels
        right, left = vset(columns.share[ox]), vset(1 - columns.share[ox])
        for c from 0 <= c < channels by VL:
            each = part * load_wide(dy + c, channels - c)
            store_wide(a + c, load_wide(a + c, channels - c) + left * each, channels - c)
            store_wide(b + c, load_wide(b + c, channels - c) + right * each, channels - c)
        dy += channels


cdef void backward_row(const float *dy, float *dx, Py_ssize_t iy, Py_ssize_t first, Py_ssize_t end, Py_ssize_t in_w,
                       Py_ssize_t channels, const Taps *rows, const Taps *columns, Py_ssize_t out_w) noexcept nogil:
    """One row of input gradients, from the rows first .. end of outputs."""
    cdef Py_ssize_t oy
    memset(dx, 0, in_w * channels * sizeof(float))
    for oy in range(first, end):
        if rows.first[oy] == iy:
            add_row(dy + oy * out_w * channels, 1 - rows.share[oy], dx, channels, columns, out_w)
        if rows.second[oy] == iy:
            add_row(dy + oy * out_w * channels, rows.share[oy], dx, channels, columns, out_w)


def bilinear(
    const float[:, :, :, ::1] x not None,           # in: (N, H, W, C)
    float[:, :, :, ::1] y not None,                 # out: (N, out height, out width, C)
    const Py_ssize_t[:, ::1] rows not None,         # in: (2, out height), the two rows that each is made of
    const float[::1] down not None,                 # in: (out height,), how much of the second
    const Py_ssize_t[:, ::1] columns not None,      # in: (2, out width)
    const float[::1] right not None,                # in: (out width,)
    int threads,
):
    """y = each pixel between two rows and two columns of x, by their shares."""
    cdef Py_ssize_t out_h = y.shape[1], out_w = y.shape[2], n = x.shape[3], row = x.shape[2] * n
    cdef Py_ssize_t image = x.shape[1] * row, lines = x.shape[0] * out_h, i
    cdef const float *px
    cdef float *py
    cdef Taps r, c
    if image * lines * out_w == 0:
        return
    px, py = &x[0, 0, 0, 0], &y[0, 0, 0, 0]
    r, c = Taps(&rows[0, 0], &rows[1, 0], &down[0]), Taps(&columns[0, 0], &columns[1, 0], &right[0])
    for i in prange(lines, nogil=True, num_threads=team(lines * out_w * n, threads), schedule="static"):
        forward_row(px + i // out_h * image + r.first[i % out_h] * row,
                    px + i // out_h * image + r.second[i % out_h] * row,
                    r.share[i % out_h], py + i * out_w * n, n, &c, out_w)


def bilinear_backward(
    const float[:, :, :, ::1] dy not None,          # in: (N, out height, out width, C)
    float[:, :, :, ::1] dx not None,                # out: (N, H, W, C)
    const Py_ssize_t[:, ::1] rows not None,         # in: as for `bilinear`
    const float[::1] down not None,                 # in
    const Py_ssize_t[:, ::1] columns not None,      # in
    const float[::1] right not None,                # in
    const Py_ssize_t[:, ::1] uses not None,         # in: (2, H), the first output row that uses each, one past the last
    int threads,
):
    """dx = the sum of the shares of dy that are made of the pixel."""
    cdef Py_ssize_t in_h = dx.shape[1], in_w = dx.shape[2], n = dx.shape[3], lines = dx.shape[0] * in_h, i
    cdef Py_ssize_t out_w = dy.shape[2], image = dy.shape[1] * out_w * n
    cdef int used = team(dx.shape[0] * image, threads)
    cdef const float *pdy
    cdef float *pdx
    cdef const Py_ssize_t *pu
    cdef Taps r, c
    if image * lines * in_w == 0:
        return
    pdy, pdx, pu = &dy[0, 0, 0, 0], &dx[0, 0, 0, 0], &uses[0, 0]
    r, c = Taps(&rows[0, 0], &rows[1, 0], &down[0]), Taps(&columns[0, 0], &columns[1, 0], &right[0])
    for i in prange(lines, nogil=True, num_threads=used, schedule="static"):
        backward_row(pdy + i // in_h * image, pdx + i * in_w * n, i % in_h, pu[i % in_h], pu[in_h + i % in_h], in_w,
                     n, &r, &c, out_w)
