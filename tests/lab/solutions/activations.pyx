from cython.parallel cimport prange

from libc.math cimport exp

cdef float SLOPE = 0.01


def logistic(const float[::1] x not None, float[::1] y not None):
    cdef Py_ssize_t i
    for i in prange(x.shape[0], nogil=True, schedule="static"):
        y[i] = 1 / (1 + exp(-x[i]))


def logistic_gradient(const float[::1] y not None, const float[::1] d not None, float[::1] dx not None):
    cdef Py_ssize_t i
    for i in prange(y.shape[0], nogil=True, schedule="static"):
        dx[i] = d[i] * y[i] * (1 - y[i])


def relu(const float[::1] x not None, float[::1] y not None):
    cdef Py_ssize_t i
    for i in prange(x.shape[0], nogil=True, schedule="static"):
        y[i] = x[i] if x[i] > 0 else 0


def relu_gradient(const float[::1] x not None, const float[::1] d not None, float[::1] dx not None):
    cdef Py_ssize_t i
    for i in prange(x.shape[0], nogil=True, schedule="static"):
        dx[i] = d[i] if x[i] > 0 else 0


def leaky_relu(const float[::1] x not None, float[::1] y not None):
    cdef Py_ssize_t i
    for i in prange(x.shape[0], nogil=True, schedule="static"):
        y[i] = x[i] if x[i] > 0 else SLOPE * x[i]


def leaky_relu_gradient(const float[::1] x not None, const float[::1] d not None, float[::1] dx not None):
    cdef Py_ssize_t i
    for i in prange(x.shape[0], nogil=True, schedule="static"):
        dx[i] = d[i] if x[i] > 0 else SLOPE * d[i]
