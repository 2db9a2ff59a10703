"""The chunks of batch norm's backward pass, for the kernels that fuse them with others."""

cdef void chunk_gradient_sums(const float *x, const float *dy, const float *y, float *dz, Py_ssize_t rows,
                              Py_ssize_t channels, const float *terms, double *out, int mode) noexcept nogil

cdef void input_gradient_chunk(const float *x, const float *dy, Py_ssize_t rows, Py_ssize_t channels,
                               const float *terms, float *dx, int mode) noexcept nogil
