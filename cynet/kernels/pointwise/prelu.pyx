"""The parametric ReLU: a leaky one whose slopes, one a channel, are learnt (He et al. 2015).

Rows are cut into chunks of a fixed number; the slopes' sums are stored by chunk and joined in order, so that the
result is the same for any number of threads. NaN gives NaN.
"""

from cython.parallel cimport prange
from libc.string cimport memset

from cynet.kernels.common.simd cimport VL, load_wide, store_wide, vf, vset, vstore


cdef extern from "curves.h" nogil:
    vf vprelu(vf x, vf slope, vf dy)
    vf vprelu_term(vf x, vf dy)

cdef enum:
    RUN = 32        # rows that one accumulator sums in float32


def prelu(
    const float[:, ::1] x not None,         # in: (rows, channels)
    const float[::1] slope not None,        # in: (channels,)
    float[:, ::1] y not None,               # out: (rows, channels); may be x
    Py_ssize_t chunk_rows,                  # rows of a work item
    int threads,
):
    """y = x where x > 0, else slope * x."""
    prelu_backward(x, slope, x, y, chunk_rows, threads)


def prelu_backward(
    const float[:, ::1] x not None,         # in: (rows, channels)
    const float[::1] slope not None,        # in: (channels,)
    const float[:, ::1] dy not None,        # in: (rows, channels)
    float[:, ::1] dx not None,              # out: (rows, channels); may be dy
    Py_ssize_t chunk_rows,                  # rows of a work item
    int threads,
):
    """dx = dy where x > 0, else slope * dy."""
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], i, size = chunk_rows * channels
    cdef Py_ssize_t chunks = (rows + chunk_rows - 1) // chunk_rows
    if rows * channels == 0:
        return
    cdef const float *source = &x[0, 0]
    cdef const float *d = &dy[0, 0]
    cdef const float *s = &slope[0]
    cdef float *out = &dx[0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        gated(source + i * size, s, d + i * size, min(chunk_rows, rows - i * chunk_rows), channels, out + i * size)


cdef void gated(const float *x, const float *slope, const float *dy, Py_ssize_t rows, Py_ssize_t channels,
                float *dx) noexcept nogil:
    cdef Py_ssize_t row, c, left
    for row in range(rows):
        for c from 0 <= c < channels by VL:
            left = channels - c
            store_wide(dx + c, vprelu(load_wide(x + c, left), load_wide(slope + c, left), load_wide(dy + c, left)),
                       left)
        x, dy, dx = x + channels, dy + channels, dx + channels


def slope_gradient(
    const float[:, ::1] x not None,         # in: (rows, channels)
    const float[:, ::1] dy not None,        # in: (rows, channels)
    double[:, ::1] partial not None,        # out: (chunks, channels)
    double[::1] total not None,             # out: (channels,)
    Py_ssize_t chunk_rows,                  # rows of a work item
    int threads,
):
    """The sums over rows of x * dy where x is not above 0: the gradient of each slope."""
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], chunks = partial.shape[0], i, c
    total[:] = 0
    if rows * channels == 0:
        return
    cdef const float *source = &x[0, 0]
    cdef const float *d = &dy[0, 0]
    cdef double *sums = &partial[0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        sum_chunk(source + i * chunk_rows * channels, d + i * chunk_rows * channels,
                  min(chunk_rows, rows - i * chunk_rows), channels, sums + i * channels)
    for i in range(chunks):
        for c in range(channels):
            total[c] += partial[i, c]


cdef void sum_chunk(const float *x, const float *dy, Py_ssize_t rows, Py_ssize_t channels,
                    double *out) noexcept nogil:
    cdef Py_ssize_t c, l, row, first = 0, last, left
    cdef vf s
    cdef float[16] found
    memset(out, 0, channels * sizeof(double))
    while first < rows:
        last = min(first + RUN, rows)
        for c from 0 <= c < channels by VL:
            left, s = channels - c, vset(0)
            for row in range(first, last):
                s = s + vprelu_term(load_wide(x + row * channels + c, left), load_wide(dy + row * channels + c, left))
            vstore(found, s)
            for l in range(min(left, VL)):
                out[c + l] += found[l]
        first = last
