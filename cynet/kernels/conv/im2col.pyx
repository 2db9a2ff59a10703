"""im2col and col2im written out: the column matrix of a convolution as an array of its own.

For learning and checking. The layers do without the copies (tiled_loops.pyx says how).
"""

from cython.parallel cimport prange

cdef enum:
    BAND = 16  # rows of an image that one thread adds up


def im2col(
    const float[:, :, :, ::1] x not None,           # in: (N, H, W, C)
    float[:, :, :, ::1] columns not None,           # out: (N, out_h, out_w, kernel_h * kernel_w * C)
    Py_ssize_t kernel_h, Py_ssize_t kernel_w, Py_ssize_t stride_y, Py_ssize_t stride_x,
    Py_ssize_t top, Py_ssize_t left,                # padding before
    int threads,
):
    """columns[n, y, x, (tap row, tap column, channel)] = the pixel under that tap, 0 outside the image."""
    cdef Py_ssize_t n
    for n in prange(x.shape[0], nogil=True, num_threads=threads, schedule="static"):
        lower_image(x, columns, n, kernel_h, kernel_w, stride_y, stride_x, top, left)


cdef void lower_image(const float[:, :, :, ::1] x, float[:, :, :, ::1] columns, Py_ssize_t n,
                      Py_ssize_t kernel_h, Py_ssize_t kernel_w, Py_ssize_t stride_y, Py_ssize_t stride_x,
                      Py_ssize_t top, Py_ssize_t left) noexcept nogil:
    cdef Py_ssize_t oy, ox, ky, kx, c, iy, ix, k
    cdef Py_ssize_t channels = x.shape[3]
    for oy in range(columns.shape[1]):
        for ox in range(columns.shape[2]):
            for ky in range(kernel_h):
                iy = oy * stride_y + ky - top
                for kx in range(kernel_w):
                    ix = ox * stride_x + kx - left
                    k = (ky * kernel_w + kx) * channels
                    if 0 <= iy < x.shape[1] and 0 <= ix < x.shape[2]:
                        for c in range(channels):
                            columns[n, oy, ox, k + c] = x[n, iy, ix, c]
                    else:
                        for c in range(channels):
                            columns[n, oy, ox, k + c] = 0


def col2im(
    const float[:, :, :, ::1] columns not None,     # in: (N, out_h, out_w, kernel_h * kernel_w * C)
    float[:, :, :, ::1] x not None,                 # inout: (N, H, W, C), added to in the order of output pixels
    Py_ssize_t kernel_h, Py_ssize_t kernel_w, Py_ssize_t stride_y, Py_ssize_t stride_x,
    Py_ssize_t top, Py_ssize_t left,                # padding before
    int threads,
):
    """The transpose of `im2col`: each entry of the columns is added to the pixel it came from."""
    cdef Py_ssize_t item, bands = (x.shape[1] + BAND - 1) // BAND
    if columns.shape[1] * columns.shape[2] * x.shape[3] == 0:
        return
    for item in prange(x.shape[0] * bands, nogil=True, num_threads=threads, schedule="static"):
        raise_band(columns, x, item // bands, item % bands * BAND, kernel_h, kernel_w, stride_y, stride_x, top, left)


cdef void raise_band(const float[:, :, :, ::1] columns, float[:, :, :, ::1] x, Py_ssize_t n, Py_ssize_t row,
                     Py_ssize_t kernel_h, Py_ssize_t kernel_w, Py_ssize_t stride_y, Py_ssize_t stride_x,
                     Py_ssize_t top, Py_ssize_t left) noexcept nogil:
    """Some rows of one image, by all windows that reach them."""
    cdef Py_ssize_t oy, ox, ky, iy, ix, first, last, i, channels = x.shape[3], line = kernel_w * channels
    cdef Py_ssize_t end = min(row + BAND, x.shape[1]), width = x.shape[2], out_w = columns.shape[2]
    cdef Py_ssize_t begin = max(0, (row + top - kernel_h + stride_y) // stride_y)
    cdef const float *window
    cdef const float *taps
    cdef float *pixels
    for oy in range(begin, min(columns.shape[1], (end - 1 + top) // stride_y + 1)):
        for ox in range(out_w):
            ix = ox * stride_x - left
            # The taps of a row lie side by side, like the pixels under them: those within the image.
            first, last = max(0, -ix) * channels, min(kernel_w, width - ix) * channels
            window = &columns[n, oy, ox, 0]
            for ky in range(kernel_h):
                iy = oy * stride_y + ky - top
                if row <= iy < end and first < last:
                    taps = window + ky * line
                    pixels = &x[n, iy, 0, 0] + ix * channels
                    for i in range(first, last):
                        pixels[i] += taps[i]
