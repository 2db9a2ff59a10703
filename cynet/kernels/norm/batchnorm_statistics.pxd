"""The statistics of chunks, for the kernels that take them of other shapes."""

cdef void chunk_statistics(const float *x, Py_ssize_t rows, Py_ssize_t channels, double *out) noexcept nogil

cdef void join_chunks(const double *partial, Py_ssize_t chunks, Py_ssize_t rows, Py_ssize_t channels,
                      Py_ssize_t chunk_rows, double *mean, double *square) noexcept nogil
