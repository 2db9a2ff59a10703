"""Depth-wise convolution: every channel with its own filter; vector lanes are channels.

Design: with one channel a group the register block of tiled_loops.pyx would work for a single lane, so these are
plain loops over pixels, taps and blocks of eight channels. Filters come as (taps, channels). The weight gradient is
cut into chunks of images: the same bytes for any number of threads.
"""

from cython.parallel cimport prange
from libc.string cimport memset

from cynet.kernels.common.simd cimport load, store, vf8, vset8
from cynet.kernels.common.window cimport Window


cdef Window window(Py_ssize_t height, Py_ssize_t width, Py_ssize_t channels, Py_ssize_t out_h,
                   Py_ssize_t out_w, kernel, stride, before) except *:
    cdef Window g
    g.in_h, g.in_w, g.channels, g.out_h, g.out_w = height, width, channels, out_h, out_w
    g.kh, g.kw = kernel
    g.sh, g.sw = stride
    g.top, g.left = before
    return g


def forward(
    const float[:, :, :, ::1] x not None,   # in: (N, H, W, C)
    const float[:, ::1] w not None,         # in: (kernel_h * kernel_w, C)
    const float[::1] bias not None,         # in: (C,)
    float[:, :, :, ::1] y not None,         # out: (N, out_h, out_w, C)
    kernel, stride, before,                 # (vertical, horizontal); before: the padding (top, left)
    int threads,
):
    """y[n, oy, ox, c] = bias[c] + sum over taps of x[n, oy*s + ky - top, ox*s + kx - left, c] * w[tap, c]."""
    cdef Window g = window(x.shape[1], x.shape[2], x.shape[3], y.shape[1], y.shape[2], kernel, stride, before)
    cdef Py_ssize_t item
    if y.shape[0] == 0:
        return
    cdef const float *px = &x[0, 0, 0, 0]
    cdef const float *pw = &w[0, 0]
    cdef const float *pb = &bias[0]
    cdef float *py = &y[0, 0, 0, 0]
    for item in prange(y.shape[0] * g.out_h, nogil=True, num_threads=threads, schedule="static"):
        forward_row(&g, px + item // g.out_h * g.in_h * g.in_w * g.channels, pw, pb, item % g.out_h,
                    py + item * g.out_w * g.channels)


cdef void forward_row(const Window *g, const float *x, const float *w, const float *bias, Py_ssize_t oy,
                      float *y) noexcept nogil:
    cdef Py_ssize_t ox, c, n, ky, kx, iy, ix
    cdef vf8 total
    for ox in range(g.out_w):
        for c in range(0, g.channels, 8):
            n = g.channels - c
            total = load(bias + c, n)
            for ky in range(g.kh):
                iy = oy * g.sh + ky - g.top
                if iy < 0 or iy >= g.in_h:
                    continue
                for kx in range(g.kw):
                    ix = ox * g.sw + kx - g.left
                    if 0 <= ix < g.in_w:
                        total = total + (load(x + (iy * g.in_w + ix) * g.channels + c, n)
                                         * load(w + (ky * g.kw + kx) * g.channels + c, n))
            store(y + ox * g.channels + c, total, n)


def input_gradient(
    const float[:, :, :, ::1] dy not None,  # in: (N, out_h, out_w, C)
    const float[:, ::1] w not None,         # in: (kernel_h * kernel_w, C)
    float[:, :, :, ::1] dx not None,        # out: (N, H, W, C)
    kernel, stride, before,                 # (vertical, horizontal); before: the padding (top, left)
    int threads,
):
    """dx: each input pixel gathers from the output pixels whose windows cover it."""
    cdef Window g = window(dx.shape[1], dx.shape[2], dx.shape[3], dy.shape[1], dy.shape[2], kernel, stride,
                           before)
    cdef Py_ssize_t item
    if dx.shape[0] == 0:
        return
    cdef const float *pd = &dy[0, 0, 0, 0]
    cdef const float *pw = &w[0, 0]
    cdef float *px = &dx[0, 0, 0, 0]
    for item in prange(dx.shape[0] * g.in_h, nogil=True, num_threads=threads, schedule="static"):
        gather_row(&g, pd + item // g.in_h * g.out_h * g.out_w * g.channels, pw, item % g.in_h,
                   px + item * g.in_w * g.channels)


