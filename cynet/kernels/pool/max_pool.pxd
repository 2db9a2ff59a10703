"""The rows of max-pooling, for the kernels that fuse it with others."""

from cynet.kernels.common.window cimport Window

cdef void forward_row(
    const float *image, float *y, unsigned char *winner, const Window *g, Py_ssize_t oy
) noexcept nogil
cdef void backward_row(
    const float *dy, const unsigned char *winner, float *dx, const Window *g, Py_ssize_t iy
) noexcept nogil
