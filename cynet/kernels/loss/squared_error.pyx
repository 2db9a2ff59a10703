"""Squared errors and their gradient in one pass."""

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport CHUNK, chunks, length, team


def sum_count(Py_ssize_t elements):
    """The partial sums of `squared_error`: one for each chunk."""
    return chunks(elements)


cdef double chunk_error(
    const float *y, const float *target, float *dy, Py_ssize_t n, double weight
) noexcept nogil:
    cdef double total = 0, difference
    cdef Py_ssize_t i
    for i in range(n):
        difference = <double>y[i] - target[i]
        total += difference * difference
        dy[i] = <float>(weight * difference)
    return total


def squared_error(
    const float[::1] y not None,        # in: at least 1 element
    const float[::1] target not None,   # in: as many
    float[::1] dy not None,             # out: as many, the gradient of what is returned
    double[::1] sums not None,          # out: (sum_count(n),)
    double divisor,                     # the number of elements, for the mean of all
    int threads,
):
    """The sum of (y - target)^2, taken in the order of the chunks, over a divisor."""
    cdef Py_ssize_t n = y.shape[0], i
    cdef double total = 0, weight = 2.0 / divisor
    cdef const float *py = &y[0]
    cdef const float *pt = &target[0]
    cdef float *pdy = &dy[0]
    cdef double *ps = &sums[0]
    for i in prange(chunks(n), nogil=True, num_threads=team(n, threads), schedule="static"):
        ps[i] = chunk_error(py + i * CHUNK, pt + i * CHUNK, pdy + i * CHUNK, length(i, n), weight)
    for i in range(chunks(n)):
        total += sums[i]
    return total / divisor
