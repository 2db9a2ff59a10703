from cython.parallel cimport prange

from libc.math cimport INFINITY


def forward(
        const float[:, :, :, ::1] x not None, Py_ssize_t size, Py_ssize_t stride, float[:, :, :, ::1] y not None,
        int[:, :, :, ::1] winner not None):
    cdef Py_ssize_t i
    for i in prange(x.shape[0], nogil=True, schedule="static"):
        pool_one(x, size, stride, y, winner, i)


cdef void pool_one(const float[:, :, :, ::1] x, Py_ssize_t size, Py_ssize_t stride, float[:, :, :, ::1] y,
                   int[:, :, :, ::1] winner, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t c, oy, ox, ky, kx, row, column, pad = (size - 1) // 2, width = x.shape[3]
    cdef float best
    cdef Py_ssize_t place
    for c in range(x.shape[1]):
        for oy in range(y.shape[2]):
            for ox in range(y.shape[3]):
                best, place = -INFINITY, 0
                for ky in range(size):
                    row = oy * stride + ky - pad
                    for kx in range(size):
                        column = ox * stride + kx - pad
                        if 0 <= row < x.shape[2] and 0 <= column < width and x[i, c, row, column] > best:
                            best, place = x[i, c, row, column], row * width + column
                y[i, c, oy, ox] = best
                winner[i, c, oy, ox] = <int>place


def backward(
        const float[:, :, :, ::1] d not None, const int[:, :, :, ::1] winner not None, Py_ssize_t height,
        Py_ssize_t width, float[:, :, :, ::1] dx not None):
    cdef Py_ssize_t i
    for i in prange(d.shape[0], nogil=True, schedule="static"):
        back_one(d, winner, width, dx, i)


cdef void back_one(const float[:, :, :, ::1] d, const int[:, :, :, ::1] winner, Py_ssize_t width,
                   float[:, :, :, ::1] dx, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t c, oy, ox, row, column
    dx[i, :, :, :] = 0
    for c in range(d.shape[1]):
        for oy in range(d.shape[2]):
            for ox in range(d.shape[3]):
                row = winner[i, c, oy, ox] // width
                column = winner[i, c, oy, ox] % width
                dx[i, c, row, column] += d[i, c, oy, ox]
