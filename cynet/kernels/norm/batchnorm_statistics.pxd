"""The numbers a channel; and the statistics of chunks, for the kernels that take them of other shapes."""

cdef void batch_terms(const float[:, ::1] x, const float[::1] weight, const float[::1] bias,
                           float[::1] running_mean, float[::1] running_var, double eps, double momentum,
                           double[:, :, ::1] partial, double[:, ::1] state, float[:, ::1] terms,
                           Py_ssize_t chunk_rows, int threads) noexcept

cdef void fixed_terms(const float[::1] running_mean, const float[::1] running_var, const float[::1] weight,
                           const float[::1] bias, double eps, double[:, ::1] state,
                           float[:, ::1] terms) noexcept

cdef void gradient_terms(const double[:, :, ::1] partial, const double[:, ::1] state, const float[::1] weight,
                              float[::1] weight_grad, float[::1] bias_grad, Py_ssize_t rows, bint of_batch,
                              float[:, ::1] terms) noexcept

cdef void chunk_statistics(const float *x, Py_ssize_t rows, Py_ssize_t channels, double *out) noexcept nogil

cdef void join_chunks(const double *partial, Py_ssize_t chunks, Py_ssize_t rows, Py_ssize_t channels,
                      Py_ssize_t chunk_rows, double *mean, double *square) noexcept nogil
