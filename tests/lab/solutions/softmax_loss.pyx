from cython.parallel cimport prange

from libc.math cimport exp, log


def softmax(const float[:, ::1] x not None, float[:, ::1] p not None):
    cdef Py_ssize_t i
    for i in prange(x.shape[0], nogil=True, schedule="static"):
        softmax_row(x, p, i)


cdef void softmax_row(const float[:, ::1] x, float[:, ::1] p, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t k
    cdef double greatest = greatest_of(x, i), total = total_of(x, i, greatest)
    for k in range(x.shape[1]):
        p[i, k] = <float>(exp(x[i, k] - greatest) / total)


cdef double greatest_of(const float[:, ::1] x, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t k
    cdef double found = x[i, 0]
    for k in range(x.shape[1]):
        if x[i, k] > found:
            found = x[i, k]
    return found


cdef double total_of(const float[:, ::1] x, Py_ssize_t i, double greatest) noexcept nogil:
    cdef Py_ssize_t k
    cdef double total = 0
    for k in range(x.shape[1]):
        total += exp(x[i, k] - greatest)
    return total


def losses(const float[:, ::1] x not None, const int[::1] labels not None, float[::1] loss not None):
    cdef Py_ssize_t i
    for i in prange(x.shape[0], nogil=True, schedule="static"):
        loss[i] = <float>loss_of(x, labels[i], i)


cdef double loss_of(const float[:, ::1] x, Py_ssize_t label, Py_ssize_t i) noexcept nogil:
    cdef double greatest = greatest_of(x, i)
    return log(total_of(x, i, greatest)) + greatest - x[i, label]


def gradient(const float[:, ::1] x not None, const int[::1] labels not None, float[:, ::1] dx not None):
    cdef Py_ssize_t i
    for i in prange(x.shape[0], nogil=True, schedule="static"):
        gradient_row(x, labels[i], dx, i)


cdef void gradient_row(const float[:, ::1] x, Py_ssize_t label, float[:, ::1] dx, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t k
    cdef double greatest = greatest_of(x, i), total = total_of(x, i, greatest), p
    for k in range(x.shape[1]):
        p = exp(x[i, k] - greatest) / total
        dx[i, k] = <float>((p - (1 if k == label else 0)) / x.shape[0])
