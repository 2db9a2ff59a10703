from cython.parallel cimport prange


def forward(
        const float[:, :, :, ::1] x not None, const float[:, :, :, ::1] w not None, const float[::1] b not None,
        Py_ssize_t stride, float[:, :, :, ::1] y not None):
    cdef Py_ssize_t i
    for i in prange(x.shape[0], nogil=True, schedule="static"):
        forward_one(x, w, b, stride, y, i)


cdef void forward_one(const float[:, :, :, ::1] x, const float[:, :, :, ::1] w, const float[::1] b, Py_ssize_t stride,
                      float[:, :, :, ::1] y, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t f, c, oy, ox, ky, kx, iy, ix, size = w.shape[2], pad = (size - 1) // 2
    cdef float total
    for f in range(w.shape[0]):
        for oy in range(y.shape[2]):
            for ox in range(y.shape[3]):
                total = b[f]
                for c in range(x.shape[1]):
                    for ky in range(size):
                        iy = oy * stride + ky - pad
                        for kx in range(size):
                            ix = ox * stride + kx - pad
                            if 0 <= iy < x.shape[2] and 0 <= ix < x.shape[3]:
                                total += w[f, c, ky, kx] * x[i, c, iy, ix]
                y[i, f, oy, ox] = total


def weight_gradient(
        const float[:, :, :, ::1] x not None, const float[:, :, :, ::1] d not None, Py_ssize_t size,
        Py_ssize_t stride, float[:, :, :, ::1] dw not None):
    cdef Py_ssize_t f
    for f in prange(d.shape[1], nogil=True, schedule="static"):
        gradient_of_filter(x, d, size, stride, dw, f)


cdef void gradient_of_filter(const float[:, :, :, ::1] x, const float[:, :, :, ::1] d, Py_ssize_t size,
                             Py_ssize_t stride, float[:, :, :, ::1] dw, Py_ssize_t f) noexcept nogil:
    cdef Py_ssize_t i, c, oy, ox, ky, kx, iy, ix, pad = (size - 1) // 2
    cdef double total
    for c in range(x.shape[1]):
        for ky in range(size):
            for kx in range(size):
                total = 0
                for i in range(x.shape[0]):
                    for oy in range(d.shape[2]):
                        iy = oy * stride + ky - pad
                        for ox in range(d.shape[3]):
                            ix = ox * stride + kx - pad
                            if 0 <= iy < x.shape[2] and 0 <= ix < x.shape[3]:
                                total += d[i, f, oy, ox] * x[i, c, iy, ix]
                dw[f, c, ky, kx] = <float>total


def input_gradient(
        const float[:, :, :, ::1] d not None, const float[:, :, :, ::1] w not None, Py_ssize_t height,
        Py_ssize_t width, Py_ssize_t stride, float[:, :, :, ::1] dx not None):
    cdef Py_ssize_t i
    for i in prange(d.shape[0], nogil=True, schedule="static"):
        gradient_of_picture(d, w, stride, dx, i)


cdef void gradient_of_picture(const float[:, :, :, ::1] d, const float[:, :, :, ::1] w, Py_ssize_t stride,
                              float[:, :, :, ::1] dx, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t f, c, oy, ox, ky, kx, iy, ix, size = w.shape[2], pad = (size - 1) // 2
    dx[i, :, :, :] = 0
    for f in range(w.shape[0]):
        for oy in range(d.shape[2]):
            for ox in range(d.shape[3]):
                for c in range(w.shape[1]):
                    for ky in range(size):
                        iy = oy * stride + ky - pad
                        for kx in range(size):
                            ix = ox * stride + kx - pad
                            if 0 <= iy < dx.shape[2] and 0 <= ix < dx.shape[3]:
                                dx[i, c, iy, ix] += d[i, f, oy, ox] * w[f, c, ky, kx]
