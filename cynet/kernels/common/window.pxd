"""The window of pooling and of depth-wise convolution as it slides over one image, channel by channel."""

cdef struct Window:
    Py_ssize_t in_h, in_w, out_h, out_w, channels
    Py_ssize_t kh, kw, sh, sw       # kernel and stride
    Py_ssize_t top, left            # padding before; the padding after shows in out_h and out_w


cdef inline Py_ssize_t first_cell(Py_ssize_t start) noexcept nogil:
    """The first cell inside the image of a window that starts at pixel `start`."""
    return -start if start < 0 else 0


cdef inline Py_ssize_t end_cell(Py_ssize_t start, Py_ssize_t kernel, Py_ssize_t size) noexcept nogil:
    """One past the last cell inside the image."""
    return min(kernel, size - start)


cdef inline Py_ssize_t first_window(Py_ssize_t cell, Py_ssize_t kernel, Py_ssize_t stride) noexcept nogil:
    """The first window that covers a padded pixel: the first whose end is beyond it."""
    if cell < kernel:
        return 0
    return (cell - kernel) // 2 + 1 if stride == 2 else (cell - kernel) // stride + 1  # 2: no division


cdef inline Py_ssize_t end_window(Py_ssize_t cell, Py_ssize_t stride, Py_ssize_t windows) noexcept nogil:
    """One past the last window that covers a padded pixel."""
    return min(windows, (cell // 2 if stride == 2 else cell // stride) + 1)
