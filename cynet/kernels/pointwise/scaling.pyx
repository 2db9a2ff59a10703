"""Products of images with a factor for each channel of each sample, or for each sample."""

from cython.parallel cimport prange

from cynet.kernels.common.parallel cimport CHUNK, chunks, length, team
from cynet.kernels.common.simd cimport VL, load_wide, store_wide, vset


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
