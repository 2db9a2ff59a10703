"""What batchnorm.pyx does for one chunk of rows; batchnorm_step.pyx uses it too."""

cdef void chunk_statistics(const float *x, Py_ssize_t rows, Py_ssize_t channels, double *out) noexcept nogil
cdef void join_chunks(const double *partial, Py_ssize_t rows, Py_ssize_t channels, Py_ssize_t chunk_rows,
                      double *mean, double *variance) noexcept nogil
cdef void normalize_chunk(const float *x, Py_ssize_t rows, Py_ssize_t channels, const float *terms,
                          const float *residual, bint relu, float *y) noexcept nogil
cdef void chunk_gradient_sums(const float *x, const float *dy, Py_ssize_t rows, Py_ssize_t channels,
                              const float *terms, bint relu, const float *y, float *dz,
                              double *out) noexcept nogil
cdef void input_gradient_chunk(const float *x, const float *dy, Py_ssize_t rows, Py_ssize_t channels,
                               const float *terms, const float *relu, float *dx) noexcept nogil
