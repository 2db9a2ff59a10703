"""Element-wise activations and their gradients.

Every function takes flat arrays of one length and writes its last array; `y` and `dx` may be the same
memory as an input. NaN gives NaN.
"""

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport CHUNK, chunks, length, team
from cynet.kernels.common.simd cimport vf, vgelu_slope, vnormal_cdf, vset, vsigmoid, vtanh


cdef void run1(map1 f, const float[::1] a, float[::1] y, const float *of, int threads) noexcept:
    cdef Py_ssize_t n = a.shape[0], i
    cdef const float *pa
    cdef float *py
    if n == 0:
        return
    pa, py = &a[0], &y[0]
    for i in prange(chunks(n), nogil=True, num_threads=team(n, threads), schedule="static"):
        f(pa + i * CHUNK, py + i * CHUNK, length(i, n), of)


cdef void run2(
    map2 f, const float[::1] a, const float[::1] dy, float[::1] dx, const float *of, int threads
) noexcept:
    cdef Py_ssize_t n = a.shape[0], i
    cdef const float *pa
    cdef const float *pdy
    cdef float *pdx
    if n == 0:
        return
    pa, pdy, pdx = &a[0], &dy[0], &dx[0]
    for i in prange(chunks(n), nogil=True, num_threads=team(n, threads), schedule="static"):
        f(pa + i * CHUNK, pdy + i * CHUNK, pdx + i * CHUNK, length(i, n), of)


# Comparisons are turned so that NaN takes the branch which passes it on.

cdef void relu_chunk(const float *x, float *y, Py_ssize_t n, const float *of) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = 0 if x[i] <= 0 else x[i]


cdef void relu_grad_chunk(const float *x, const float *dy, float *dx, Py_ssize_t n, const float *of) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        dx[i] = 0 if x[i] <= 0 else dy[i]


cdef void leaky_chunk(const float *x, float *y, Py_ssize_t n, const float *of) noexcept nogil:
    cdef Py_ssize_t i
    cdef float slope = of[0]
    for i in range(n):
        y[i] = x[i] if x[i] > 0 else slope * x[i]


cdef void leaky_grad_chunk(const float *x, const float *dy, float *dx, Py_ssize_t n, const float *of) noexcept nogil:
    cdef Py_ssize_t i
    cdef float slope = of[0]
    for i in range(n):
        dx[i] = dy[i] if x[i] > 0 else slope * dy[i]


cdef inline vf sigmoid_curve(vf x, const float *of) noexcept nogil:
    return vsigmoid(x)


cdef inline vf tanh_curve(vf x, const float *of) noexcept nogil:
    return vtanh(x)


cdef inline vf gelu_curve(vf x, const float *of) noexcept nogil:
    return x * vnormal_cdf(x)


cdef inline vf gelu_slope(vf x, vf dy, const float *of) noexcept nogil:
    return dy * vgelu_slope(x)


cdef inline vf silu_curve(vf x, const float *of) noexcept nogil:
    return x * vsigmoid(x)


cdef inline vf silu_slope(vf x, vf dy, const float *of) noexcept nogil:
    cdef vf s = vsigmoid(x)
    return dy * (s * (vset(1) + x * (vset(1) - s)))


cdef inline vf sigmoid_slope(vf y, vf dy, const float *of) noexcept nogil:
    return dy * (y * (vset(1) - y))


cdef inline vf tanh_slope(vf y, vf dy, const float *of) noexcept nogil:
    return dy * (vset(1) - y * y)


cdef void sigmoid_chunk(const float *x, float *y, Py_ssize_t n, const float *of) noexcept nogil:
    vectors1(sigmoid_curve, x, y, n, of)


cdef void tanh_chunk(const float *x, float *y, Py_ssize_t n, const float *of) noexcept nogil:
    vectors1(tanh_curve, x, y, n, of)


cdef void gelu_chunk(const float *x, float *y, Py_ssize_t n, const float *of) noexcept nogil:
    vectors1(gelu_curve, x, y, n, of)


cdef void silu_chunk(const float *x, float *y, Py_ssize_t n, const float *of) noexcept nogil:
    vectors1(silu_curve, x, y, n, of)


