"""Batch norm, ReLU and max-pooling as one: nothing of the images' full size is written but dx.

Design: the forward pass normalises some rows of an image at a time into room that stays in the thread's cache,
with the image's padding around, so that no window lies at an edge, and pools from there. Backward makes the pool's
gradient, a band of rows at a time, in such room too, sums it there, and keeps it where dx will be:
`batchnorm_gradient.input_gradient` then works in place. Of large images it is made again instead, and dx, a band at
a time, may take x's place: nothing of that size is written, read again or kept beside it. Chunks of rows, and the
order of the sums within, are those of batch norm alone, whose chunk functions do the arithmetic: the results are the
same.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.math cimport INFINITY
from libc.string cimport memcpy, memset

from cynet.core.workspace cimport empty
from cynet.kernels.common.window cimport Window
from cynet.kernels.norm.batchnorm cimport RELU, normalize_view
from cynet.kernels.norm.batchnorm_gradient cimport chunk_gradient_sums, input_gradient_chunk
from cynet.kernels.norm.channels cimport LANES, RUN, SUMS, TERMS, View, folds, view_of, widened
from cynet.kernels.norm.normalization cimport NormPass
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


cdef Window window_of(tuple shape, Py_ssize_t out_h, Py_ssize_t out_w, tuple numbers) except *:
    """The window over images of `shape`, of the six numbers that kernels/pool takes."""
    cdef Window g
    _, g.in_h, g.in_w, g.channels = shape
    g.out_h, g.out_w = out_h, out_w
    g.kh, g.kw, g.sh, g.sw, g.top, g.left = numbers
    return g


def output_pooled(
    NormPass stats not None,
    tuple shape not None,                           # (N, H, W, C), of the images
    float[:, :, :, ::1] y not None,                 # out: (N, out height, out width, C)
    unsigned char[:, :, :, ::1] winner not None,    # out: as for max_pool
    tuple window not None,                          # kernel, stride and padding, as kernels/pool takes them
):
    """y = the max-pool of ReLU((x - mean) * scale + shift)."""
    cdef Window g = window_of(shape, y.shape[1], y.shape[2], window)
    cdef Window padded = Window(
        covered(g.out_h, g.kh, g.sh), covered(g.out_w, g.kw, g.sw), g.out_h, g.out_w, g.channels,
        g.kh, g.kw, g.sh, g.sw, 0, 0,
    )
    cdef Py_ssize_t images = y.shape[0], i
    cdef Py_ssize_t image = g.in_h * g.in_w * g.channels, out = g.out_h * g.out_w * g.channels
    cdef Py_ssize_t floats = padded.in_h * padded.in_w * g.channels
    cdef int threads = min(stats.team(), max(1, images))
    cdef const float *px
    cdef const float *t
    cdef float *py
    cdef float *pr
    cdef unsigned char *pw
    cdef float[:, ::1] room
    cdef float[TERMS * LANES] wide
    if images * image * out == 0:
        return
    room = empty((threads, floats))
    px, py, pr, pw = &stats.rows[0, 0], &y[0, 0, 0, 0], &room[0, 0], &winner[0, 0, 0, 0]
    t = widened(&stats.table[0, 0], g.channels, wide)
    with nogil, parallel(num_threads=threads):
        lower(pr + threadid() * floats, floats)  # once: no image reaches the padding
        for i in prange(images, schedule="static"):
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


def sums_pooled(
    NormPass stats not None,
    tuple shape not None,                               # as for `output_pooled`
    const float[:, :, :, ::1] dy not None,              # in: (N, out height, out width, C)
    const unsigned char[:, :, :, ::1] winner not None,  # in: what output_pooled wrote
    tuple window not None,
    bint keep,
):
    """(the two sums that the gradients of batch norm are made of, if `keep` the max-pool's gradient, or else None)."""
    partial, gradient = stats.room_for_sums(), empty(stats.shape) if keep else None
    cdef double[:, :, ::1] by_chunk = partial
    cdef float[:, ::1] kept = gradient
    if holds(stats, dy):
        walk(stats, shape, dy, winner, window, &by_chunk[0, 0, 0], &kept[0, 0] if keep else NULL, NULL)
    return partial, gradient


def input_gradient_pooled(
    NormPass stats not None,
    tuple shape not None,                               # as for `output_pooled`
    const float[:, :, :, ::1] dy not None,              # in: as for `sums_pooled`
    const unsigned char[:, :, :, ::1] winner not None,  # in
    tuple window not None,
    dx=None,
):
    """The gradient to the input, in a new array, or in `dx`, which may be the input; max-pool's is made again."""
    dx = empty(stats.shape) if dx is None else dx
    cdef float[:, ::1] out = dx
    if holds(stats, dy):
        walk(stats, shape, dy, winner, window, NULL, NULL, &out[0, 0])
    return dx


cdef bint holds(NormPass stats, const float[:, :, :, ::1] dy) noexcept:
    """Whether there are pixels, and windows over them."""
    return stats.rows.shape[0] * stats.rows.shape[1] * dy.shape[1] * dy.shape[2] > 0


cdef void walk(NormPass stats, tuple shape, const float[:, :, :, ::1] dy, const unsigned char[:, :, :, ::1] winner,
               tuple window, double *sums, float *kept, float *dx) except *:
    """Make the sums of all chunks, and keep max-pool's gradient unless `kept` is NULL; or, sums being NULL, dx."""
    cdef PooledGradient p
    p.window = window_of(shape, dy.shape[1], dy.shape[2], window)
    cdef Py_ssize_t rows = stats.rows.shape[0], channels = stats.rows.shape[1], chunk_rows = stats.each, i
    # room: a band, and the rows of the image that it begins and ends in
    cdef Py_ssize_t each = (band_rows(channels) + 2 * p.window.in_w) * channels
    cdef Py_ssize_t chunks = (rows + chunk_rows - 1) // chunk_rows
    cdef int threads = stats.team()
    cdef float[:, ::1] room = empty((threads, each))
    cdef const float *px = &stats.rows[0, 0]
    cdef const float *t = &stats.table[0, 0]
    cdef float *pr = &room[0, 0]
    p.dy, p.winner = &dy[0, 0, 0, 0], &winner[0, 0, 0, 0]
    for i in prange(chunks, nogil=True, num_threads=threads, schedule="static"):
        one_chunk(&p, px, t, i * chunk_rows, min(rows, (i + 1) * chunk_rows), pr + threadid() * each,
                  sums + i * SUMS * channels if sums else NULL, kept, dx)


cdef void one_chunk(const PooledGradient *p, const float *x, const float *terms, Py_ssize_t first, Py_ssize_t end,
                    float *room, double *sums, float *kept, float *dx) noexcept nogil:
    """The sums over the rows first .. end of all images, or their dx, a band at a time."""
    cdef const Window *g = &p.window
    cdef Py_ssize_t channels = g.channels, last, line, out = g.out_h * g.out_w * channels
    cdef const float *gradient
    cdef float *target
    cdef bint whole
    if sums:
        memset(sums, 0, SUMS * channels * sizeof(double))
    while first < end:
        last = min(end, first + band_rows(channels))
        whole = kept and first % g.in_w == 0 and last % g.in_w == 0
        target = kept + first * channels if whole else room
        for line in range(first // g.in_w, (last + g.in_w - 1) // g.in_w):
            backward_row(p.dy + line // g.in_h * out, p.winner + line // g.in_h * out,
                         target + (line - first // g.in_w) * g.in_w * channels, g, line % g.in_h)
        gradient = target + first % g.in_w * channels
        if sums:
            chunk_gradient_sums(x + first * channels, gradient, NULL, NULL, last - first, channels, terms, sums, RELU)
        else:
            input_gradient_chunk(x + first * channels, gradient, last - first, channels, terms, dx + first * channels,
                                 RELU)
        if kept and not whole:  # lines of an image that two bands, perhaps two threads, share
            memcpy(kept + first * channels, gradient, (last - first) * channels * sizeof(float))
        first = last
