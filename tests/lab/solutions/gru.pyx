from cython.parallel cimport prange

from libc.math cimport exp, tanh


cdef double logistic(double a) noexcept nogil:
    return 1 / (1 + exp(-a))


cdef double product(const float[:, ::1] w, Py_ssize_t row, const float[::1] b, const float[:, ::1] x,
                    Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t k
    cdef double total = b[row]
    for k in range(w.shape[1]):
        total += w[row, k] * x[i, k]
    return total


def step(
        const float[:, ::1] x not None, const float[:, ::1] h not None, const float[:, ::1] w_ih not None,
        const float[:, ::1] w_hh not None, const float[::1] b_ih not None, const float[::1] b_hh not None,
        float[:, ::1] new_h not None):
    cdef Py_ssize_t i
    for i in prange(x.shape[0], nogil=True, schedule="static"):
        step_row(x, h, w_ih, w_hh, b_ih, b_hh, new_h, i)


cdef void step_row(const float[:, ::1] x, const float[:, ::1] h, const float[:, ::1] w_ih, const float[:, ::1] w_hh,
                   const float[::1] b_ih, const float[::1] b_hh, float[:, ::1] new_h, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t j, size = h.shape[1]
    cdef double r, z, n, s
    for j in range(size):
        r = logistic(product(w_ih, j, b_ih, x, i) + product(w_hh, j, b_hh, h, i))
        z = logistic(product(w_ih, size + j, b_ih, x, i) + product(w_hh, size + j, b_hh, h, i))
        s = product(w_hh, 2 * size + j, b_hh, h, i)
        n = tanh(product(w_ih, 2 * size + j, b_ih, x, i) + r * s)
        new_h[i, j] = <float>((1 - z) * n + z * h[i, j])


def step_gradient(
        const float[:, ::1] d not None, const float[:, ::1] x not None, const float[:, ::1] h not None,
        const float[:, ::1] w_ih not None, const float[:, ::1] w_hh not None, const float[::1] b_ih not None,
        const float[::1] b_hh not None, float[:, ::1] dx not None, float[:, ::1] dh not None):
    cdef Py_ssize_t i
    for i in prange(x.shape[0], nogil=True, schedule="static"):
        gradient_row(d, x, h, w_ih, w_hh, b_ih, b_hh, dx, dh, i)


cdef void gradient_row(const float[:, ::1] d, const float[:, ::1] x, const float[:, ::1] h,
                       const float[:, ::1] w_ih, const float[:, ::1] w_hh, const float[::1] b_ih,
                       const float[::1] b_hh, float[:, ::1] dx, float[:, ::1] dh, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t j, k, size = h.shape[1]
    cdef double r, z, n, s, da_n, da_z, da_r
    dx[i, :] = 0
    for j in range(size):
        dh[i, j] = 0
    for j in range(size):
        r = logistic(product(w_ih, j, b_ih, x, i) + product(w_hh, j, b_hh, h, i))
        z = logistic(product(w_ih, size + j, b_ih, x, i) + product(w_hh, size + j, b_hh, h, i))
        s = product(w_hh, 2 * size + j, b_hh, h, i)
        n = tanh(product(w_ih, 2 * size + j, b_ih, x, i) + r * s)
        da_n = d[i, j] * (1 - z) * (1 - n * n)
        da_z = d[i, j] * (h[i, j] - n) * z * (1 - z)
        da_r = da_n * s * r * (1 - r)
        for k in range(x.shape[1]):
            dx[i, k] += <float>(da_r * w_ih[j, k] + da_z * w_ih[size + j, k] + da_n * w_ih[2 * size + j, k])
        for k in range(size):
            dh[i, k] += <float>(da_r * w_hh[j, k] + da_z * w_hh[size + j, k] + da_n * r * w_hh[2 * size + j, k])
        dh[i, j] += <float>(d[i, j] * z)


def through_time(
        const float[:, :, ::1] xs not None, const float[:, ::1] h not None, const float[:, ::1] w_ih not None,
        const float[:, ::1] w_hh not None, const float[::1] b_ih not None, const float[::1] b_hh not None,
        float[:, :, ::1] hs not None):
    cdef Py_ssize_t t
    for t in range(xs.shape[0]):
        step(xs[t], h if t == 0 else hs[t - 1], w_ih, w_hh, b_ih, b_hh, hs[t])