cdef void sigmoid_grad_chunk(const float *y, const float *dy, float *dx, Py_ssize_t n, const float *of) noexcept nogil:
    vectors2(sigmoid_slope, y, dy, dx, n, of)


cdef void tanh_grad_chunk(const float *y, const float *dy, float *dx, Py_ssize_t n, const float *of) noexcept nogil:
    vectors2(tanh_slope, y, dy, dx, n, of)


cdef void gelu_grad_chunk(const float *x, const float *dy, float *dx, Py_ssize_t n, const float *of) noexcept nogil:
    vectors2(gelu_slope, x, dy, dx, n, of)


cdef void silu_grad_chunk(const float *x, const float *dy, float *dx, Py_ssize_t n, const float *of) noexcept nogil:
    vectors2(silu_slope, x, dy, dx, n, of)


def relu(
    const float[::1] x not None,    # in
    float[::1] y not None,          # out
    int threads,
):
    """y = max(x, 0)."""
    run1(relu_chunk, x, y, NULL, threads)


def relu_backward(
    const float[::1] x not None,    # in: the input, or as well the output: the same elements are positive
    const float[::1] dy not None,   # in
    float[::1] dx not None,         # out
    int threads,
):
    """dx = dy where x > 0 or x is NaN, else 0 (as PyTorch)."""
    run2(relu_grad_chunk, x, dy, dx, NULL, threads)


def leaky_relu(
    const float[::1] x not None,    # in
    float[::1] y not None,          # out
    float slope,
    int threads,
):
    """y = x where x > 0, else slope * x."""
    run1(leaky_chunk, x, y, &slope, threads)


def leaky_relu_backward(
    const float[::1] x not None,    # in
    const float[::1] dy not None,   # in
    float[::1] dx not None,         # out
    float slope,
    int threads,
):
    """dx = dy where x > 0, else slope * dy."""
    run2(leaky_grad_chunk, x, dy, dx, &slope, threads)


def sigmoid(
    const float[::1] x not None,    # in
    float[::1] y not None,          # out
    int threads,
):
    """y = 1 / (1 + exp(-x)), the logistic function."""
    run1(sigmoid_chunk, x, y, NULL, threads)


def sigmoid_backward(
    const float[::1] y not None,    # in: the output
    const float[::1] dy not None,   # in
    float[::1] dx not None,         # out
    int threads,
):
    """dx = dy * y * (1 - y)."""
    run2(sigmoid_grad_chunk, y, dy, dx, NULL, threads)


def tanh(
    const float[::1] x not None,    # in
    float[::1] y not None,          # out
    int threads,
):
    """y = tanh(x)."""
    run1(tanh_chunk, x, y, NULL, threads)


def tanh_backward(
    const float[::1] y not None,    # in: the output
    const float[::1] dy not None,   # in
    float[::1] dx not None,         # out
    int threads,
):
    """dx = dy * (1 - y^2)."""
    run2(tanh_grad_chunk, y, dy, dx, NULL, threads)


def gelu(
    const float[::1] x not None,    # in
    float[::1] y not None,          # out
    int threads,
):
    """y = x * P(x), P the standard normal's distribution function (Hendrycks & Gimpel 2016, exact form)."""
    run1(gelu_chunk, x, y, NULL, threads)


def gelu_backward(
    const float[::1] x not None,    # in
    const float[::1] dy not None,   # in
    float[::1] dx not None,         # out
    int threads,
):
    """dx = dy * (P(x) + x * p(x)), p the standard normal's density."""
    run2(gelu_grad_chunk, x, dy, dx, NULL, threads)


def silu(
    const float[::1] x not None,    # in
    float[::1] y not None,          # out
    int threads,
):
    """y = x / (1 + exp(-x)); of -Inf NaN, of Inf Inf."""
    run1(silu_chunk, x, y, NULL, threads)


def silu_backward(
    const float[::1] x not None,    # in
    const float[::1] dy not None,   # in
    float[::1] dx not None,         # out
    int threads,
):
    """dx = dy * s * (1 + x * (1 - s)) with s = 1 / (1 + exp(-x))."""
    run2(silu_grad_chunk, x, dy, dx, NULL, threads)
