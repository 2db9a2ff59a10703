"""The chunks of batch norm's passes, for the kernels that fuse them with others."""

from cynet.kernels.norm.channels cimport View

cdef enum:
    PLAIN = 0       # batch norm alone
    RELU = 1        # a ReLU follows; backward makes its mask from x again
    ADDED = 2       # something is added, then a ReLU; backward takes its mask from y

cdef void normalize_view(const float *x, const float *other, View v, const float *terms, float *y,
                         int mode) noexcept nogil
cdef void chunk_gradient_sums(const float *x, const float *dy, const float *y, float *dz, Py_ssize_t rows,
                              Py_ssize_t channels, const float *terms, double *out, int mode) noexcept nogil
