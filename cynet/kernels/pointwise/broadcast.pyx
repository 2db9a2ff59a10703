"""Products of arrays, one of which may have a single number for each channel of an image."""

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport CHUNK, chunks, length, team

cdef enum:
    LANES = 16          # channels whose sums are taken together


cdef void multiply_chunk(const float *a, const float *b, float *out, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = a[i] * b[i]


def multiply(
    const float[::1] a not None,    # in
    const float[::1] b not None,    # in
    float[::1] out not None,        # out: may be a or b
    int threads,
):
    """out = a * b."""
    cdef Py_ssize_t n = a.shape[0], i
    cdef const float *pa
    cdef const float *pb
    cdef float *po
    if n == 0:
        return
    pa, pb, po = &a[0], &b[0], &out[0]
    for i in prange(chunks(n), nogil=True, num_threads=team(n, threads), schedule="static"):
        multiply_chunk(pa + i * CHUNK, pb + i * CHUNK, po + i * CHUNK, length(i, n))


def multiply_channels(
    const float[:, :, ::1] x not None,      # in: (images, pixels, channels)
    const float[:, ::1] factor not None,    # in: (images, channels)
    float[:, :, ::1] out not None,          # out: (images, pixels, channels), may be x
    int threads,
):
    """out[n, p, c] = x[n, p, c] * factor[n, c]."""
    cdef Py_ssize_t images = x.shape[0], pixels = x.shape[1], channels = x.shape[2], i
    cdef const float *px
    cdef const float *pf
    cdef float *po
    if images * pixels * channels == 0:
        return
    px, pf, po = &x[0, 0, 0], &factor[0, 0], &out[0, 0, 0]
    for i in prange(
        images * pixels, nogil=True, num_threads=team(images * pixels * channels, threads), schedule="static"
    ):
        multiply_chunk(px + i * channels, pf + i // pixels * channels, po + i * channels, channels)


cdef void sum_lanes(
    const float *x, const float *dy, float *out, Py_ssize_t pixels, Py_ssize_t channels, Py_ssize_t lanes
) noexcept nogil:
    """The sums of up to LANES channels of one image, in double."""
    cdef double total[LANES]
    cdef Py_ssize_t p, c
    for c in range(LANES):
        total[c] = 0
    for p in range(pixels):
        for c in range(lanes):
            total[c] += <double>x[p * channels + c] * <double>dy[p * channels + c]
    for c in range(lanes):
        out[c] = <float>total[c]


def channel_products(
    const float[:, :, ::1] x not None,      # in: (images, pixels, channels)
    const float[:, :, ::1] dy not None,     # in: (images, pixels, channels)
    float[:, ::1] out not None,             # out: (images, channels)
    int threads,
):
    """out[n, c] = the sum over p of x[n, p, c] * dy[n, p, c], the gradient to a factor of each channel."""
    cdef Py_ssize_t images = x.shape[0], pixels = x.shape[1], channels = x.shape[2], i
    cdef Py_ssize_t groups = (channels + LANES - 1) // LANES, first
    cdef const float *px
    cdef const float *pd
    cdef float *po
    if images * channels == 0:
        return
    if pixels == 0:
        out[:, :] = 0
        return
    px, pd, po = &x[0, 0, 0], &dy[0, 0, 0], &out[0, 0]
    for i in prange(
        images * groups, nogil=True, num_threads=team(images * pixels * channels, threads), schedule="static"
    ):
        first = i % groups * LANES
        sum_lanes(
            px + i // groups * pixels * channels + first,
            pd + i // groups * pixels * channels + first,
            po + i // groups * channels + first,
            pixels,
            channels,
            min(LANES, channels - first),
        )
