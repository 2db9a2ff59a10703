"""Rows of a depth-wise convolution, for those that walk over rows themselves."""

cdef enum:  # how far away images lie
    NEAR    # in the nearest caches
    FAR     # beyond
    PAST    # so that what is written goes past them


cdef struct Axis:
    Py_ssize_t size             # pixels that the window slides over
    Py_ssize_t taps, step       # of the window, and from one window to the next
    Py_ssize_t start            # where the first window starts: negative within the padding
    Py_ssize_t windows          # and so many pixels are written:
    Py_ssize_t first, every     # these
    Py_ssize_t tap, next_tap    # which of the filter's taps is the first, and how far the next one is

cdef Axis forward_axis(Py_ssize_t size, Py_ssize_t windows, Py_ssize_t kernel, Py_ssize_t stride,
                       Py_ssize_t before) noexcept nogil
cdef void write_row(const Axis *v, const Axis *h, Py_ssize_t row, const float *x, const float *w,
                    Py_ssize_t kernel_w, const float *bias, Py_ssize_t channels, int relu, int away,
                    float *y) noexcept nogil
