"""Batch normalisation over rows (pixels) x channels, with what follows it: a ReLU or ReLU6, or a sum and a ReLU.

Ioffe and Szegedy (2015), algorithm 1; batchnorm_statistics.pyx takes the statistics, batchnorm_gradient.pyx goes back.

Design: rows are cut into chunks of a fixed number, the work items of every function here and there; partial sums are
stored by chunk and joined in order, so that the result is the same for any number of threads. The mean is kept as
two floats, high + low, since one float cannot hold a mean of 1e6 to 1e-5. A ReLU that follows costs no pass of its
own: forward cuts before it stores, and backward makes the cut's mask from x again, by the same arithmetic
(`pre_activation`), so that nothing but x is kept.
"""

from cython.parallel cimport prange

from cynet.kernels.common.simd cimport VL, load_wide, store_wide, vf
from cynet.kernels.norm.channels cimport (
    LANES, MEAN_HIGH, MEAN_LOW, MOST, RUN, SCALE, SHIFT, STRIPS, TERMS, View, view_of, widened
)


cdef void normalize(
    const float[:, ::1] x,      # in: (rows, channels)
    const float *other,         # in: the same, or NULL but for ADDED
    const float[:, ::1] terms,  # in: (TERMS, channels), rows MEAN_HIGH to SHIFT
    float[:, ::1] y,            # out: (rows, channels)
    int mode,                   # PLAIN, RELU, RELU6 or ADDED
    Py_ssize_t chunk_rows,      # rows of a work item
    int threads,
) noexcept:
    """y = (x - mean) * scale + shift, channel by channel, or what `mode` says of it and, perhaps, of `other`."""
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], i
    cdef Py_ssize_t chunks = (rows + chunk_rows - 1) // chunk_rows, size = chunk_rows * channels
    if rows == 0:
        return
    cdef const float *source = &x[0, 0]
    cdef const float *t = &terms[0, 0]
    cdef float *out = &y[0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        normalize_chunk(source + i * size, other + i * size if other else NULL,
                        min(chunk_rows, rows - i * chunk_rows), channels, t, out + i * size, mode)


cdef void normalize_chunk(const float *x, const float *other, Py_ssize_t rows, Py_ssize_t channels,
                          const float *terms, float *y, int mode) noexcept nogil:
    cdef float[TERMS * LANES] wide
    normalize_view(x, other, view_of(rows, channels), widened(terms, channels, wide), y, mode)


cdef void normalize_view(const float *x, const float *other, View v, const float *terms, float *y,
                         int mode) noexcept nogil:
    cdef Py_ssize_t end = v.rows * v.step
    if mode == ADDED:
        normalize_rows(x, other, v.rows, v.step, v.step, terms, y, ADDED)
        normalize_rows(x + end, other + end, 1, v.step, v.tail, terms, y + end, ADDED)
    elif mode == RELU:
        normalize_rows(x, x, v.rows, v.step, v.step, terms, y, RELU)
        normalize_rows(x + end, x, 1, v.step, v.tail, terms, y + end, RELU)
    elif mode == RELU6:
        normalize_rows(x, x, v.rows, v.step, v.step, terms, y, RELU6)
        normalize_rows(x + end, x, 1, v.step, v.tail, terms, y + end, RELU6)
    else:
        normalize_rows(x, x, v.rows, v.step, v.step, terms, y, PLAIN)
        normalize_rows(x + end, x, 1, v.step, v.tail, terms, y + end, PLAIN)


cdef inline void normalize_rows(const float *x, const float *other, Py_ssize_t rows, Py_ssize_t step,
                                Py_ssize_t width, const float *terms, float *y, int mode) noexcept nogil:
    """Rows of `width` channels; the terms' rows are `step` long."""
    cdef Py_ssize_t c, first = 0, n
    while first < rows:
        n = min(RUN, rows - first)
        c = 0
        while c + STRIPS * VL <= width:
            normalize_strips(x + c, other + c, n, step, STRIPS * VL, STRIPS, terms + c, y + c, mode)
            c += STRIPS * VL
        while c + 2 * VL <= width:
            normalize_strips(x + c, other + c, n, step, 2 * VL, 2, terms + c, y + c, mode)
            c += 2 * VL
        while c < width:
            normalize_strips(x + c, other + c, n, step, width - c, 1, terms + c, y + c, mode)
            c += VL
        x, other, y = x + n * step, other + n * step, y + n * step
        first += n


cdef inline void normalize_strips(const float *x, const float *other, Py_ssize_t rows, Py_ssize_t step,
                                  Py_ssize_t left, Py_ssize_t strips, const float *terms, float *y,
                                  int mode) noexcept nogil:
    """`strips` vectors of channels, a constant; `left` channels are there."""
    cdef Py_ssize_t s, row
    cdef vf[MOST] high, low, scale, shift
    cdef vf result
    for s in range(strips):
        high[s] = load_wide(terms + MEAN_HIGH * step + s * VL, left)
        low[s] = load_wide(terms + MEAN_LOW * step + s * VL, left)
        scale[s] = load_wide(terms + SCALE * step + s * VL, left)
        shift[s] = load_wide(terms + SHIFT * step + s * VL, left)
    for row in range(rows):
        for s in range(strips):
            result = pre_activation(load_wide(x + s * VL, left) - high[s] - low[s], scale[s], shift[s])
            if mode == ADDED:
                result = result + load_wide(other + s * VL, left)
            store_wide(y + s * VL, bent(result, mode), left)
        x, other, y = x + step, other + step, y + step
