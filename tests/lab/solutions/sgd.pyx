from cython.parallel cimport prange


def velocity(
        const float[::1] w not None, const float[::1] dw not None, const float[::1] v not None, float momentum,
        float decay, float[::1] new_v not None):
    cdef Py_ssize_t i
    for i in prange(w.shape[0], nogil=True, schedule="static"):
        new_v[i] = momentum * v[i] + dw[i] + decay * w[i]


def step(const float[::1] w not None, const float[::1] v not None, float rate, float[::1] new_w not None):
    cdef Py_ssize_t i
    for i in prange(w.shape[0], nogil=True, schedule="static"):
        new_w[i] = w[i] - rate * v[i]
