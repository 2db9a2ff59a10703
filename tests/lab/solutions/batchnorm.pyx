from cython.parallel cimport prange

from libc.math cimport pow, sqrt

cdef float EPS = 1e-5


def variance(const float[:, ::1] x not None, const float[::1] m not None, Py_ssize_t groups, float[::1] v not None):
    cdef Py_ssize_t g, n = x.shape[1] // groups
    for g in prange(groups, nogil=True, schedule="static"):
        v[g] = variance_of(x, m[g], g * n, n)


cdef float variance_of(const float[:, ::1] x, float m, Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef double total = 0, off
    for i in range(x.shape[0]):
        for j in range(first, first + n):
            off = x[i, j] - m
            total += off * off
    return <float>(total / (x.shape[0] * n))


def normalize(
        const float[:, ::1] x not None, const float[::1] m not None, const float[::1] v not None, Py_ssize_t groups,
        float[:, ::1] y not None):
    cdef Py_ssize_t i, n = x.shape[1] // groups
    for i in prange(x.shape[0], nogil=True, schedule="static"):
        normalize_row(x, m, v, y, i, n)


cdef void normalize_row(const float[:, ::1] x, const float[::1] m, const float[::1] v, float[:, ::1] y, Py_ssize_t i,
                        Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t j, g
    cdef float inverse
    for g in range(m.shape[0]):
        inverse = 1 / sqrt(v[g] + EPS)
        for j in range(g * n, g * n + n):
            y[i, j] = (x[i, j] - m[g]) * inverse


def delta_mean(const float[:, ::1] d not None, const float[::1] v not None, float[::1] dm not None):
    cdef Py_ssize_t g, n = d.shape[1] // v.shape[0]
    for g in prange(v.shape[0], nogil=True, schedule="static"):
        dm[g] = -sum_of(d, g * n, n) / sqrt(v[g] + EPS)


cdef double sum_of(const float[:, ::1] d, Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef double total = 0
    for i in range(d.shape[0]):
        for j in range(first, first + n):
            total += d[i, j]
    return total


def delta_variance(
        const float[:, ::1] d not None, const float[:, ::1] x not None, const float[::1] m not None,
        const float[::1] v not None, float[::1] dv not None):
    cdef Py_ssize_t g, n = x.shape[1] // m.shape[0]
    for g in prange(m.shape[0], nogil=True, schedule="static"):
        dv[g] = -0.5 * product_of(d, x, m[g], g * n, n) * pow(v[g] + EPS, -1.5)


cdef double product_of(const float[:, ::1] d, const float[:, ::1] x, float m, Py_ssize_t first,
                       Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef double total = 0
    for i in range(d.shape[0]):
        for j in range(first, first + n):
            total += d[i, j] * (x[i, j] - m)
    return total


def delta_batch_norm(
        const float[:, ::1] d not None, const float[::1] dm not None, const float[::1] dv not None,
        const float[::1] m not None, const float[::1] v not None, const float[:, ::1] x not None,
        float[:, ::1] dx not None):
    cdef Py_ssize_t i
    for i in prange(x.shape[0], nogil=True, schedule="static"):
        row_of(d, dm, dv, m, v, x, dx, i)


cdef void row_of(const float[:, ::1] d, const float[::1] dm, const float[::1] dv, const float[::1] m,
                 const float[::1] v, const float[:, ::1] x, float[:, ::1] dx, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t j, g, n = x.shape[1] // m.shape[0]
    cdef double count = x.shape[0] * n, inverse, by_v, by_m
    for g in range(m.shape[0]):
        inverse = 1 / sqrt(v[g] + EPS)
        by_v = 2 * dv[g] / count
        by_m = dm[g] / count
        for j in range(g * n, g * n + n):
            dx[i, j] = d[i, j] * inverse + by_v * (x[i, j] - m[g]) + by_m
