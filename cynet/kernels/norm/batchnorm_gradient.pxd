"""Batch norm's backward pass, and its chunks for the kernels that fuse them with others."""

cdef void gradient_sums(const float[:, ::1] x, const float[:, ::1] dy, const float *y, float *dz,
                        const float[:, ::1] terms, double[:, :, ::1] partial, int mode, Py_ssize_t chunk_rows,
                        int threads) noexcept

cdef void input_gradient(const float[:, ::1] x, const float[:, ::1] dy, const float[:, ::1] terms,
                         float[:, ::1] dx, int mode, Py_ssize_t chunk_rows, int threads) noexcept

cdef void chunk_gradient_sums(const float *x, const float *dy, const float *y, float *dz, Py_ssize_t rows,
                              Py_ssize_t channels, const float *terms, double *out, int mode) noexcept nogil

cdef void input_gradient_chunk(const float *x, const float *dy, Py_ssize_t rows, Py_ssize_t channels,
                               const float *terms, float *dx, int mode) noexcept nogil
