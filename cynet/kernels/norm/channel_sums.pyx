"""Sums of channels over rows: the gradient of a bias."""

from cython.parallel cimport prange
from libc.string cimport memset

from cynet.kernels.common.simd cimport load, vf8, vset8, vstore8
from cynet.kernels.norm.channels cimport RUN


cdef void add_sums(
    const float[:, ::1] x,      # in: (rows, channels)
    double[:, ::1] partial,     # out: (chunk_count(rows, chunk_rows), channels)
    float[::1] out,             # inout: (channels,), added to
    Py_ssize_t chunk_rows,      # rows of a work item
    int threads,
) noexcept:
    """Add the sum over rows to out: the gradient of a bias."""
    cdef Py_ssize_t rows = x.shape[0], channels = x.shape[1], chunks = partial.shape[0], i, c
    if rows == 0:
        return
    cdef const float *source = &x[0, 0]
    cdef double *sums = &partial[0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        sum_chunk(source + i * chunk_rows * channels, min(chunk_rows, rows - i * chunk_rows), channels,
                  sums + i * channels)
    cdef double total
    for c in range(channels):
        total = 0
        for i in range(chunks):
            total += partial[i, c]
        out[c] += <float>total


cdef void sum_chunk(const float *x, Py_ssize_t rows, Py_ssize_t channels, double *out) noexcept nogil:
    cdef Py_ssize_t c, l, row, first = 0, last, n
    cdef vf8 s
    cdef float[8] total
    memset(out, 0, channels * sizeof(double))
    while first < rows:
        last = min(first + RUN, rows)
        for c in range(0, channels, 8):
            n = min(8, channels - c)
            s = vset8(0)
            for row in range(first, last):
                s = s + load(x + row * channels + c, n)
            vstore8(total, s)
            for l in range(n):
                out[c + l] += total[l]
        first = last
