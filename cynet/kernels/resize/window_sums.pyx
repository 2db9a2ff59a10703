"""Sums over windows of NHWC images that tables give, and their means: each row of outputs by one thread.

Design: nearest neighbours are windows of one pixel, and their gradient sums over windows of outputs; the means of
adaptive pooling are windows that cover the image, and their gradient sums over the areas that a pixel is in. So one
loop serves all four. Large windows are summed line by line, so that rounding grows with their sides.
"""

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport team
from cynet.kernels.common.simd cimport VL, copy_run, load_wide, store_wide, vf, vset


cdef void one_row(const float *lines, float *y, Py_ssize_t rows, Py_ssize_t row, Py_ssize_t channels,
                  const Py_ssize_t *first, const Py_ssize_t *end, Py_ssize_t out_w, bint mean) noexcept nogil:
    """A row of outputs from `rows` lines of an image."""
    cdef Py_ssize_t ox, c, ky, kx, columns
    cdef const float *start
    cdef vf total, line, cells
    for ox in range(out_w):
        start, columns = lines + first[ox] * channels, end[ox] - first[ox]
        if rows == 1 and columns == 1:
            copy_run(y, start, channels)
        else:
            cells = vset(<float>(rows * columns))
            for c from 0 <= c < channels by VL:
                total = vset(0)
                for ky in range(rows):
                    line = vset(0)
                    for kx in range(columns):
                        line = line + load_wide(start + ky * row + kx * channels + c, channels - c)
                    total = total + line
                store_wide(y + c, total / cells if mean else total, channels - c)
        y += channels


def window_sums(
    const float[:, :, :, ::1] x not None,           # in: (N, H, W, C)
    float[:, :, :, ::1] y not None,                 # out: (N, out height, out width, C)
    const Py_ssize_t[:, ::1] rows not None,         # in: (2, out height), the first row of each, and one past the last
    const Py_ssize_t[:, ::1] columns not None,      # in: (2, out width)
    bint mean,                                      # whether to divide by the number of cells, then at least 1
    int threads,
):
    """y = the sum, or the mean, of the pixels rows[0, oy] .. rows[1, oy], columns[0, ox] .. columns[1, ox]."""
    cdef Py_ssize_t out_h = y.shape[1], out_w = y.shape[2], n = x.shape[3], row = x.shape[2] * n
    cdef Py_ssize_t image = x.shape[1] * row, lines = x.shape[0] * out_h, larger = max(x.shape[0] * image,
                                                                                      lines * out_w * n), i
    cdef const float *px
    cdef float *py
    cdef const Py_ssize_t *pr
    cdef const Py_ssize_t *pc
    if x.shape[0] * image * out_h * out_w == 0:
        return
    px, py, pr, pc = &x[0, 0, 0, 0], &y[0, 0, 0, 0], &rows[0, 0], &columns[0, 0]
    for i in prange(lines, nogil=True, num_threads=team(larger, threads), schedule="static"):
        one_row(px + i // out_h * image + pr[i % out_h] * row, py + i * out_w * n,
                pr[out_h + i % out_h] - pr[i % out_h], row, n, pc, pc + out_w, out_w, mean)
