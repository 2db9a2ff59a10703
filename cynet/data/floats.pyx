"""Samples that are floats: their moments, and the loader's step from stored to normalised ones.

All is computed in double, in the order of the samples, so that it is the same for any number of threads.
"""

from cython.parallel cimport prange
from libc.stdint cimport int64_t


def add_powers(
    const float[:, :, ::1] x not None,    # in: (n, channels, values)
    const double[::1] shift not None,     # in: (channels,)
    double[::1] sums not None,            # inout: (channels,)
    int power,
):
    """sums[c] += the sum of (x[:, c] - shift[c]) ** power, one value after the other; power is 1 or 2."""
    cdef Py_ssize_t i, c, k
    cdef double total, value
    with nogil:
        for i in range(x.shape[0]):
            for c in range(x.shape[1]):
                total = sums[c]
                for k in range(x.shape[2]):
                    value = x[i, c, k] - shift[c]
                    total += value if power == 1 else value * value
                sums[c] = total


def normalise(
    const float[:, :, ::1] images not None,  # in: (count, channels, pixels), planar
    const int64_t[::1] rows not None,        # in: (n,), where each sample lies, below count: the caller has checked
    const double[::1] mean not None,         # in: (channels,)
    const double[::1] std not None,          # in: (channels,)
    float[:, :, ::1] x not None,             # out: (n, pixels, channels)
    int threads=1,                           # 1 in worker processes, which run side by side
):
    """x[i] = (images[rows[i]] - mean) / std, channels last."""
    cdef Py_ssize_t i, n = x.shape[0], channels = images.shape[1], pixels = images.shape[2]
    if n == 0:
        return
    cdef const float *source = &images[0, 0, 0]
    cdef const int64_t *row = &rows[0]
    cdef const double *m = &mean[0]
    cdef const double *s = &std[0]
    cdef float *out = &x[0, 0, 0]
    if threads == 1:
        with nogil:
            for i in range(n):
                one(source + row[i] * channels * pixels, m, s, out + i * channels * pixels, channels, pixels)
        return
    for i in prange(n, nogil=True, num_threads=threads, schedule="static"):
        one(source + row[i] * channels * pixels, m, s, out + i * channels * pixels, channels, pixels)


cdef void one(const float *picture, const double *mean, const double *std, float *x, Py_ssize_t channels,
              Py_ssize_t pixels) noexcept nogil:
    cdef Py_ssize_t c, k
    for c in range(channels):
        for k in range(pixels):
            x[k * channels + c] = <float>((<double>picture[c * pixels + k] - mean[c]) / std[c])
