from cython.parallel cimport prange


def im2col(const float[:, :, ::1] image not None, Py_ssize_t size, Py_ssize_t stride, float[:, ::1] col not None):
    cdef Py_ssize_t row
    for row in prange(col.shape[0], nogil=True, schedule="static"):
        one_row(image, size, stride, col, row)


cdef void one_row(const float[:, :, ::1] image, Py_ssize_t size, Py_ssize_t stride, float[:, ::1] col,
                  Py_ssize_t row) noexcept nogil:
    cdef Py_ssize_t c = row // (size * size), ky = row // size % size, kx = row % size
    cdef Py_ssize_t out_h = (image.shape[1] - 1) // stride + 1, out_w = (image.shape[2] - 1) // stride + 1
    cdef Py_ssize_t oy, ox, y, x, pad = (size - 1) // 2
    for oy in range(out_h):
        y = oy * stride + ky - pad
        for ox in range(out_w):
            x = ox * stride + kx - pad
            if 0 <= y < image.shape[1] and 0 <= x < image.shape[2]:
                col[row, oy * out_w + ox] = image[c, y, x]
            else:
                col[row, oy * out_w + ox] = 0


def col2im(
        const float[:, ::1] col not None, Py_ssize_t channels, Py_ssize_t height, Py_ssize_t width, Py_ssize_t size,
        Py_ssize_t stride, float[:, :, ::1] image not None):
    cdef Py_ssize_t c
    for c in prange(channels, nogil=True, schedule="static"):
        one_channel(col, size, stride, image, c)


cdef void one_channel(const float[:, ::1] col, Py_ssize_t size, Py_ssize_t stride, float[:, :, ::1] image,
                      Py_ssize_t c) noexcept nogil:
    cdef Py_ssize_t out_h = (image.shape[1] - 1) // stride + 1, out_w = (image.shape[2] - 1) // stride + 1
    cdef Py_ssize_t ky, kx, oy, ox, y, x, padding = (size - 1) // 2
    image[c, :, :] = 0
    for ky in range(size):
        for kx in range(size):
            for oy in range(out_h):
                for ox in range(out_w):
                    y = oy * stride + ky - padding
                    x = ox * stride + kx - padding
                    if 0 <= y < image.shape[1] and 0 <= x < image.shape[2]:
                        image[c, y, x] += col[(c * size + ky) * size + kx, oy * out_w + ox]
