"""Sums of 32 bits as eight: what `arithmetic.times` and `arithmetic.clamped` do, for the sums of a convolution."""

from libc.stdint cimport int8_t, int32_t, int64_t

from cython.parallel cimport prange


cdef inline int32_t times(int64_t x, int64_t m, int32_t shift) noexcept nogil:
    cdef int32_t left = shift if shift > 0 else 0, right = -shift if shift < 0 else 0
    cdef int64_t most = <int64_t>2147483647 >> left, high, half
    x = most if x > most else (-most if x < -most else x)
    high = (x * (<int64_t>1 << left) * m + (<int64_t>1 << 30)) >> 31
    half = <int64_t>1 << (right - 1) if right > 0 else 0
    return <int32_t>(-((half - high) >> right) if high < 0 else (high + half) >> right)


cdef void rounded_row(
    const float *total, const int32_t *bias, const int32_t *m, const int32_t *shift, int8_t *y, Py_ssize_t n,
    int32_t out, int32_t low, int32_t high
) noexcept nogil:
    cdef Py_ssize_t i
    cdef int32_t found
    for i in range(n):
        found = times(<int64_t>total[i] + bias[i], m[i], shift[i]) + out
        y[i] = <int8_t>(low if found < low else (high if found > high else found))


def rounded(
    const float[:, ::1] total not None,    # in: (rows, channels), whole numbers below 2**24
    const int32_t[::1] bias not None,      # in: (channels,)
    const int32_t[::1] m not None,         # in: (channels,), with shift: the factors
    const int32_t[::1] shift not None,     # in: (channels,)
    int32_t out,                           # what 0 is in y
    int32_t low,                           # bounds of y
    int32_t high,
    int8_t[:, ::1] y not None,             # out: (rows, channels)
    int threads,
):
    """y = (total + bias) m 2**(shift - 31) + out, rounded twice, within bounds."""
    cdef Py_ssize_t i, rows = total.shape[0], channels = total.shape[1]
    if rows == 0 or channels == 0:
        return
    cdef const float *x = &total[0, 0]
    cdef const int32_t *b = &bias[0]
    cdef const int32_t *factor = &m[0]
    cdef const int32_t *s = &shift[0]
    cdef int8_t *to = &y[0, 0]
    for i in prange(rows, nogil=True, num_threads=threads, schedule="static"):
        rounded_row(x + i * channels, b, factor, s, to + i * channels, channels, out, low, high)
