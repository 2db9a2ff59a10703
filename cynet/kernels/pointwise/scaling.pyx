"""Products of arrays; of images with a factor for each channel of each sample, or for each sample."""

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport CHUNK, chunks, length, team
from cynet.kernels.common.simd cimport VL, load_wide, store_wide, vset


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


def scale_channels(
    const float[:, :, ::1] x not None,      # in: (samples, pixels, channels)
    const float[:, ::1] factors not None,   # in: (samples, channels)
    float[:, :, ::1] y not None,            # out: (samples, pixels, channels); may be x
    int threads,
):
    """y = x * factors, each over all pixels."""
    cdef Py_ssize_t samples = x.shape[0], pixels = x.shape[1], channels = x.shape[2], i
    if samples * pixels * channels == 0:
        return
    cdef Py_ssize_t each = max(CHUNK // channels, 1), bands = (pixels + each - 1) // each
    cdef const float *px = &x[0, 0, 0]
    cdef const float *pf = &factors[0, 0]
    cdef float *py = &y[0, 0, 0]
    for i in prange(samples * bands, nogil=True, num_threads=team(samples * pixels * channels, threads),
                    schedule="static"):
        scale_band(px, pf, py, i // bands, i % bands * each, each, pixels, channels)


cdef void scale_band(const float *x, const float *factors, float *y, Py_ssize_t sample, Py_ssize_t first,
                     Py_ssize_t each, Py_ssize_t pixels, Py_ssize_t channels) noexcept nogil:
    cdef Py_ssize_t row, c, start = (sample * pixels + first) * channels
    x, y, factors = x + start, y + start, factors + sample * channels
    for row in range(min(each, pixels - first)):
        for c from 0 <= c < channels by VL:
            store_wide(y + c, load_wide(x + c, channels - c) * load_wide(factors + c, channels - c), channels - c)
        x, y = x + channels, y + channels


def scale_samples(
    const float[:, ::1] x not None,         # in: (samples, numbers)
    const float[::1] factors not None,      # in: (samples,)
    float[:, ::1] y not None,               # out: (samples, numbers); may be x
    int threads,
):
    """y = x * factors, each over a whole sample."""
    cdef Py_ssize_t samples = x.shape[0], size = x.shape[1], i, each
    if samples * size == 0:
        return
    each = chunks(size)
    cdef const float *px = &x[0, 0]
    cdef const float *pf = &factors[0]
    cdef float *py = &y[0, 0]
    for i in prange(samples * each, nogil=True, num_threads=team(samples * size, threads), schedule="static"):
        scale_run(px + i // each * size + i % each * CHUNK, pf[i // each], py + i // each * size + i % each * CHUNK,
                  length(i % each, size))


cdef void scale_run(const float *x, float factor, float *y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i from 0 <= i < n by VL:
        store_wide(y + i, load_wide(x + i, n - i) * vset(factor), n - i)


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
