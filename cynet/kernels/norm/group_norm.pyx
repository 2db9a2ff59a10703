"""Group normalisation of images (samples, pixels, channels): Wu and He (2018).

Design: of one sample it is batch norm whose numbers a channel come from all channels of its group. So the chunks of
rows are batch norm's, each of one sample, and what they make is joined by sample: first a channel's, then a group's,
in double precision and in order, so that the result is the same for any number of threads. Each sample has a table of
terms of its own (channels.pxd).
"""

from cython.parallel cimport prange
from libc.math cimport isfinite, sqrt
from libc.string cimport memset

from cynet.kernels.norm.batchnorm cimport PLAIN, normalize_view
from cynet.kernels.norm.batchnorm_gradient cimport chunk_gradient_sums, input_gradient_chunk
from cynet.kernels.norm.batchnorm_statistics cimport chunk_statistics, join_chunks
from cynet.kernels.norm.channels cimport (
    CONSTANT, INVERSE, LANES, MEAN, MEAN_HIGH, MEAN_LOW, OF_DY, OF_X, SCALE, SHIFT, STATE, SUMS, TERMS, view_of,
    widened
)


def statistics(
    const float[:, :, ::1] x not None,      # in: (samples, pixels, channels), not empty
    const float[::1] weight not None,       # in: (channels,); empty: 1
    const float[::1] bias not None,         # in: (channels,); empty: 0
    double eps,
    double[:, :, ::1] partial not None,     # out: (samples * chunks, SUMS, channels)
    double[:, :, ::1] state not None,       # out: (samples, STATE, groups)
    float[:, :, ::1] terms not None,        # out: (samples, TERMS, channels), rows MEAN_HIGH to SHIFT
    Py_ssize_t chunk_rows,                  # rows (pixels) of a work item
    int threads,
):
    """Mean and inverse deviation of each group of each sample, and the terms that `normalize` takes."""
    cdef Py_ssize_t samples = x.shape[0], rows = x.shape[1], channels = x.shape[2], groups = state.shape[2], i
    cdef Py_ssize_t chunks = partial.shape[0] // samples
    cdef const float *source = &x[0, 0, 0]
    cdef const float *w = &weight[0] if weight.shape[0] else NULL
    cdef const float *b = &bias[0] if bias.shape[0] else NULL
    cdef double *sums = &partial[0, 0, 0]
    cdef double *s = &state[0, 0, 0]
    cdef float *t = &terms[0, 0, 0]
    for i in prange(samples * chunks, nogil=True, num_threads=threads, schedule="static"):
        chunk_statistics(source + (i // chunks * rows + i % chunks * chunk_rows) * channels,
                         min(chunk_rows, rows - i % chunks * chunk_rows), channels, sums + i * SUMS * channels)
    for i in prange(samples, nogil=True, num_threads=threads, schedule="static"):
        join_groups(sums + i * chunks * SUMS * channels, chunks, rows, channels, chunk_rows, groups, w, b, eps,
                    s + i * STATE * groups, t + i * TERMS * channels)


cdef void join_groups(double *partial, Py_ssize_t chunks, Py_ssize_t rows, Py_ssize_t channels,
                      Py_ssize_t chunk_rows, Py_ssize_t groups, const float *weight, const float *bias, double eps,
                      double *state, float *terms) noexcept nogil:
    """Of one sample: the channels of a group have as many rows each."""
    cdef Py_ssize_t g, c, first, each = channels // groups
    cdef double *square = partial + channels
    cdef double mean, total, inverse
    join_chunks(partial, chunks, rows, channels, chunk_rows, partial, square)
    for g in range(groups):
        first, mean, total = g * each, 0, 0
        for c in range(first, first + each):
            mean += partial[c]
        mean /= each
        for c in range(first, first + each):
            total += square[c] + rows * ((partial[c] - mean) * (partial[c] - mean))
        inverse = 1 / sqrt(total / (<double>rows * each) + eps)
        state[MEAN * groups + g], state[INVERSE * groups + g] = mean, inverse
        for c in range(first, first + each):
            terms[MEAN_HIGH * channels + c] = <float>mean
            terms[MEAN_LOW * channels + c] = <float>(mean - <float>mean) if isfinite(mean) else 0
            terms[SCALE * channels + c] = <float>(inverse * weight[c]) if weight else <float>inverse
            terms[SHIFT * channels + c] = bias[c] if bias else 0


def normalize(
    const float[:, :, ::1] x not None,      # in: (samples, pixels, channels), not empty
    const float[:, :, ::1] terms not None,  # in: (samples, TERMS, channels)
    float[:, :, ::1] y not None,            # out: (samples, pixels, channels)
    Py_ssize_t chunk_rows,                  # rows (pixels) of a work item
    int threads,
):
    """y = (x - mean) * scale + shift, channel by channel of each sample."""
    cdef Py_ssize_t samples = x.shape[0], rows = x.shape[1], channels = x.shape[2], i, start
    cdef Py_ssize_t chunks = (rows + chunk_rows - 1) // chunk_rows
    cdef const float *source = &x[0, 0, 0]
    cdef const float *t = &terms[0, 0, 0]
    cdef float *out = &y[0, 0, 0]
    for i in prange(samples * chunks, nogil=True, num_threads=threads, schedule="static"):
        start = (i // chunks * rows + i % chunks * chunk_rows) * channels
        normalize_chunk(source + start, min(chunk_rows, rows - i % chunks * chunk_rows), channels,
                        t + i // chunks * TERMS * channels, out + start)


cdef void normalize_chunk(const float *x, Py_ssize_t rows, Py_ssize_t channels, const float *terms,
                          float *y) noexcept nogil:
    cdef float[TERMS * LANES] wide
    normalize_view(x, x, view_of(rows, channels), widened(terms, channels, wide), y, PLAIN)


def gradient_sums(
    const float[:, :, ::1] x not None,      # in: (samples, pixels, channels), not empty
    const float[:, :, ::1] dy not None,     # in: as x
    const float[:, :, ::1] terms not None,  # in: (samples, TERMS, channels), the mean's rows
    double[:, :, ::1] partial not None,     # out: (samples * chunks, SUMS, channels)
    Py_ssize_t chunk_rows,                  # rows (pixels) of a work item
    int threads,
):
    """The sums over rows of dy and of dy * (x - mean), by chunk of each sample."""
    cdef Py_ssize_t samples = x.shape[0], rows = x.shape[1], channels = x.shape[2], i, start
    cdef Py_ssize_t chunks = partial.shape[0] // samples
    cdef const float *source = &x[0, 0, 0]
    cdef const float *d = &dy[0, 0, 0]
    cdef const float *t = &terms[0, 0, 0]
    cdef double *out = &partial[0, 0, 0]
    for i in prange(samples * chunks, nogil=True, num_threads=threads, schedule="static"):
        start = (i // chunks * rows + i % chunks * chunk_rows) * channels
        memset(out + i * SUMS * channels, 0, SUMS * channels * sizeof(double))
        chunk_gradient_sums(source + start, d + start, NULL, NULL, min(chunk_rows, rows - i % chunks * chunk_rows),
                            channels, t + i // chunks * TERMS * channels, out + i * SUMS * channels, PLAIN)


def gradient_terms(
    double[:, :, ::1] partial not None,         # inout: from `gradient_sums`; the sums of a sample replace its first
    const double[:, :, ::1] state not None,     # in: (samples, STATE, groups), from the forward pass
    const float[::1] weight not None,           # in: (channels,); empty: 1
    float[::1] weight_grad not None,            # inout: (channels,), added to; empty: nobody wants it
    float[::1] bias_grad not None,              # inout: as `weight_grad`
    Py_ssize_t rows,                            # pixels of a sample
    float[:, :, ::1] terms not None,            # out: (samples, TERMS, channels), rows OF_DY to CONSTANT
):
    """From the sums over rows: the parameters' gradients, and the factors of `input_gradient`."""
    cdef Py_ssize_t samples = state.shape[0], groups = state.shape[2], channels = terms.shape[2], s, c
    cdef Py_ssize_t chunks = partial.shape[0] // samples, each = channels // groups
    cdef const float *w = &weight[0] if weight.shape[0] else NULL
    cdef double total
    for s in range(samples):
        sample_terms(&partial[s * chunks, 0, 0], chunks, rows, channels, groups, w, &state[s, 0, 0], &terms[s, 0, 0])
    for c in range(weight_grad.shape[0]):
        total = 0
        for s in range(samples):
            total += partial[s * chunks, 1, c] * state[s, INVERSE, c // each]
        weight_grad[c] += <float>total
    for c in range(bias_grad.shape[0]):
        total = 0
        for s in range(samples):
            total += partial[s * chunks, 0, c]
        bias_grad[c] += <float>total


cdef void sample_terms(double *partial, Py_ssize_t chunks, Py_ssize_t rows, Py_ssize_t channels, Py_ssize_t groups,
                       const float *weight, const double *state, float *terms) noexcept nogil:
    """Of one sample: dx = inverse * (w dy - A / n - (x - mean) * inverse^2 * B / n), with the group's sums A of w dy
    and B of w dy (x - mean)."""
    cdef Py_ssize_t i, g, c, first, each = channels // groups
    cdef double a, b, inverse, n = <double>rows * each, scale
    for i in range(1, chunks):
        for c in range(SUMS * channels):
            partial[c] += partial[i * SUMS * channels + c]
    for g in range(groups):
        first, a, b, inverse = g * each, 0, 0, state[INVERSE * groups + g]
        for c in range(first, first + each):
            scale = weight[c] if weight else 1
            a += scale * partial[c]
            b += scale * partial[channels + c]
        for c in range(first, first + each):
            terms[OF_DY * channels + c] = <float>(inverse * weight[c]) if weight else <float>inverse
            terms[OF_X * channels + c] = <float>(-inverse * b * (inverse * inverse) / n)
            terms[CONSTANT * channels + c] = <float>(-inverse * a / n)


def input_gradient(
    const float[:, :, ::1] x not None,      # in: (samples, pixels, channels), not empty
    const float[:, :, ::1] dy not None,     # in: as x
    const float[:, :, ::1] terms not None,  # in: (samples, TERMS, channels)
    float[:, :, ::1] dx not None,           # out: as x; may be dy
    Py_ssize_t chunk_rows,                  # rows (pixels) of a work item
    int threads,
):
    """dx = a * dy + b * (x - mean) + c, the rows OF_DY, OF_X and CONSTANT of each sample's terms."""
    cdef Py_ssize_t samples = x.shape[0], rows = x.shape[1], channels = x.shape[2], i, start
    cdef Py_ssize_t chunks = (rows + chunk_rows - 1) // chunk_rows
    cdef const float *source = &x[0, 0, 0]
    cdef const float *d = &dy[0, 0, 0]
    cdef const float *t = &terms[0, 0, 0]
    cdef float *out = &dx[0, 0, 0]
    for i in prange(samples * chunks, nogil=True, num_threads=threads, schedule="static"):
        start = (i // chunks * rows + i % chunks * chunk_rows) * channels
        input_gradient_chunk(source + start, d + start, min(chunk_rows, rows - i % chunks * chunk_rows), channels,
                             t + i // chunks * TERMS * channels, out + start, PLAIN)
