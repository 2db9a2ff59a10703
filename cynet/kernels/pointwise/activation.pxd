"""How activations go over arrays, chunk by chunk and vector by vector: for all files that have curves."""

from cynet.kernels.common.simd cimport VL, vf, vload, vload_part, vstore, vstore_part

# y = f(a), and dx = f(a, dy); `of`: the numbers of a curve that has some, such as a slope.
ctypedef void (*map1)(const float *a, float *y, Py_ssize_t n, const float *of) noexcept nogil
ctypedef void (*map2)(const float *a, const float *dy, float *dx, Py_ssize_t n, const float *of) noexcept nogil
ctypedef vf (*curve1)(vf a, const float *of) noexcept nogil
ctypedef vf (*curve2)(vf a, vf dy, const float *of) noexcept nogil

cdef void run1(map1 f, const float[::1] a, float[::1] y, const float *of, int threads) noexcept
cdef void run2(map2 f, const float[::1] a, const float[::1] dy, float[::1] dx, const float *of,
               int threads) noexcept


cdef inline void vectors1(curve1 f, const float *a, float *y, Py_ssize_t n, const float *of) noexcept nogil:
    """y = f(a); as the compiler inlines this, `f` is a constant and is inlined too."""
    cdef Py_ssize_t i = 0
    while i + VL <= n:
        vstore(y + i, f(vload(a + i), of))
        i += VL
    if i < n:
        vstore_part(y + i, f(vload_part(a + i, n - i), of), n - i)


cdef inline void vectors2(curve2 f, const float *a, const float *dy, float *dx, Py_ssize_t n,
                          const float *of) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i + VL <= n:
        vstore(dx + i, f(vload(a + i), vload(dy + i), of))
        i += VL
    if i < n:
        vstore_part(dx + i, f(vload_part(a + i, n - i), vload_part(dy + i, n - i), of), n - i)