cdef void gather_row(const Window *g, const float *dy, const float *w, Py_ssize_t iy,
                     float *dx) noexcept nogil:
    cdef Py_ssize_t ix, c, n, ky, kx, py, px
    cdef vf8 total
    for ix in range(g.in_w):
        for c in range(0, g.channels, 8):
            n = g.channels - c
            total = vset8(0)
            for ky in range(g.kh):
                py = iy + g.top - ky
                if py < 0 or py % g.sh or py // g.sh >= g.out_h:
                    continue
                for kx in range(g.kw):
                    px = ix + g.left - kx
                    if px < 0 or px % g.sw or px // g.sw >= g.out_w:
                        continue
                    total = total + (
                        load(dy + (py // g.sh * g.out_w + px // g.sw) * g.channels + c, n)
                        * load(w + (ky * g.kw + kx) * g.channels + c, n))
            store(dx + ix * g.channels + c, total, n)


def partial_shape(Py_ssize_t chunks, kernel, Py_ssize_t channels):
    """The shape of the partial sums of `weight_gradient`; kernel : (vertical, horizontal)."""
    return chunks, kernel[0] * kernel[1], channels


def weight_gradient(
    const float[:, :, :, ::1] x not None,   # in: (N, H, W, C)
    const float[:, :, :, ::1] dy not None,  # in: (N, out_h, out_w, C)
    float[:, :, ::1] partial not None,      # out: `partial_shape`; 1 to N chunks
    kernel, stride, before,                 # (vertical, horizontal); before: the padding (top, left)
    int threads,
):
    """The gradient of the filters, one partial sum for each chunk of images (the caller adds them in order)."""
    cdef Window g = window(x.shape[1], x.shape[2], x.shape[3], dy.shape[1], dy.shape[2], kernel, stride,
                           before)
    cdef Py_ssize_t chunks = partial.shape[0], images = x.shape[0], i
    cdef const float *px = &x[0, 0, 0, 0]
    cdef const float *pd = &dy[0, 0, 0, 0]
    cdef float *sums = &partial[0, 0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        sum_images(&g, px, pd, images * i // chunks, images * (i + 1) // chunks,
                   sums + i * g.kh * g.kw * g.channels)


cdef void sum_images(const Window *g, const float *x, const float *dy, Py_ssize_t first, Py_ssize_t last,
                     float *sums) noexcept nogil:
    cdef Py_ssize_t image, oy, ox, c, n, ky, kx, iy, ix
    cdef const float *line
    cdef const float *dline
    cdef float *target
    cdef vf8 total
    memset(sums, 0, g.kh * g.kw * g.channels * sizeof(float))
    for image in range(first, last):
        for ky in range(g.kh):
            for oy in range(g.out_h):
                iy = oy * g.sh + ky - g.top
                if iy < 0 or iy >= g.in_h:
                    continue
                line = x + (image * g.in_h + iy) * g.in_w * g.channels
                dline = dy + (image * g.out_h + oy) * g.out_w * g.channels
                for kx in range(g.kw):
                    target = sums + (ky * g.kw + kx) * g.channels
                    for c in range(0, g.channels, 8):
                        n = g.channels - c
                        total = vset8(0)
                        for ox in range(g.out_w):
                            ix = ox * g.sw + kx - g.left
                            if 0 <= ix < g.in_w:
                                total = total + (load(line + ix * g.channels + c, n)
                                                 * load(dline + ox * g.channels + c, n))
                        store(target + c, load(target + c, n) + total, n)
