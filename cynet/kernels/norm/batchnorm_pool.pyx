"""Batch norm, ReLU and max-pooling as one: nothing of the images' full size is written but dx.

Design: the forward pass normalises some rows of an image at a time into room that stays in the thread's cache,
with the image's padding around, so that no window lies at an edge, and pools from there. Backward makes the pool's
gradient, a band of rows at a time, in such room too, sums it there, and keeps it where dx will be:
`batchnorm_gradient.input_gradient` then works in place. Chunks of rows, and the order of the sums within, are those
of batch norm alone, whose chunk functions do the arithmetic: the results are the same.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.math cimport INFINITY
from libc.string cimport memcpy, memset

from cynet.kernels.common.window cimport Window
from cynet.kernels.norm.batchnorm cimport RELU, normalize_view
from cynet.kernels.norm.batchnorm_gradient cimport chunk_gradient_sums
from cynet.kernels.norm.channels cimport LANES, RUN, SUMS, TERMS, View, folds, view_of, widened
from cynet.kernels.pool.max_pool cimport backward_row, forward_row

cdef enum:
    BAND_FLOATS = 6144  # that are normalised before they are pooled: they stay in the first cache


cdef inline Py_ssize_t band_rows(Py_ssize_t channels) noexcept nogil:
    """Rows (pixels) whose gradient is made at a time: whole blocks of the sums."""
    return 4 * RUN * (LANES // channels if folds(channels) else 1)


cdef inline Py_ssize_t covered(Py_ssize_t windows, Py_ssize_t kernel, Py_ssize_t stride) noexcept nogil:
    """Pixels, padding included, that so many windows cover."""
    return (windows - 1) * stride + kernel


cdef struct PooledGradient:
    Window window
    const float *dy
    const unsigned char *winner


def room_shape(int threads, out_shape, window):
    """The shape of the room of `normalize_pool`: for each thread, what the windows of an image cover.

    out_shape : (N, out height, out width, C); window : kernel, stride and padding, as the kernels take them.
    """
    _, out_h, out_w, channels = out_shape
    kernel_h, kernel_w, stride_h, stride_w, *_ = window
    return threads, covered(out_h, kernel_h, stride_h) * covered(out_w, kernel_w, stride_w) * channels


def gradient_room_shape(int threads, shape):
    """The shape of the room of `gradient_sums_pool`: a band, and the rows of the image that it begins and ends in.

    shape : (N, H, W, C)
    """
    return threads, (band_rows(shape[3]) + 2 * shape[2]) * shape[3]


def normalize_pool(
    const float[:, :, :, ::1] x not None,           # in: (N, H, W, C)
    const float[:, ::1] terms not None,             # in: (TERMS, C), as for `normalize`
    float[:, :, :, ::1] y not None,                 # out: (N, out height, out width, C)
    unsigned char[:, :, :, ::1] winner not None,    # out: as for max_pool
    Py_ssize_t kernel_h,
    Py_ssize_t kernel_w,
    Py_ssize_t stride_h,
    Py_ssize_t stride_w,
    Py_ssize_t top,
    Py_ssize_t left,
    float[:, ::1] room not None,                    # out: `room_shape`
    int threads,
):
    """y = the max-pool of ReLU((x - mean) * scale + shift)."""
    cdef Window g = Window(
        x.shape[1], x.shape[2], y.shape[1], y.shape[2], x.shape[3],
        kernel_h, kernel_w, stride_h, stride_w, top, left,
    )
    cdef Window padded = Window(
        covered(g.out_h, kernel_h, stride_h), covered(g.out_w, kernel_w, stride_w), g.out_h, g.out_w, g.channels,
        kernel_h, kernel_w, stride_h, stride_w, 0, 0,
    )
    cdef Py_ssize_t image = g.in_h * g.in_w * g.channels, out = g.out_h * g.out_w * g.channels, i
    cdef Py_ssize_t floats = padded.in_h * padded.in_w * g.channels
    cdef const float *px
    cdef const float *t
    cdef float *py
    cdef float *pr
    cdef unsigned char *pw
    cdef float[TERMS * LANES] wide
    if x.shape[0] * image * out == 0:
        return
    px, py, pr, pw = &x[0, 0, 0, 0], &y[0, 0, 0, 0], &room[0, 0], &winner[0, 0, 0, 0]
    t = widened(&terms[0, 0], g.channels, wide)
    with nogil, parallel(num_threads=threads):
        lower(pr + threadid() * floats, floats)  # once: no image reaches the padding
        for i in prange(x.shape[0], schedule="static"):
            one_image(px + i * image, t, pr + threadid() * floats, py + i * out, pw + i * out, &g, &padded)


cdef void lower(float *room, Py_ssize_t floats) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(floats):
        room[i] = -INFINITY


cdef void one_image(const float *x, const float *terms, float *room, float *y, unsigned char *winner,
                    const Window *g, const Window *padded) noexcept nogil:
    """`padded` are the same windows over the image with its padding, which beats nothing after a ReLU."""
    cdef Py_ssize_t oy = 0, end, ready = 0, need, row = padded.in_w * g.channels, out = g.out_w * g.channels
    cdef Py_ssize_t band = max(1, BAND_FLOATS // (g.sh * row))
    cdef View line = view_of(min(g.in_w, padded.in_w - g.left), g.channels)
    room += (g.top * padded.in_w + g.left) * g.channels
    while oy < g.out_h:
        end = min(g.out_h, oy + band)
        need = min(g.in_h, (end - 1) * g.sh - g.top + g.kh)
        while ready < need:
            normalize_view(x + ready * g.in_w * g.channels, NULL, line, terms, room + ready * row, RELU)
            ready += 1
        while oy < end:
            forward_row(room - (g.top * padded.in_w + g.left) * g.channels, y + oy * out, winner + oy * out,
                        padded, oy)
            oy += 1


def gradient_sums_pool(
    const float[:, :, :, ::1] x not None,               # in: (N, H, W, C)
    const float[:, :, :, ::1] dy not None,              # in: (N, out height, out width, C)
    const unsigned char[:, :, :, ::1] winner not None,  # in: what normalize_pool wrote
    Py_ssize_t kernel_h,
    Py_ssize_t kernel_w,
    Py_ssize_t stride_h,
    Py_ssize_t stride_w,
    Py_ssize_t top,
    Py_ssize_t left,
    const float[:, ::1] terms not None,                 # in: (TERMS, C)
    double[:, :, ::1] partial not None,                 # out: `partial_shape`, as for `gradient_sums`
    float[:, ::1] kept not None,                        # out: (N * H * W, C), the max-pool's gradient; or empty
    float[:, ::1] room not None,                        # out: `gradient_room_shape`
    Py_ssize_t chunk_rows,
    int threads,
):
    """The two sums over rows that the gradients of batch norm are made of."""
    cdef PooledGradient p
    p.window = Window(
        x.shape[1], x.shape[2], dy.shape[1], dy.shape[2], x.shape[3],
        kernel_h, kernel_w, stride_h, stride_w, top, left,
    )
    cdef Py_ssize_t rows = x.shape[0] * x.shape[1] * x.shape[2], channels = x.shape[3], chunks = partial.shape[0], i
    cdef Py_ssize_t each = room.shape[1]
    if rows * channels * dy.shape[1] * dy.shape[2] == 0:
        return
    cdef const float *px = &x[0, 0, 0, 0]
    cdef const float *t = &terms[0, 0]
    cdef double *sums = &partial[0, 0, 0]
    cdef float *pr = &room[0, 0]
    cdef float *pk = &kept[0, 0] if kept.shape[0] else NULL
    p.dy, p.winner = &dy[0, 0, 0, 0], &winner[0, 0, 0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        memset(sums + i * SUMS * channels, 0, SUMS * channels * sizeof(double))
        one_chunk(&p, px, t, i * chunk_rows, min(rows, (i + 1) * chunk_rows), pr + threadid() * each,
                  sums + i * SUMS * channels, pk)


cdef void one_chunk(const PooledGradient *p, const float *x, const float *terms, Py_ssize_t first, Py_ssize_t end,
                    float *room, double *sums, float *kept) noexcept nogil:
    """The sums over the rows first .. end of all images, a band at a time."""
    cdef const Window *g = &p.window
    cdef Py_ssize_t channels = g.channels, last, line, out = g.out_h * g.out_w * channels
    cdef const float *gradient
    cdef float *target
    cdef bint whole
    while first < end:
        last = min(end, first + band_rows(channels))
        whole = kept and first % g.in_w == 0 and last % g.in_w == 0
        target = kept + first * channels if whole else room
        for line in range(first // g.in_w, (last + g.in_w - 1) // g.in_w):
            backward_row(p.dy + line // g.in_h * out, p.winner + line // g.in_h * out,
                         target + (line - first // g.in_w) * g.in_w * channels, g, line % g.in_h)
        gradient = target + first % g.in_w * channels
        chunk_gradient_sums(x + first * channels, gradient, NULL, NULL, last - first, channels, terms, sums, RELU)
        if kept and not whole:  # lines of an image that two bands, perhaps two threads, share
            memcpy(kept + first * channels, gradient, (last - first) * channels * sizeof(float))
        first = last
