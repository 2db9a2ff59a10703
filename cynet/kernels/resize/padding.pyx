"""An NHWC image laid upon zeros, or upon a smaller place that it is cut off at."""

from libc.string cimport memcpy, memset

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport team


cdef void one_row(const float *x, float *y, Py_ssize_t before, Py_ssize_t skipped, Py_ssize_t taken,
                  Py_ssize_t row) noexcept nogil:
    """A row of `row` floats: zeros, then `taken` of x without the first ones, then zeros; x NULL: zeros alone."""
    if x == NULL or taken <= 0:
        memset(y, 0, row * sizeof(float))
        return
    memset(y, 0, before * sizeof(float))
    memcpy(y + before, x + skipped, taken * sizeof(float))
    memset(y + before + taken, 0, (row - before - taken) * sizeof(float))


def placed(
    const float[:, :, :, ::1] x not None,   # in: (N, H, W, C)
    float[:, :, :, ::1] y not None,         # out: (N, out height, out width, C)
    Py_ssize_t top,                         # how many rows of zeros go before; negative: rows of x that are left out
    Py_ssize_t left,
    int threads,
):
    """y = x from row `top` and column `left` on, 0 elsewhere."""
    cdef Py_ssize_t in_h = x.shape[1], in_w = x.shape[2], out_h = y.shape[1], out_w = y.shape[2], n = x.shape[3]
    cdef Py_ssize_t lines = x.shape[0] * out_h, before = max(left, 0), skipped = max(-left, 0), i, iy
    cdef Py_ssize_t taken = min(in_w - skipped, out_w - before)
    cdef const float *px
    cdef float *py
    if in_h * in_w * lines * out_w * n == 0:
        return
    px, py = &x[0, 0, 0, 0], &y[0, 0, 0, 0]
    for i in prange(lines, nogil=True, num_threads=team(lines * out_w * n, threads), schedule="static"):
        iy = i % out_h - top
        one_row(px + (i // out_h * in_h + iy) * in_w * n if 0 <= iy < in_h else NULL, py + i * out_w * n,
                before * n, skipped * n, taken * n, out_w * n)
