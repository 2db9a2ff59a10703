"""Activations that fewer nets use, made as those of activation.pyx: the curves themselves lie in curves.h.

Every function takes flat arrays of one length and writes its last array; `y` and `dx` may be the same
memory as an input. NaN gives NaN; the slope there is PyTorch's, 0 or 1.
"""

from cynet.kernels.common.simd cimport vf
from cynet.kernels.pointwise.activation cimport run1, run2, vectors1, vectors2


cdef extern from "curves.h" nogil:
    vf vrelu6(vf x)
    vf vrelu6_slope(vf x, vf dy)
    vf vhardsigmoid(vf x)
    vf vhardsigmoid_slope(vf x, vf dy)
    vf vhardswish(vf x)
    vf vhardswish_slope(vf x, vf dy)
    vf velu(vf x, float alpha)
    vf velu_slope(vf x, vf dy, float alpha)
    vf vsoftplus(vf x, float beta, float threshold)
    vf vsoftplus_slope(vf x, vf dy, float beta, float threshold)


cdef inline vf relu6_curve(vf x, const float *of) noexcept nogil:
    return vrelu6(x)


cdef inline vf relu6_slope(vf x, vf dy, const float *of) noexcept nogil:
    return vrelu6_slope(x, dy)


cdef void relu6_chunk(const float *x, float *y, Py_ssize_t n, const float *of) noexcept nogil:
    vectors1(relu6_curve, x, y, n, of)


cdef void relu6_grad_chunk(const float *x, const float *dy, float *dx, Py_ssize_t n, const float *of) noexcept nogil:
    vectors2(relu6_slope, x, dy, dx, n, of)


cdef inline vf hardsigmoid_curve(vf x, const float *of) noexcept nogil:
    return vhardsigmoid(x)


cdef inline vf hardsigmoid_slope(vf x, vf dy, const float *of) noexcept nogil:
    return vhardsigmoid_slope(x, dy)


cdef void hardsigmoid_chunk(const float *x, float *y, Py_ssize_t n, const float *of) noexcept nogil:
    vectors1(hardsigmoid_curve, x, y, n, of)


cdef void hardsigmoid_grad_chunk(const float *x, const float *dy, float *dx, Py_ssize_t n, const float *of) noexcept nogil:
    vectors2(hardsigmoid_slope, x, dy, dx, n, of)


cdef inline vf hardswish_curve(vf x, const float *of) noexcept nogil:
    return vhardswish(x)


cdef inline vf hardswish_slope(vf x, vf dy, const float *of) noexcept nogil:
    return vhardswish_slope(x, dy)


cdef void hardswish_chunk(const float *x, float *y, Py_ssize_t n, const float *of) noexcept nogil:
    vectors1(hardswish_curve, x, y, n, of)


cdef void hardswish_grad_chunk(const float *x, const float *dy, float *dx, Py_ssize_t n, const float *of) noexcept nogil:
    vectors2(hardswish_slope, x, dy, dx, n, of)


cdef inline vf elu_curve(vf x, const float *of) noexcept nogil:
    return velu(x, of[0])


cdef inline vf elu_slope(vf x, vf dy, const float *of) noexcept nogil:
    return velu_slope(x, dy, of[0])


cdef void elu_chunk(const float *x, float *y, Py_ssize_t n, const float *of) noexcept nogil:
    vectors1(elu_curve, x, y, n, of)


cdef void elu_grad_chunk(const float *x, const float *dy, float *dx, Py_ssize_t n, const float *of) noexcept nogil:
    vectors2(elu_slope, x, dy, dx, n, of)


cdef inline vf softplus_curve(vf x, const float *of) noexcept nogil:
    return vsoftplus(x, of[0], of[1])


cdef inline vf softplus_slope(vf x, vf dy, const float *of) noexcept nogil:
    return vsoftplus_slope(x, dy, of[0], of[1])


cdef void softplus_chunk(const float *x, float *y, Py_ssize_t n, const float *of) noexcept nogil:
    vectors1(softplus_curve, x, y, n, of)


cdef void softplus_grad_chunk(const float *x, const float *dy, float *dx, Py_ssize_t n, const float *of) noexcept nogil:
    vectors2(softplus_slope, x, dy, dx, n, of)


def relu6(
    const float[::1] x not None,    # in
    float[::1] y not None,          # out
    int threads,
):
    """y = min(max(x, 0), 6)."""
    run1(relu6_chunk, x, y, NULL, threads)


def relu6_backward(
    const float[::1] x not None,    # in: the input, or as well the output
    const float[::1] dy not None,   # in
    float[::1] dx not None,         # out
    int threads,
):
    """dx = dy where 0 < x < 6, else 0."""
    run2(relu6_grad_chunk, x, dy, dx, NULL, threads)


def hardsigmoid(
    const float[::1] x not None,    # in
    float[::1] y not None,          # out
    int threads,
):
    """y = min(max(x + 3, 0), 6) / 6 (Courbariaux et al. 2015, as in MobileNetV3)."""
    run1(hardsigmoid_chunk, x, y, NULL, threads)


def hardsigmoid_backward(
    const float[::1] x not None,    # in
    const float[::1] dy not None,   # in
    float[::1] dx not None,         # out
    int threads,
):
    """dx = dy / 6 where -3 < x < 3, else 0."""
    run2(hardsigmoid_grad_chunk, x, dy, dx, NULL, threads)


def hardswish(
    const float[::1] x not None,    # in
    float[::1] y not None,          # out
    int threads,
):
    """y = x * min(max(x + 3, 0), 6) / 6 (Howard et al. 2019); of -Inf NaN."""
    run1(hardswish_chunk, x, y, NULL, threads)


def hardswish_backward(
    const float[::1] x not None,    # in
    const float[::1] dy not None,   # in
    float[::1] dx not None,         # out
    int threads,
):
    """dx = 0 where x <= -3, dy * (x / 3 + 1 / 2) where x < 3, else dy."""
    run2(hardswish_grad_chunk, x, dy, dx, NULL, threads)


def elu(
    const float[::1] x not None,    # in
    float[::1] y not None,          # out
    float alpha,
    int threads,
):
    """y = x where x > 0, else alpha * (exp(x) - 1) (Clevert et al. 2015)."""
    run1(elu_chunk, x, y, &alpha, threads)


def elu_backward(
    const float[::1] x not None,    # in
    const float[::1] dy not None,   # in
    float[::1] dx not None,         # out
    float alpha,
    int threads,
):
    """dx = dy * alpha * exp(x) where x <= 0, else dy."""
    run2(elu_grad_chunk, x, dy, dx, &alpha, threads)


def softplus(
    const float[::1] x not None,    # in
    float[::1] y not None,          # out
    float beta,
    float threshold,
    int threads,
):
    """y = log(1 + exp(beta * x)) / beta, or x where beta * x > threshold."""
    cdef float[2] of = [beta, threshold]
    run1(softplus_chunk, x, y, of, threads)


def softplus_backward(
    const float[::1] x not None,    # in
    const float[::1] dy not None,   # in
    float[::1] dx not None,         # out
    float beta,
    float threshold,
    int threads,
):
    """dx = dy / (1 + exp(-beta * x)), or dy where beta * x > threshold."""
    cdef float[2] of = [beta, threshold]
    run2(softplus_grad_chunk, x, dy, dx, of, threads)
